"""Train a random forest on every CSV below RAW_URI, and publish it below MODEL_URI."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, f1_score

from model import estimator, job, table

DEFAULTS = {"trees": 100, "depth": 8}


def train(uri: str, parameters: Mapping[str, Any]) -> job.Trained:
    """Learn, and measure on the rows that were held out. Raises `Unfit`."""
    learned, measured, digest = table.read_examples(uri)
    # Put an estimator of your own in its place: any of scikit-learn's.
    model = RandomForestClassifier(
        n_estimators=parameters["trees"], max_depth=parameters["depth"], random_state=0
    )
    model.fit(inputs(learned), [each.label for each in learned])
    right, said = [each.label for each in measured], model.predict(inputs(measured))
    return job.Trained(
        files={estimator.FILE: estimator.to_bytes(model)},
        facts={
            "architecture": type(model).__name__,
            "inputs": list(learned[0].numbers),
            "labels": model.classes_.tolist(),
            "libraries": estimator.LIBRARIES,
            "data": {"digest": digest, "train": len(learned), "test": len(measured)},
        },
        metrics={
            "accuracy": float(accuracy_score(right, said)),
            "f1": float(f1_score(right, said, average="macro")),
        },
    )


def inputs(examples: Sequence[table.Example]) -> list[list[float]]:
    """The numbers, one row for each example."""
    return [list(each.numbers.values()) for each in examples]


if __name__ == "__main__":
    sys.exit(job.run(DEFAULTS, train))
