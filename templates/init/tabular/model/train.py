"""Train on every CSV below RAW_URI, and publish below MODEL_URI."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from model import estimator, job, table

DEFAULTS = {"degree": 2, "strength": 1.0}


def train(uri: str, parameters: Mapping[str, Any]) -> job.Trained:
    """Learn, and measure on the rows that were held out. Raises `Unfit`."""
    learned, measured, digest = table.read_examples(uri)
    # Put an estimator of your own in its place.
    model = make_pipeline(
        StandardScaler(),
        PolynomialFeatures(parameters["degree"]),
        LogisticRegression(C=parameters["strength"], max_iter=1000),
    )
    model.fit(inputs(learned), [each.label for each in learned])
    right, said = [each.label for each in measured], model.predict(inputs(measured))
    return job.Trained(
        files={estimator.FILE: estimator.to_bytes(model)},
        facts={
            "task": "tabular-classification",
            "architecture": "polynomial features, logistic regression",
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
