"""Places that hold files, named by URI as in docs/contracts.md: a folder, or a prefix of an S3 bucket."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from train.errors import Fault


@dataclass(frozen=True, slots=True)
class Entry:
    """A file: its name below the place, its size in bytes, and a word that changes when the content does."""

    name: str
    size: int
    tag: str


class Store(Protocol):
    """A place of files. Names are relative, with `/` between folders."""

    @property
    def uri(self) -> str:
        """As the user wrote it."""

    def entries(self) -> tuple[Entry, ...]:
        """Every file below, by name."""

    def read(self, name: str) -> bytes | None:
        """A file's bytes, or None where there is no such file."""

    def fetch(self, name: str, target: Path) -> None:
        """Copy a file to `target`. Raises `Fault` if there is none."""

    def write(self, name: str, content: bytes | Path) -> None:
        """Write a file as a whole: a reader sees the old content or the new."""

    def create(self, name: str, content: bytes | Path) -> None:
        """Write a file that is not there yet. Raises `Fault` if it is."""


def open_store(uri: str) -> Store:
    """The place that `uri` names; nothing is contacted before it is used."""
    if uri.startswith("s3://"):
        bucket, _, prefix = uri.removeprefix("s3://").partition("/")
        if not bucket:
            raise Fault(f"`{uri}` names no bucket", "write it as s3://BUCKET/PREFIX/")
        return S3(uri, bucket, f"{prefix.rstrip('/')}/" if prefix.strip("/") else "")
    if "://" in uri and not uri.startswith("file://"):
        raise Fault(
            f"`{uri}` is no location that can be read", "use s3://BUCKET/PREFIX/, file:///PATH/ or PATH"
        )
    path = unquote(urlsplit(uri).path) if uri.startswith("file://") else uri
    return Folder(uri, Path(path).expanduser())


@dataclass(frozen=True)
class Folder:
    """A folder of this machine."""

    uri: str
    root: Path

    def entries(self) -> tuple[Entry, ...]:
        found = (path for path in self.root.rglob("*") if path.is_file())
        return tuple(
            sorted(
                (self._entry(path, path.relative_to(self.root).as_posix()) for path in found),
                key=lambda entry: entry.name,
            )
        )

    def read(self, name: str) -> bytes | None:
        try:
            return self._at(name).read_bytes()
        except FileNotFoundError:
            return None

    def fetch(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copyfile(self._at(name), target)
        except (FileNotFoundError, IsADirectoryError):
            raise Fault(
                f"there is no file {self.uri}{name}", "see that the place is right, and whole"
            ) from None

    def write(self, name: str, content: bytes | Path) -> None:
        target = self._at(name)
        target.parent.mkdir(parents=True, exist_ok=True)
        data = content.read_bytes() if isinstance(content, Path) else content
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".part-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def create(self, name: str, content: bytes | Path) -> None:
        if self._at(name).exists():
            raise _taken(self.uri + name)
        self.write(name, content)

    def _at(self, name: str) -> Path:
        return self.root / PurePosixPath(name)

    @staticmethod
    def _entry(path: Path, name: str) -> Entry:
        state = path.stat()
        return Entry(name, state.st_size, str(state.st_mtime_ns))


@dataclass(frozen=True)
class S3:
    """A prefix of a bucket."""

    uri: str
    bucket: str
    prefix: str

    @cached_property
    def client(self) -> Any:
        """boto3's S3 client, which has no types."""
        import boto3
        from botocore.config import Config

        config = Config(retries={"mode": "adaptive", "max_attempts": 8}, connect_timeout=10, read_timeout=60)
        # boto3 reads AWS_DEFAULT_REGION, and ECS sets AWS_REGION; without a region it would ask the global
        # endpoint, which a network without NAT does not reach.
        return boto3.client("s3", region_name=os.environ.get("AWS_REGION") or None, config=config)

    def entries(self) -> tuple[Entry, ...]:
        return tuple(sorted(self._entries(), key=lambda entry: entry.name))

    def _entries(self) -> Iterator[Entry]:
        with _saying(self.uri):
            for page in self.client.get_paginator("list_objects_v2").paginate(
                Bucket=self.bucket, Prefix=self.prefix
            ):
                for item in page.get("Contents", ()):
                    name = item["Key"].removeprefix(self.prefix)
                    if name and not name.endswith("/"):
                        yield Entry(name, item["Size"], item["ETag"].strip('"'))

    def read(self, name: str) -> bytes | None:
        from botocore.exceptions import ClientError

        with _saying(self.uri + name):
            try:
                answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + name)
            except ClientError as error:
                if error.response["Error"]["Code"] in {"NoSuchKey", "404"}:
                    return None
                raise
            content: bytes = answer["Body"].read()
            return content

    def fetch(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _saying(self.uri + name):
            self.client.download_file(self.bucket, self.prefix + name, str(target))

    def write(self, name: str, content: bytes | Path) -> None:
        with _saying(self.uri + name):
            if isinstance(content, Path):
                self.client.upload_file(str(content), self.bucket, self.prefix + name)
            else:
                self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=content)

    def create(self, name: str, content: bytes | Path) -> None:
        from botocore.exceptions import ClientError

        with contextlib.ExitStack() as files, _saying(self.uri + name):
            body = files.enter_context(content.open("rb")) if isinstance(content, Path) else content
            try:
                # S3 refuses what exists (S3 user guide, "How to prevent object overwrites with conditional
                # writes"): a bucket policy may ask every writer of versions for this header.
                self.client.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=body, IfNoneMatch="*")
            except ClientError as error:
                if error.response["Error"]["Code"] == "PreconditionFailed":
                    raise _taken(self.uri + name) from error
                raise


def _taken(what: str) -> Fault:
    return Fault(f"{what} exists already, and versions are written once", "start the run again")


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """Turn what boto3 raises into a fault that names the object."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError, Boto3Error) as error:
        raise Fault(
            f"S3 refuses {what}: {error}",
            "see that the bucket exists, that the role may use it, and that AWS_REGION is right",
        ) from error
