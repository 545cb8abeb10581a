"""Train on every CSV below RAW_URI, and publish a version below MODEL_URI.

Each file has a header; the column `label` is what to predict, every other column is a number.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from model import store
from model.linear import Linear


class Unfit(Exception):
    """The data or the settings cannot be trained with; the message says why."""


@dataclass(frozen=True, slots=True)
class Example:
    """One row."""

    numbers: Mapping[str, float]
    label: str


def main() -> int:
    """Exit code 0 if a version was published."""
    settings = {"epochs": 500, "learningRate": 0.5, "l2": 0.001} | _json("PARAMETERS")
    promotion = {"policy": "manual", "metrics": {}} | _json("PROMOTION")
    source, target = os.environ["RAW_URI"], os.environ["MODEL_URI"]
    try:
        examples, digest = read_examples(source)
        # A fifth of the rows is for measuring, chosen by content: the same rows whatever their order.
        tests = [each for each in examples if _held_out(each)]
        trains = [each for each in examples if not _held_out(each)]
        model = fit(trains, settings)
        metrics = {"accuracy": accuracy(model, tests)}
    except (Unfit, store.Unusable) as error:
        print(json.dumps({"event": "failed", "reason": str(error)}), file=sys.stderr)
        return 1
    facts = {
        "name": os.environ.get("MODEL_NAME", "classifier"),
        "architecture": "linear",
        "labels": list(model.labels),
        "inputs": list(model.features),
        "runtime": {"json": store.MODEL},
        "metrics": metrics,
        "data": {"digest": f"sha256:{digest}", "train": len(trains), "test": len(tests)},
        "hyperparameters": settings,
    }
    version = store.publish(target, model.to_json(), facts)
    gates: Mapping[str, Mapping[str, float]] = promotion["metrics"]
    missed = sorted(name for name, gate in gates.items() if not passes(gate, metrics.get(name, math.nan)))
    promoted = promotion["policy"] == "automatic" and not missed
    if promoted:
        store.promote(target, version)
    said = {"event": "published", "version": version, "promoted": promoted, "missed": missed, **metrics}
    print(json.dumps(said))
    return 0


def passes(gate: Mapping[str, float], value: float) -> bool:
    """Whether a metric keeps its bounds. NaN, which stands for "not measured", and unknown bounds do not."""
    known = gate.keys() <= {"atLeast", "atMost"}
    return known and gate.get("atLeast", -math.inf) <= value <= gate.get("atMost", math.inf)


def read_examples(uri: str) -> tuple[list[Example], str]:
    """All rows, and the digest of the files that they come from. Raises `Unfit`."""
    examples: list[Example] = []
    digest = hashlib.sha256()
    for name in store.names(uri):
        if name.endswith(".csv"):
            data = store.read(uri, name)
            digest.update(data)
            examples += _parse(data.decode("utf-8-sig"), uri + name)
    if len({tuple(each.numbers) for each in examples}) != 1:
        raise Unfit(f"{uri} has to hold CSV files, all of them with the same columns")
    return examples, digest.hexdigest()


def _parse(text: str, file: str) -> Iterator[Example]:
    reader = csv.DictReader(io.StringIO(text))
    for row in reader:
        try:
            label = row.pop("label")
            numbers = {name: float(value) for name, value in sorted(row.items())}
        except (KeyError, TypeError, ValueError) as error:
            raise Unfit(f"{file}:{reader.line_num}: not a row of numbers and a label ({error!r})") from None
        if not label or not all(map(math.isfinite, numbers.values())):
            raise Unfit(f"{file}:{reader.line_num}: a value is missing or infinite")
        yield Example(numbers, label)


def fit(examples: Sequence[Example], settings: Mapping[str, float]) -> Linear:
    """Softmax regression by gradient descent over all rows at once. Raises `Unfit`."""
    labels = sorted({each.label for each in examples})
    if len(labels) < 2:
        raise Unfit("the column `label` needs at least two different values to learn from")
    features = list(examples[0].numbers)
    values = np.array([list(each.numbers.values()) for each in examples])
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1.0
    inputs = (values - mean) / scale
    targets = np.eye(len(labels))[[labels.index(each.label) for each in examples]]
    weights, bias = np.zeros((len(labels), len(features))), np.zeros(len(labels))
    for _ in range(int(settings["epochs"])):
        scores = inputs @ weights.T + bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        errors = (powers / powers.sum(axis=1, keepdims=True) - targets) / len(examples)
        weights -= settings["learningRate"] * (errors.T @ inputs + settings["l2"] * weights)
        bias -= settings["learningRate"] * errors.sum(axis=0)
    return Linear(features, labels, mean.tolist(), scale.tolist(), weights.tolist(), bias.tolist())


def accuracy(model: Linear, examples: Sequence[Example]) -> float:
    """The share of rows whose most probable label is theirs. Raises `Unfit`."""
    if not examples:
        raise Unfit("there are too few rows to measure with: none was held out")
    right = 0
    for each in examples:
        chances = model.predict(each.numbers)
        right += max(chances, key=lambda label: chances[label]) == each.label
    return right / len(examples)


def _held_out(example: Example) -> bool:
    return zlib.crc32(json.dumps(asdict(example), sort_keys=True).encode()) % 5 == 0


def _json(variable: str) -> dict[str, Any]:
    return dict(json.loads(os.environ.get(variable, "{}")))


if __name__ == "__main__":
    sys.exit(main())
