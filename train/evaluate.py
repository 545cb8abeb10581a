"""How good a model is on reviews that it has not seen."""

from __future__ import annotations

from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from train import log
from train.tokens import Encoded, Logits, Predict

BINS = 10


def predict(function: Predict, reviews: Encoded, title: str, tokens: int = 16384) -> Logits:
    """Logits of every review, float32, in the reviews' order.

    Batches hold reviews of like length and at most `tokens` tokens with padding.
    """
    order = np.argsort(reviews.lengths, kind="stable")
    batches: list[NDArray[np.int64]] = []
    start = 0
    while start < len(order):
        width = 1
        stop = start
        while stop < len(order) and stop - start < 256:
            width = max(width, int(reviews.lengths[order[stop]]))
            if stop > start and width * (stop - start + 1) > tokens:
                break
            stop += 1
        batches.append(order[start:stop])
        start = stop
    logits: Logits | None = None
    for rows in log.progress(batches, title, len(batches)):
        answer = np.asarray(function(*reviews.padded(rows)), np.float32)
        if logits is None:
            logits = np.zeros((len(reviews), answer.shape[1]), np.float32)
        logits[rows] = answer
    assert logits is not None
    return logits


Bin = TypedDict("Bin", {"from": float, "to": float, "reviews": int, "confidence": float, "accuracy": float})
"""The answers whose confidence lies in a range: what they claim, and how often they are right."""
Slice = TypedDict("Slice", {"from": int, "to": int, "reviews": int, "accuracy": float})
"""The accuracy on reviews of so many tokens."""


class Scores(TypedDict):
    """What was measured on the test reviews, as `metrics.json` has it."""

    accuracy: float
    f1: float
    rocAuc: float
    loss: float
    calibrationError: float
    confusion: list[list[int]]
    calibration: list[Bin]
    slices: list[Slice]


class Evaluation(Scores):
    """The scores, and what each epoch of the training measured before."""

    history: list[dict[str, float | None]]


def measure(logits: Logits, reviews: Encoded) -> Scores:
    """Accuracy, F1 and ROC AUC, what is confused with what, calibration, and accuracy by length."""
    from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

    scores = logits[:, 1] - logits[:, 0]
    probabilities = 1 / (1 + np.exp(-scores.astype(np.float64)))
    labels, guesses = reviews.labels, (scores > 0).astype(np.int64)
    right = labels == guesses
    calibration = _calibration(probabilities, labels)
    error = sum(each["reviews"] * abs(each["accuracy"] - each["confidence"]) for each in calibration)
    return {
        "accuracy": float(right.mean()),
        "f1": float(f1_score(labels, guesses)),
        "rocAuc": float(roc_auc_score(labels, scores)),
        "loss": float(np.logaddexp(0, np.where(labels == 1, -scores, scores).astype(np.float64)).mean()),
        "calibrationError": float(error / len(labels)),
        "confusion": confusion_matrix(labels, guesses, labels=[0, 1]).tolist(),
        "calibration": calibration,
        "slices": _slices(reviews.lengths, right),
    }


def _calibration(probabilities: NDArray[np.float64], labels: NDArray[np.int64]) -> list[Bin]:
    """By confidence from 0.5 to 1: how often an answer of that confidence is right."""
    confidence = np.maximum(probabilities, 1 - probabilities)
    right = (probabilities > 0.5) == (labels == 1)
    edges = np.linspace(0.5, 1.0, BINS + 1)
    place = np.clip(np.digitize(confidence, edges) - 1, 0, BINS - 1)
    return [
        {
            "from": float(edges[index]),
            "to": float(edges[index + 1]),
            "reviews": int(chosen.sum()),
            "confidence": float(confidence[chosen].mean()),
            "accuracy": float(right[chosen].mean()),
        }
        for index in range(BINS)
        if (chosen := place == index).any()
    ]


def _slices(lengths: NDArray[np.int64], right: NDArray[np.bool_]) -> list[Slice]:
    """Accuracy in five parts of equal size, from the shortest reviews to the longest."""
    order = np.argsort(lengths, kind="stable")
    return [
        {
            "from": int(lengths[part].min()),
            "to": int(lengths[part].max()),
            "reviews": len(part),
            "accuracy": float(right[part].mean()),
        }
        for part in np.array_split(order, 5)
        if len(part)
    ]
