"""Drift: how far the texts of now are from those on which the model was measured.

The manifest may hold a baseline: what share of the test texts got each label, and how their confidence, their
length and their unknown words were spread. The population stability index compares it with the last texts:
the sum, over the bins, of (now - then) * ln(now / then). By custom, 0.1 is worth a look, and 0.25 an alarm.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WINDOW = 2000
"""Texts that are compared."""

LEAST = 200
"""Texts without which nothing is said: chance alone makes an index of about one bin for so many texts."""

HISTOGRAMS = ("confidence", "tokens", "unknown")


@dataclass(frozen=True, slots=True)
class Histogram:
    """Bins: below the first bound, from each bound to below the next, and from the last on."""

    bounds: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """How the texts were spread on which the model was measured."""

    labels: Mapping[str, float]
    histograms: Mapping[str, Histogram]

    @classmethod
    def read(cls, document: object, labels: Sequence[str]) -> Baseline:
        """What a manifest's `baseline` says. Raises `ValueError`."""
        if not isinstance(document, dict):
            raise ValueError("`baseline` is no object")
        shares = document.get("labels")
        if not isinstance(shares, dict) or set(shares) != set(labels):
            raise ValueError("`baseline.labels` has to name the model's labels")
        found = {key: _histogram(document[key], key) for key in HISTOGRAMS if key in document}
        return cls({key: _share(each, "labels") for key, each in shares.items()}, found)


def _histogram(document: object, key: str) -> Histogram:
    bounds = document.get("bounds") if isinstance(document, dict) else None
    shares = document.get("shares") if isinstance(document, dict) else None
    if not isinstance(bounds, list) or not isinstance(shares, list) or len(shares) != len(bounds) + 1:
        raise ValueError(f"`baseline.{key}` needs `bounds`, and one more `shares`")
    found = tuple(_number(each, key) for each in bounds)
    if not found or list(found) != sorted(set(found)):
        raise ValueError(f"`baseline.{key}.bounds` do not rise")
    return Histogram(found, tuple(_share(each, key) for each in shares))


def _number(value: object, key: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not math.isfinite(value):
        raise ValueError(f"`baseline.{key}` holds {value!r}, which is no number")
    return float(value)


def _share(value: object, key: str) -> float:
    number = _number(value, key)
    if not 0 <= number <= 1:
        raise ValueError(f"`baseline.{key}` holds {value!r}, which is no share")
    return number


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of one text, beside its words."""

    labels: Sequence[str]
    confidence: float
    tokens: int
    unknown: float


class Drift:
    """The last texts against a baseline."""

    def __init__(self, baseline: Baseline) -> None:
        self._baseline = baseline
        self._bins: deque[tuple[tuple[str, object], ...]] = deque()
        self._counts: Counter[tuple[str, object]] = Counter()

    def add(self, seen: Seen) -> None:
        """A text was answered."""
        values = {"confidence": seen.confidence, "tokens": seen.tokens, "unknown": seen.unknown}
        bins: list[tuple[str, object]] = [("labels", label) for label in seen.labels]
        for key, histogram in self._baseline.histograms.items():
            bins.append((key, bisect_right(histogram.bounds, values[key])))
        self._bins.append(tuple(bins))
        self._counts.update(bins)
        if len(self._bins) > WINDOW:
            self._counts.subtract(self._bins.popleft())

    def indices(self) -> dict[str, float]:
        """The index of each measure; none before there are `LEAST` texts."""
        texts = len(self._bins)
        if texts < LEAST:
            return {}
        count = self._counts
        # A label is there or not: of labels that do not exclude each other, each is a measure of its own.
        pairs = ((count["labels", label] / texts, share) for label, share in self._baseline.labels.items())
        bins = [each for now, then in pairs for each in ((now, then), (1 - now, 1 - then))]
        exclusive = math.isclose(sum(self._baseline.labels.values()), 1, abs_tol=0.01)
        found = {"labels": _index(bins[::2] if exclusive else bins, texts)}
        for key, histogram in self._baseline.histograms.items():
            now = (count[key, number] / texts for number in range(len(histogram.shares)))
            found[key] = _index(list(zip(now, histogram.shares, strict=True)), texts)
        return found


def _index(bins: Sequence[tuple[float, float]], texts: int) -> float:
    # An empty bin counts as half a text: the index would be without bounds.
    least = 0.5 / texts
    return sum(
        (max(now, least) - max(then, least)) * math.log(max(now, least) / max(then, least))
        for now, then in bins
    )
