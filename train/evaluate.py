"""How good a model is on reviews that it has not seen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from train import log
from train.tokens import Encoded

Predict = Callable[[np.ndarray, np.ndarray], np.ndarray]
BINS = 10


def predict(function: Predict, reviews: Encoded, title: str, tokens: int = 16384) -> np.ndarray:
    """Logits of every review, float32, in the reviews' order.

    Batches hold reviews of like length and at most `tokens` tokens with padding.
    """
    order = np.argsort(reviews.lengths, kind="stable")
    batches: list[np.ndarray] = []
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
    logits: np.ndarray | None = None
    for rows in log.progress(batches, title, len(batches)):
        answer = np.asarray(function(*reviews.padded(rows)), np.float32)
        if logits is None:
            logits = np.zeros((len(reviews), answer.shape[1]), np.float32)
        logits[rows] = answer
    assert logits is not None
    return logits


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What was measured on the test reviews."""

    labels: np.ndarray
    probabilities: np.ndarray
    lengths: np.ndarray
    metrics: dict[str, Any]


def evaluate(logits: np.ndarray, reviews: Encoded) -> Evaluation:
    """Accuracy, F1 and ROC AUC, what is confused with what, calibration, and accuracy by length."""
    from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

    scores = logits[:, 1] - logits[:, 0]
    probabilities = 1 / (1 + np.exp(-scores.astype(np.float64)))
    labels, guesses = reviews.labels, (scores > 0).astype(np.int64)
    right = labels == guesses
    calibration = _calibration(probabilities, labels)
    error = sum(each["reviews"] * abs(each["accuracy"] - each["confidence"]) for each in calibration)
    metrics = {
        "accuracy": float(right.mean()),
        "f1": float(f1_score(labels, guesses)),
        "rocAuc": float(roc_auc_score(labels, scores)),
        "loss": float(np.logaddexp(0, np.where(labels == 1, -scores, scores).astype(np.float64)).mean()),
        "calibrationError": float(error / len(labels)),
        "confusion": confusion_matrix(labels, guesses, labels=[0, 1]).tolist(),
        "calibration": calibration,
        "slices": _slices(reviews.lengths, right),
    }
    return Evaluation(labels, probabilities, reviews.lengths, metrics)


def _calibration(probabilities: np.ndarray, labels: np.ndarray) -> list[dict[str, Any]]:
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


def _slices(lengths: np.ndarray, right: np.ndarray) -> list[dict[str, Any]]:
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
