"""Where data and models live: a bucket on AWS, a folder on a laptop.

A version of a model is a folder with a `manifest.json` that names the SHA-256 of each file and is written
last; `current.json` beside it says which version is served, and holds the digest of its manifest: what is
written over a version that was promoted is refused.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{8}")


class Unusable(Exception):
    """The store does not hold what it should; the message says what, and where."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The version to serve; `digest` is the SHA-256 of the manifest that was promoted, if one was."""

    name: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Version:
    """A published version of a model."""

    name: str
    manifest: Mapping[str, Any]
    files: Mapping[str, bytes]


def names(uri: str) -> list[str]:
    """The files below a location, sorted. Raises `Unusable` if a bucket does not tell."""
    if not uri.startswith("s3://"):
        folder = _folder(uri)
        return sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
    bucket, prefix = _bucket(uri)
    with _client(uri) as s3:
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    return sorted(key.removeprefix(prefix) for key in keys if not key.endswith("/"))


def read(uri: str, name: str) -> bytes:
    """The content of a file. Raises `Unusable` if there is none."""
    if not uri.startswith("s3://"):
        try:
            return (_folder(uri) / name).read_bytes()
        except FileNotFoundError:
            raise Unusable(f"{uri}{name} does not exist") from None
    bucket, prefix = _bucket(uri)
    with _client(uri + name) as s3:
        return bytes(s3.get_object(Bucket=bucket, Key=prefix + name)["Body"].read())


def write(uri: str, name: str, data: bytes) -> None:
    """Write a file, the whole of it or nothing. Raises `Unusable` if a bucket does not take it."""
    if uri.startswith("s3://"):
        bucket, prefix = _bucket(uri)
        with _client(uri + name) as s3:
            s3.put_object(Bucket=bucket, Key=prefix + name, Body=data)
        return
    path = _folder(uri) / name
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}")
    beside.write_bytes(data)
    beside.replace(path)


def publish(uri: str, files: Mapping[str, bytes], facts: Mapping[str, Any]) -> str:
    """Store a version of the model with what is known of it, and return the version's name."""
    now = datetime.now(UTC)
    manifest = {
        "schema": "mlopsgen.io/model/v1",
        "createdAt": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        **facts,
        "files": {
            name: {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
            for name, data in files.items()
        },
    }
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    version = f"{now:%Y%m%dT%H%M%SZ}-{digest[:8]}"
    for name, data in files.items():
        write(uri, f"{version}/{name}", data)
    write(uri, f"{version}/manifest.json", _json(manifest | {"version": version}))
    return version


def promote(uri: str, version: str) -> None:
    """Make `version` the one that is served."""
    digest = hashlib.sha256(read(uri, f"{version}/manifest.json")).hexdigest()
    write(uri, "current.json", _json({"version": version, "manifestSha256": digest}))


def current(uri: str) -> Wanted:
    """What `current.json` names. Raises `Unusable`."""
    pointer = json.loads(read(uri, "current.json"))
    return Wanted(str(pointer.get("version")), str(pointer.get("manifestSha256")))


def load(uri: str, wanted: Wanted, task: str) -> Version:
    """A version for this `task` with all its files, each with its digest. Raises `Unusable`."""
    version = wanted.name
    if not VERSION.fullmatch(version):
        raise Unusable(f"{uri}: `{version}` is not the name of a version")
    data = read(uri, f"{version}/manifest.json")
    if wanted.digest not in (None, hashlib.sha256(data).hexdigest()):
        raise Unusable(f"{uri}{version}/manifest.json is not what was promoted: its digest differs")
    manifest = json.loads(data)
    if manifest.get("task") != task:
        raise Unusable(f"{uri}{version} is a model for {manifest.get('task')}; this program serves {task}")
    files = {name: read(uri, f"{version}/{name}") for name in manifest["files"]}
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != manifest["files"][name]["sha256"]:
            raise Unusable(f"{uri}{version}/{name} is not the file that was published: its digest differs")
    return Version(version, manifest, files)


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()


def _folder(uri: str) -> Path:
    return Path(unquote(urlsplit(uri).path) if uri.startswith("file://") else uri)


def _bucket(uri: str) -> tuple[str, str]:
    parts = urlsplit(uri)
    return parts.netloc, parts.path.lstrip("/")


@contextmanager
def _client(uri: str) -> Iterator[Any]:
    """S3, whose refusals become `Unusable`."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield boto3.client("s3")
    except ClientError as error:
        raise Unusable(f"{uri}: {error.response['Error']['Code']}") from None
    except BotoCoreError as error:
        raise Unusable(f"{uri}: {error}") from None
