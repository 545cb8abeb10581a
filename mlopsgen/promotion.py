"""Which version of a model is served: `models/NAME/current.json`, only ever one that is good enough."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple


class NotPromoted(Exception):
    """The version must not be served; the text says why and what to do."""


class Gate(NamedTuple):
    """The bounds that a metric has to keep."""

    at_least: float | None = None
    at_most: float | None = None

    @classmethod
    def of(cls, document: Mapping[str, float]) -> Gate:
        """The gate that the variable `PROMOTION` describes: `{"atLeast": 0.88}`."""
        return cls(document.get("atLeast"), document.get("atMost"))

    @property
    def document(self) -> dict[str, float]:
        """How the variable `PROMOTION` describes it."""
        bounds = {"atLeast": self.at_least, "atMost": self.at_most}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    @property
    def text(self) -> str:
        """What it asks for, for people."""
        words = {"at least": self.at_least, "at most": self.at_most}
        return " and ".join(f"{word} {bound:g}" for word, bound in words.items() if bound is not None)

    def over(self, other: Gate) -> Gate:
        """These bounds, and those of `other` where this one has none."""
        return Gate(*(theirs if own is None else own for own, theirs in zip(self, other, strict=True)))

    def passes(self, value: float) -> bool:
        """Whether the value keeps the bounds; NaN keeps none."""
        high = self.at_least is None or value >= self.at_least
        low = self.at_most is None or value <= self.at_most
        return high and low


Gates = Mapping[str, Gate]
"""What a version has to reach, by metric."""


def laid_over(own: Gates, other: Gates) -> dict[str, Gate]:
    """The gates of both; where they differ about a bound, `own` goes before `other`."""
    names = sorted({*own, *other})
    return {name: own.get(name, Gate()).over(other.get(name, Gate())) for name in names}


class Version(NamedTuple):
    """A published version of a model, and what was measured of it."""

    name: str
    version: str
    metrics: Mapping[str, Any]
    manifest: Mapping[str, Any]
    sha256: str
    """The digest of the manifest's bytes."""


class Versions(NamedTuple):
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
        place = f"{version}/manifest.json"
        body = self._body(place)
        if body is None:
            raise NotPromoted(f"there is no version {version} below s3://{self.bucket}/{self.prefix}")
        manifest, sha256 = self._object(place, body), hashlib.sha256(body).hexdigest()
        return Version(
            str(manifest.get("name", "")), version, manifest.get("metrics") or {}, manifest, sha256
        )

    def current(self) -> str | None:
        """The version that is served now."""
        found = self._read("current.json")
        return None if found is None else str(found.get("version"))

    def promote(self, version: str, gates: Gates) -> Version:
        """Let `current.json` point to `version`, and hold it to the manifest that is read here.

        Raises `NotPromoted` if it misses a gate.
        """
        found = self.version(version)
        if missed := tuple(short(found.metrics, gates)):
            raise NotPromoted(f"version {version} is not good enough: {'; '.join(missed)}")
        self.s3.put_object(
            Bucket=self.bucket,
            Key=f"{self.prefix}current.json",
            Body=json.dumps({"version": version, "manifestSha256": found.sha256}).encode(),
            ContentType="application/json",
        )
        return found

    def _read(self, name: str) -> dict[str, Any] | None:
        body = self._body(name)
        return None if body is None else self._object(name, body)

    def _body(self, name: str) -> bytes | None:
        try:
            answer = self.s3.get_object(Bucket=self.bucket, Key=f"{self.prefix}{name}")
        except self.s3.exceptions.NoSuchKey:
            return None
        body: bytes = answer["Body"].read()
        return body

    def _object(self, name: str, body: bytes) -> dict[str, Any]:
        try:
            found = json.loads(body)
        except ValueError:
            found = None
        if not isinstance(found, dict):
            raise NotPromoted(f"s3://{self.bucket}/{self.prefix}{name} is not a JSON object")
        return found


def short(metrics: Mapping[str, Any], gates: Gates) -> Iterator[str]:
    """What misses its gate, one sentence each."""
    for name, gate in sorted(gates.items()):
        value = metrics.get(name)
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"`{name}` was not measured, and has to be {gate.text}"
        elif not gate.passes(value):
            yield f"`{name}` is {value:.4g}, and has to be {gate.text}"
