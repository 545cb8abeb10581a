"""Where data and models live: a folder on a laptop, a prefix of a bucket on AWS.

Each trainer of the examples holds an equal copy of this file, since an image holds one folder alone.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

S3 = Config(connect_timeout=5, read_timeout=60, retries={"mode": "standard", "max_attempts": 5})


class Location:
    """The files under one URI: `s3://bucket/prefix/`, `file:///folder/` or a plain path."""

    def __init__(self, uri: str) -> None:
        parts = urlsplit(uri)
        self.uri = uri.rstrip("/") + "/"
        self.bucket = parts.netloc if parts.scheme == "s3" else ""
        self.prefix = parts.path.strip("/") + "/"
        self.folder = Path(unquote(parts.path) if parts.scheme == "file" else uri)
        if self.bucket:
            self.s3 = boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=S3)

    def names(self, *endings: str) -> list[str]:
        """The files with one of these endings, in the order of their names."""
        if self.bucket:
            pages = self.s3.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=self.prefix)
            keys = [item["Key"] for page in pages for item in page.get("Contents", ())]
            names = [key.removeprefix(self.prefix) for key in keys]
        else:
            found = (path for path in self.folder.rglob("*") if path.is_file())
            names = [path.relative_to(self.folder).as_posix() for path in found]
        # Whoever may upload data must not choose where on this machine it lands.
        return sorted(
            name for name in names if name.endswith(endings) and not {"", ".."} & {*name.split("/")}
        )

    def get(self, name: str, target: Path) -> Path:
        """Copy one file to `target`. Raises FileNotFoundError if there is none of this name."""
        target.parent.mkdir(parents=True, exist_ok=True)
        if not self.bucket:
            return Path(shutil.copyfile(self.folder / name, target))
        try:
            self.s3.download_file(self.bucket, self.prefix + name, str(target))
        except ClientError as error:
            if error.response["Error"]["Code"] in {"404", "NoSuchKey"}:
                raise FileNotFoundError(self.uri + name) from error
            raise
        return target

    def put(self, name: str, source: Path | bytes) -> None:
        """Write one file whole: a reader sees the old one or the new one."""
        if self.bucket and isinstance(source, Path):
            self.s3.upload_file(str(source), self.bucket, self.prefix + name)
        elif self.bucket:
            self.s3.put_object(Bucket=self.bucket, Key=self.prefix + name, Body=source)
        else:
            target = self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f".{target.name}.partial")
            if isinstance(source, bytes):
                partial.write_bytes(source)
            else:
                shutil.copyfile(source, partial)
            partial.replace(target)


def sha256(path: Path) -> str:
    """The digest of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(paths: Sequence[Path]) -> str:
    """One digest of several files' contents, whatever the files are called."""
    return f"sha256:{hashlib.sha256(''.join(map(sha256, paths)).encode()).hexdigest()}"
