"""Which version of a model is served: `models/NAME/current.json`, only ever one that is good enough."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple


class NotPromoted(Exception):
    """The version must not be served; the text says why and what to do."""


class Version(NamedTuple):
    """A published version of a model, and what was measured of it."""

    name: str
    version: str
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]


class Store(NamedTuple):
    """Where one model's versions live in S3: `s3://BUCKET/PREFIX` (docs/contracts.md)."""

    s3: Any
    """A boto3 client."""
    bucket: str
    prefix: str
    """Ends with `/`."""

    def versions(self) -> tuple[str, ...]:
        """Every version that has its manifest, oldest first: versions sort by time."""
        pages = self.s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"
        )
        folders = [
            each["Prefix"].removeprefix(self.prefix).rstrip("/")
            for page in pages
            for each in page.get("CommonPrefixes", ())
        ]
        return tuple(sorted(each for each in folders if self._read(f"{each}/manifest.json") is not None))

    def version(self, version: str) -> Version:
        """What is known of `version`. Raises `NotPromoted` if it does not exist."""
        manifest = self._read(f"{version}/manifest.json")
        if manifest is None:
            raise NotPromoted(f"there is no version {version} below s3://{self.bucket}/{self.prefix}")
        return Version(str(manifest.get("name", "")), version, manifest.get("metrics") or {}, manifest)

    def current(self) -> str | None:
        """The version that is served now."""
        found = self._read("current.json")
        return None if found is None else str(found.get("version"))

    def promote(self, version: str, minimum: Mapping[str, float]) -> Version:
        """Let `current.json` point to `version`. Raises `NotPromoted` if it misses a minimum."""
        found = self.version(version)
        if missed := tuple(short(found.metrics, minimum)):
            raise NotPromoted(f"version {version} is not good enough: {'; '.join(missed)}")
        self.s3.put_object(
            Bucket=self.bucket,
            Key=f"{self.prefix}current.json",
            Body=json.dumps({"version": version}).encode(),
            ContentType="application/json",
        )
        return found

    def _read(self, name: str) -> dict[str, Any] | None:
        try:
            body = self.s3.get_object(Bucket=self.bucket, Key=f"{self.prefix}{name}")["Body"].read()
        except self.s3.exceptions.NoSuchKey:
            return None
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NotPromoted(f"s3://{self.bucket}/{self.prefix}{name} is not a JSON object")
        return found


def short(metrics: Mapping[str, Any], minimum: Mapping[str, float]) -> Iterable[str]:
    """What misses its minimum, one sentence each."""
    for name, least in sorted(minimum.items()):
        value = metrics.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"`{name}` was not measured, and has to be at least {least}"
        elif not value >= least:
            yield f"`{name}` is {value:.4g}, and has to be at least {least}"
