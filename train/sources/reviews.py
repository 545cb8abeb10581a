"""Reviews as values, and the cleaning that all sources share."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from train import log
from train.errors import Fault

LABELS = ("negative", "positive")


@dataclass(frozen=True, slots=True)
class Review:
    """One review: label 0 is negative, 1 positive; the split is `train`, `test` or, if not known, empty."""

    text: str
    label: int
    split: str = ""


@dataclass(frozen=True, slots=True)
class Reviews:
    """What a model is trained on and tested on. No text is in both."""

    train: tuple[Review, ...]
    test: tuple[Review, ...]

    @property
    def digest(self) -> str:
        """SHA-256 of every text, label and split, in order."""
        total = hashlib.sha256()
        for name, part in (("train", self.train), ("test", self.test)):
            for review in part:
                total.update(f"{name} {review.label} {len(review.text)} {review.text}\n".encode())
        return f"sha256:{total.hexdigest()}"


def settle(rows: Iterable[Review], source: str) -> Reviews:
    """Clean the rows and split them: drop empty texts and repeated ones, and from train what test has too.

    Without a test split, a tenth is kept for it, chosen by the text's digest, so that the same review is
    always on the same side.
    """
    seen: set[str] = set()
    parts: dict[str, list[Review]] = {"train": [], "test": [], "": []}
    empty = repeated = 0
    for row in sorted(rows, key=lambda row: row.split != "test"):
        text = row.text.replace("\x00", "").strip()
        if not text:
            empty += 1
        elif text in seen and row.split != "test":
            repeated += 1
        else:
            seen.add(text)
            parts[row.split].append(Review(text, row.label, row.split))
    train, test = parts["train"] + parts[""], parts["test"]
    if not test:
        test = [review for review in train if _share(review.text) < 0.1]
        train = [review for review in train if _share(review.text) >= 0.1]
    if empty or repeated:
        log.say("cleaned", empty=empty, repeated=repeated)
    for name, part in (("train", train), ("test", test)):
        for value, label in enumerate(LABELS):
            if not any(review.label == value for review in part):
                raise Fault(
                    f"{source} has no {label} review to {name} on: {len(train)} train, {len(test)} test",
                    "give more reviews, of both kinds and in both splits",
                )
    return Reviews(tuple(train), tuple(test))


def _share(text: str) -> float:
    """A number in [0, 1) that depends on the text alone."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6]) / 2**48
