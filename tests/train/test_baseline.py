"""What the test reviews were like, as the service will compare later ones with it."""

from __future__ import annotations

import numpy as np
from tokenizers import Tokenizer

from app.drift import Baseline, Drift, Seen
from train.baseline import baseline
from train.tokens import Encoded, encode, word_tokenizer

LABELS = ("negative", "positive")


def encoded(*texts: str) -> tuple[Encoded, Tokenizer]:
    """These texts, by a tokenizer that knows `good` and `bad`."""
    tokenizer = word_tokenizer(["good bad"] * 2, 10)
    return encode(tokenizer, texts, [0] * len(texts), "test"), tokenizer


def test_the_spread_of_the_test_reviews() -> None:
    """Labels by the model's answers; a review without a known word is all unknown."""
    reviews, tokenizer = encoded("good", "good bad", "good what is this", "")
    logits = np.array([[0, 2], [2, 0], [0, 0.5], [0, 2]], np.float32)
    found = baseline(logits, reviews, tokenizer, LABELS)
    assert found["labels"] == {"negative": 0.25, "positive": 0.75}
    assert found["tokens"] == {"bounds": [1.0, 2.0, 4.0], "shares": [0.0, 0.5, 0.25, 0.25]}
    assert found["unknown"] == {
        "bounds": [0.01, 0.02, 0.05, 0.1, 0.2, 0.5], "shares": [0.5, 0, 0, 0, 0, 0, 0.5],
    }  # fmt: skip


def test_the_same_reviews_have_not_drifted() -> None:
    """Both sides put a value that lies on a bound into the same bin."""
    random = np.random.default_rng(7)
    texts = [" ".join(random.choice(["good", "bad", "odd"], random.integers(1, 30))) for _ in range(300)]
    reviews, tokenizer = encoded(*texts)
    logits = random.normal(size=(300, 2)).astype(np.float32)
    then = baseline(logits, reviews, tokenizer, LABELS)
    drift = Drift(Baseline.read(then, LABELS))
    likely = np.exp(logits.astype(np.float64))
    likely /= likely.sum(1, keepdims=True)
    for row, each in enumerate(likely):
        ids = reviews.row(row)
        unknown = float((ids == tokenizer.token_to_id("[UNK]")).mean())
        drift.add(Seen([LABELS[int(each.argmax())]], round(float(each.max()), 6), len(ids), unknown))
    indices = drift.indices()
    assert max(indices.values()) < 0.03, indices
    assert (indices["labels"] < 1e-6, indices["confidence"] < 0.01) == (True, True)
