"""What every trainer image does alike: settings, checkpoints, publication, log lines, SIGTERM.

Each trainer of the examples holds an equal copy of this file, since an image holds one folder alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import re
import signal
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from boto3.exceptions import Boto3Error
from botocore.exceptions import BotoCoreError, ClientError

from .store import Location, digest, sha256

STOPPED = 143


class Failed(Exception):
    """What the person who runs the trainer can mend; the message says how."""


@dataclass(frozen=True, slots=True)
class Job:
    """What the environment says; docs/contracts.md, "An image that trains"."""

    model: str
    models: Location
    checkpoints: Location
    parameters: Mapping[str, Any]
    promotion: Mapping[str, Any]

    @classmethod
    def from_environment(cls) -> Job:
        """Raises `Failed` if a variable is missing or malformed."""
        models = location("MODEL_URI")
        checkpoints = Location(os.environ.get("CHECKPOINT_URI") or f"{models.uri}checkpoints/")
        return cls(_variable("MODEL_NAME"), models, checkpoints, _json("PARAMETERS"), _json("PROMOTION"))

    def settings(self, kind: type[Any]) -> Any:
        """The parameters as the dataclass `kind`, whose fields all have defaults. Raises `Failed`."""
        known = {re.sub("_(.)", lambda m: m[1].upper(), each.name): each for each in fields(kind)}
        values = {}
        for key, value in self.parameters.items():
            if key not in known:
                raise Failed(f"parameters.{key} is unknown; known are {', '.join(sorted(known))}")
            default = known[key].default
            given = tuple(value) if isinstance(value, list) else value
            if type(given) is int and isinstance(default, float):
                given = float(given)
            numbers = [n for n in (given if isinstance(given, tuple) else [given]) if type(n) is not str]
            if type(given) is not type(default) or not all(
                type(n) in (int, float) and n > 0 for n in numbers
            ):
                raise Failed(f"parameters.{key} is {value!r}; give a value such as {json.dumps(default)}")
            values[known[key].name] = given
        return kind(**values)


def location(variable: str) -> Location:
    """The place that an environment variable names. Raises `Failed` if it is not set."""
    return Location(_variable(variable))


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise Failed(f"{name} is not set; docs/contracts.md lists what a trainer is given")
    return value


def _json(name: str) -> dict[str, Any]:
    try:
        value = json.loads(os.environ.get(name) or "{}")
    except ValueError as error:
        raise Failed(f"{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Failed(f"{name} is not a JSON object")
    return value


class Checkpoint:
    """The one file that an interrupted run left, for the same program, data and settings (`of`) alone."""

    def __init__(self, job: Job, path: Path, *of: object) -> None:
        self.path = path
        self._name = hashlib.sha256(repr((code(), *of)).encode()).hexdigest()[:16] + path.suffix
        self._store = job.checkpoints

    def fetch(self) -> Path | None:
        """Where the file now is; None at the first start."""
        try:
            self._store.get(self._name, self.path)
        except FileNotFoundError:
            return None
        log("resuming", checkpoint=self._store.uri + self._name)
        return self.path

    def keep(self) -> None:
        """Store what was written to `path`, in place of what was there."""
        self._store.put(self._name, self.path)
        log("saved", checkpoint=self._store.uri + self._name)


def code() -> str:
    """The digest of this program's source."""
    return digest(sorted(Path(__file__).parent.glob("*.py")))


def publish(job: Job, folder: Path, facts: Mapping[str, Any]) -> str:
    """Store the files of `folder` as a new version, the manifest last, and promote it if the policy allows.

    `facts` is what the manifest says besides name, time and digests; `task` and `metrics` are among it.
    """
    metrics: dict[str, float] = facts["metrics"]
    (folder / "metrics.json").write_bytes(_bytes(metrics))
    paths = sorted(folder.iterdir())
    now = datetime.now(UTC)
    manifest = {
        "schema": "mlopsgen.io/model/v1",
        "name": job.model,
        "createdAt": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "code": {"version": "1", "digest": code()},
        **facts,
        "files": {path.name: {"sha256": sha256(path), "bytes": path.stat().st_size} for path in paths},
    }
    version = f"{now:%Y%m%dT%H%M%SZ}-{hashlib.sha256(_bytes(manifest)).hexdigest()[:8]}"
    for path in paths:
        job.models.put(f"{version}/{path.name}", path)
    published = _bytes({**manifest, "version": version})
    job.models.put(f"{version}/manifest.json", published)
    gates: dict[str, dict[str, float]] = job.promotion.get("metrics", {})
    missed = sorted(name for name, gate in gates.items() if not passes(gate, metrics.get(name, math.nan)))
    promoted = not missed and job.promotion.get("policy") == "automatic"
    if promoted:
        pointer = {"version": version, "manifestSha256": hashlib.sha256(published).hexdigest()}
        job.models.put("current.json", _bytes(pointer))
    log("published", version=version, uri=job.models.uri, missed=missed, promoted=promoted)
    _to_cloudwatch(job.model, metrics)
    return version


def passes(gate: Mapping[str, float], value: float) -> bool:
    """Whether a metric keeps its bounds. NaN, which stands for "not measured", and unknown bounds do not."""
    known = gate.keys() <= {"atLeast", "atMost"}
    return known and gate.get("atLeast", -math.inf) <= value <= gate.get("atMost", math.inf)


def _bytes(value: Mapping[str, Any]) -> bytes:
    return (json.dumps(value, indent=2, sort_keys=True) + "\n").encode()


def log(message: str, **values: Any) -> None:
    """One JSON object a line."""
    print(json.dumps({"time": datetime.now(UTC).isoformat(), "message": message, **values}), flush=True)


def _to_cloudwatch(model: str, metrics: Mapping[str, float]) -> None:
    """Print the metrics in embedded metric format, of which CloudWatch Logs makes metrics."""
    if space := os.environ.get("METRICS_NAMESPACE"):
        names = [{"Name": name} for name in metrics]
        rule = {"Namespace": space, "Dimensions": [["Model"]], "Metrics": names}
        head = {"Timestamp": int(datetime.now(UTC).timestamp() * 1000), "CloudWatchMetrics": [rule]}
        print(json.dumps({"_aws": head, "Model": model, **metrics}), flush=True)


def run(train: Callable[[Job, Path], None]) -> int:
    """Train in a temporary folder; the result is the exit status. SIGTERM raises SystemExit."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(STOPPED))
    try:
        with tempfile.TemporaryDirectory() as folder:
            train(Job.from_environment(), Path(folder))
    except (Failed, OSError, BotoCoreError, Boto3Error, ClientError) as error:
        log("failed", reason=str(error))
        return 1
    return 0
