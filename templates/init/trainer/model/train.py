"""Train a softmax regression on every CSV below RAW_URI, and publish it below MODEL_URI."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from model import job, table
from model.linear import FILE, Linear

DEFAULTS = {"epochs": 500, "learningRate": 0.5, "l2": 0.001}


def train(uri: str, parameters: Mapping[str, Any]) -> job.Trained:
    """Learn, and measure on the rows that were held out. Raises `Unfit`."""
    learned, measured, digest = table.read_examples(uri)
    model = fit(learned, parameters)
    return job.Trained(
        files={FILE: model.to_json()},
        facts={
            "task": "tabular-classification",
            "architecture": "linear",
            "inputs": list(model.features),
            "labels": list(model.labels),
            "data": {"digest": digest, "train": len(learned), "test": len(measured)},
        },
        metrics={"accuracy": accuracy(model, measured)},
    )


def fit(examples: Sequence[table.Example], parameters: Mapping[str, float]) -> Linear:
    """Softmax regression by gradient descent over all rows at once."""
    labels = sorted({each.label for each in examples})
    features = list(examples[0].numbers)
    values = np.array([list(each.numbers.values()) for each in examples])
    mean, scale = values.mean(axis=0), values.std(axis=0)
    scale[scale == 0] = 1.0
    inputs = (values - mean) / scale
    targets = np.eye(len(labels))[[labels.index(each.label) for each in examples]]
    weights, bias = np.zeros((len(labels), len(features))), np.zeros(len(labels))
    for _ in range(int(parameters["epochs"])):
        scores = inputs @ weights.T + bias
        powers = np.exp(scores - scores.max(axis=1, keepdims=True))
        errors = (powers / powers.sum(axis=1, keepdims=True) - targets) / len(examples)
        weights -= parameters["learningRate"] * (errors.T @ inputs + parameters["l2"] * weights)
        bias -= parameters["learningRate"] * errors.sum(axis=0)
    return Linear(features, labels, mean.tolist(), scale.tolist(), weights.tolist(), bias.tolist())


def accuracy(model: Linear, examples: Sequence[table.Example]) -> float:
    """The share of rows whose most probable label is theirs."""
    right = 0
    for each in examples:
        chances = model.predict(each.numbers)
        right += max(chances, key=lambda label: chances[label]) == each.label
    return right / len(examples)


if __name__ == "__main__":
    sys.exit(job.run(DEFAULTS, train))
