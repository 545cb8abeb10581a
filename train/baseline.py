"""What the test reviews were like, so that a service can say whether later ones are (docs/contracts.md)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from train.tokens import Encoded, Logits

if TYPE_CHECKING:
    from tokenizers import Tokenizer

DECILES = np.arange(1, 10) / 10
UNKNOWN_BOUNDS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
"""Most reviews have hardly a word that is not known: parts of equal size would all be the same."""


def baseline(
    logits: Logits, reviews: Encoded, tokenizer: Tokenizer, labels: Sequence[str]
) -> dict[str, object]:
    """The share of each label, and how confidence, length and unknown words were spread."""
    chosen = np.bincount(logits.argmax(1), minlength=len(labels)) / len(reviews)
    powers = np.exp(logits.astype(np.float64) - logits.max(1, keepdims=True))
    return {
        "labels": {label: _short(share) for label, share in zip(labels, chosen, strict=True)},
        "confidence": _spread((powers / powers.sum(1, keepdims=True)).max(1)),
        "tokens": _spread(reviews.lengths),
        "unknown": _histogram(_unknown(reviews, tokenizer), UNKNOWN_BOUNDS),
    }


def _unknown(reviews: Encoded, tokenizer: Tokenizer) -> NDArray[np.float64]:
    """The share of each review's tokens that are not known; the tokenizer's own are not counted."""
    token = getattr(tokenizer.model, "unk_token", None)
    # A tokenizer of bytes knows all.
    unknown = tokenizer.token_to_id(token) if token else -1
    strange = np.concatenate([[0], np.cumsum(reviews.ids == unknown)])
    own = reviews.lengths - tokenizer.num_special_tokens_to_add(False)
    counts = strange[reviews.starts[1:]] - strange[reviews.starts[:-1]]
    return np.where(own > 0, counts / np.maximum(own, 1), 1.0)


def _spread(values: NDArray[np.float64] | NDArray[np.int64]) -> dict[str, list[float]]:
    """Ten parts of equal size; fewer where many values are the same."""
    bounds = np.quantile(values, DECILES, method="higher")
    return _histogram(values, sorted({_short(each) for each in bounds}))


def _histogram(
    values: NDArray[np.float64] | NDArray[np.int64], bounds: Sequence[float]
) -> dict[str, list[float]]:
    counts = np.bincount(np.digitize(values, bounds), minlength=len(bounds) + 1)
    return {"bounds": list(bounds), "shares": [_short(each) for each in counts / len(values)]}


def _short(value: float) -> float:
    return round(float(value), 6)
