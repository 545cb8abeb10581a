"""What a trainer gets from its environment, and what it owes in the end (docs/contracts.md of mlopsgen)."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from model import store


class Unfit(Exception):
    """The data or the parameters cannot be trained with; the message says why."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model as it is published, and what is known of it."""

    files: Mapping[str, bytes]
    facts: Mapping[str, Any]
    metrics: Mapping[str, float]


def run(defaults: Mapping[str, Any], train: Callable[[str, Mapping[str, Any]], Trained]) -> int:
    """Train on what lies below RAW_URI and publish below MODEL_URI. The exit code: 0 if published."""
    try:
        parameters = {**defaults, **(given := _json("PARAMETERS"))}
        if unknown := sorted(given.keys() - defaults.keys()):
            raise Unfit(f"unknown parameters: {', '.join(unknown)}; known are {', '.join(sorted(defaults))}")
        trained = train(os.environ["RAW_URI"], parameters)
        said = _publish(trained, parameters)
    except (Unfit, store.Unusable) as error:
        print(json.dumps({"event": "failed", "reason": str(error)}), file=sys.stderr)
        return 1
    print(json.dumps({"event": "published", **said}))
    return 0


def _publish(trained: Trained, parameters: Mapping[str, Any]) -> dict[str, Any]:
    target, metrics = os.environ["MODEL_URI"], trained.metrics
    known = {"name": os.environ.get("MODEL_NAME", "classifier"), "hyperparameters": parameters}
    version = store.publish(target, trained.files, {**known, **trained.facts, "metrics": metrics})
    promotion = {"policy": "manual", "metrics": {}, **_json("PROMOTION")}
    missed = sorted(
        name for name, gate in promotion["metrics"].items() if not passes(gate, metrics.get(name, math.nan))
    )
    promoted = promotion["policy"] == "automatic" and not missed
    if promoted:
        store.promote(target, version)
    return {"version": version, "promoted": promoted, "missed": missed, **metrics}


def passes(gate: Mapping[str, float], value: float) -> bool:
    """Whether a metric keeps its bounds. NaN, which stands for "not measured", and unknown bounds do not."""
    known = gate.keys() <= {"atLeast", "atMost"}
    return known and gate.get("atLeast", -math.inf) <= value <= gate.get("atMost", math.inf)


def _json(variable: str) -> dict[str, Any]:
    return dict(json.loads(os.environ.get(variable, "{}")))
