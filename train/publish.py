"""A version in the model store, and whether it becomes the current one (docs/contracts.md)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import train
from train import log
from train.code import code_digest
from train.prepare import Prepared
from train.settings import Gate, Promotion, Settings
from train.sources.reviews import LABELS
from train.store import Store, open_store
from train.work import sha256

SCHEMA = "mlopsgen.io/model/v1"
TASK = "text-classification"
RUNTIMES = {"onnx": "model.onnx", "onnxInt8": "model.int8.onnx", "torch": "model.safetensors"}


def publish_version(
    settings: Settings, prepared: Prepared, metrics: Mapping[str, object], folder: Path, names: Sequence[str]
) -> str:
    """Write these files of `folder` as a new version, the manifest last; return the version's name."""
    numbers = {key: value for key, value in metrics.items() if isinstance(value, (int, float))}
    content = _content(settings, prepared, numbers, {name: folder / name for name in names})
    content["baseline"] = metrics["baseline"]
    now = datetime.now(UTC).replace(microsecond=0)
    version = f"{now:%Y%m%dT%H%M%SZ}-{hashlib.sha256(_json(content)).hexdigest()[:8]}"
    stamp = {"version": version, "createdAt": f"{now:%Y-%m-%dT%H:%M:%SZ}"}
    store = open_store(settings.model_uri)
    for name in log.progress(names, "publish", len(names)):
        store.create(f"{version}/{name}", folder / name)
    manifest = _json({"schema": SCHEMA, "name": settings.name, **stamp, **content})
    store.create(f"{version}/manifest.json", manifest)
    log.say("published", version=version, uri=f"{settings.model_uri}{version}/")
    if _may_be_promoted(settings.promotion, version, numbers, prepared.source, store):
        digest = hashlib.sha256(manifest).hexdigest()
        store.write("current.json", _json({"version": version, "manifestSha256": digest}))
        log.say("promoted", version=version)
    return version


def _content(
    settings: Settings, prepared: Prepared, metrics: Mapping[str, float], files: Mapping[str, Path]
) -> dict[str, object]:
    """The manifest but for what says when it was published."""
    hyperparameters = settings.hyperparameters
    return {
        "schema": SCHEMA,
        "name": settings.name,
        "task": TASK,
        "architecture": hyperparameters.architecture,
        "labels": list(LABELS),
        "activation": "softmax",
        "maxTokens": hyperparameters.max_tokens,
        "tokenizer": "tokenizer.json",
        "runtime": {key: name for key, name in RUNTIMES.items() if name in files},
        "inputs": ["input_ids", "attention_mask"],
        "metrics": metrics,
        "data": {
            "digest": prepared.digest,
            "source": prepared.source,
            "train": len(prepared.train),
            "test": len(prepared.test),
        },
        "code": {"version": train.__version__, "digest": f"sha256:{code_digest()}"},
        "hyperparameters": hyperparameters.to_json(),
        "files": {name: _facts(path) for name, path in files.items()},
    }


def _facts(path: Path) -> dict[str, str | int]:
    return {"sha256": sha256(path), "bytes": path.stat().st_size}


def shortfalls(promotion: Promotion, metrics: Mapping[str, float]) -> tuple[str, ...]:
    """Each gate that `metrics` does not pass, in words."""
    gates = sorted(promotion.metrics.items())
    return tuple(missed for name, gate in gates for missed in _shortfalls(name, gate, metrics.get(name)))


def _shortfalls(name: str, gate: Gate, value: float | None) -> Iterator[str]:
    if value is None:
        yield f"{name} was not measured"
        return
    if gate.at_least is not None and not value >= gate.at_least:
        yield f"{name} {value:.4f} is below {gate.at_least:g}"
    if gate.at_most is not None and not value <= gate.at_most:
        yield f"{name} {value:.4f} is above {gate.at_most:g}"


def _may_be_promoted(
    promotion: Promotion, version: str, metrics: Mapping[str, float], source: str, store: Store
) -> bool:
    """Whether the version becomes the current one; if not, the log says why."""
    if missed := shortfalls(promotion, metrics):
        log.warn("not promoted", version=version, because="; ".join(missed))
    elif promotion.policy == "manual":
        log.say("not promoted", version=version, because="promotion is manual; every gate is passed")
    elif source == "synthetic" and (reason := _kept(store)):
        log.warn("not promoted", version=version, because=reason)
    else:
        return True
    return False


def _kept(store: Store) -> str | None:
    """Why a model of generated reviews does not take the current one's place; None if it does."""
    try:
        current = store.read("current.json")
        if current is None:
            return None
        version = json.loads(current)["version"]
        source = json.loads(store.read(f"{version}/manifest.json") or b"null")["data"]["source"]
    except (ValueError, KeyError, TypeError, OSError):
        return "current.json, or the manifest that it names, cannot be read"
    return None if source == "synthetic" else "a model of real reviews is current"


def _json(value: Mapping[str, object]) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
