"""Where models live: a folder, or a bucket. Both are only read."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

CHUNK = 1 << 20
SMALL = 1 << 20
"""Bytes that a JSON document of the store may have."""


class Unusable(Exception):
    """The store or a model in it cannot be used; the message says what, where and why."""


class Missing(Unusable):
    """A file that has to be there is not."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """What was read of a file."""

    sha256: str
    size: int


class Store(Protocol):
    """A tree of files below one location."""

    def read(self, path: str) -> bytes:
        """A small document. Raises `Missing` or `Unusable`."""

    def fetch(self, path: str, to: Path | None) -> Fetched:
        """Digest a file and keep it at `to`, if given. Raises `Missing` or `Unusable`."""


def open_store(uri: str) -> Store:
    """The store at `s3://BUCKET/PREFIX/`, `file:///FOLDER/` or a folder. Raises `Unusable`."""
    parts = urlsplit(uri)
    if parts.scheme == "s3" and parts.netloc:
        return Bucket(parts.netloc, parts.path.lstrip("/"))
    if parts.scheme == "file" and parts.netloc in ("", "localhost"):
        return Folder(Path(unquote(parts.path)))
    if not parts.scheme:
        return Folder(Path(uri))
    raise Unusable(f"{uri} is no location; give s3://BUCKET/PREFIX/, file:///FOLDER/ or a folder")


class Folder:
    """A store on disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def read(self, path: str) -> bytes:
        with _explained(self.root / path), (self.root / path).open("rb") as file:
            return _small(file.read(SMALL + 1), self.root / path)

    def fetch(self, path: str, to: Path | None) -> Fetched:
        with _explained(self.root / path), (self.root / path).open("rb") as file:
            return _copy(iter(lambda: file.read(CHUNK), b""), to)


class Bucket:
    """A store in S3, or in what speaks its protocol at AWS_ENDPOINT_URL."""

    def __init__(self, bucket: str, prefix: str) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self._client: Any = None

    @property
    def client(self) -> Any:
        """boto3's S3 client, which has no types. A process that serves from disk imports no boto3."""
        if self._client is None:
            import boto3
            from botocore.config import Config

            config = Config(
                connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3}
            )
            # ECS sets AWS_REGION, of which boto3 by itself knows only the older AWS_DEFAULT_REGION; without
            # a region it asks the global endpoint, which a network without NAT does not reach.
            region = os.environ.get("AWS_REGION") or None
            self._client = boto3.client("s3", region_name=region, config=config)
        return self._client

    def read(self, path: str) -> bytes:
        with self._explained(path):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + path)
            data: bytes = answer["Body"].read(SMALL + 1)
            return _small(data, self._uri(path))

    def fetch(self, path: str, to: Path | None) -> Fetched:
        with self._explained(path):
            answer = self.client.get_object(Bucket=self.bucket, Key=self.prefix + path)
            chunks: Iterator[bytes] = answer["Body"].iter_chunks(CHUNK)
            return _copy(chunks, to)

    def _uri(self, path: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{path}"

    @contextmanager
    def _explained(self, path: str) -> Iterator[None]:
        from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code in ("NoSuchKey", "NoSuchBucket", "404"):
                raise Missing(f"{self._uri(path)} does not exist ({code})") from error
            raise Unusable(f"{self._uri(path)} cannot be read: {code or error}") from error
        except (BotoCoreError, HTTPClientError, OSError) as error:
            raise Unusable(f"{self._uri(path)} cannot be read: {error}") from error


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Missing(f"{path} does not exist") from error
    except OSError as error:
        raise Unusable(f"{path} cannot be read: {os.strerror(error.errno or 0)}") from error


def _small(data: bytes, where: object) -> bytes:
    if len(data) > SMALL:
        raise Unusable(f"{where} is larger than {SMALL} bytes")
    return data


def _copy(chunks: Iterator[bytes], to: Path | None) -> Fetched:
    digest, size = hashlib.sha256(), 0
    target = to.open("wb") if to else None
    try:
        for chunk in chunks:
            digest.update(chunk)
            size += len(chunk)
            if target:
                target.write(chunk)
    finally:
        if target:
            target.close()
    return Fetched(digest.hexdigest(), size)
