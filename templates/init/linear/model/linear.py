"""A softmax regression over columns of numbers. Put a model of your own in its place."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

FILE = "model.json"


@dataclass(frozen=True, slots=True)
class Linear:
    """Scores each label by a weighted sum of the standardised features."""

    features: Sequence[str]
    labels: Sequence[str]
    mean: Sequence[float]
    scale: Sequence[float]
    weights: Sequence[Sequence[float]]
    """One row per label, one column per feature."""

    bias: Sequence[float]

    def predict(self, row: Mapping[str, float]) -> dict[str, float]:
        """The probability of each label. Raises ValueError if the row lacks a feature or has another."""
        if wrong := sorted(set(row) ^ set(self.features)):
            raise ValueError(
                f"expected the features {', '.join(self.features)}; differs in {', '.join(wrong)}"
            )
        if not all(map(math.isfinite, row.values())):
            raise ValueError("every feature has to be a finite number")
        columns = zip(self.features, self.mean, self.scale, strict=True)
        values = [(row[name] - mean) / scale for name, mean, scale in columns]
        scores = [
            bias + sum(weight * value for weight, value in zip(weights, values, strict=True))
            for weights, bias in zip(self.weights, self.bias, strict=True)
        ]
        powers = [math.exp(max(score - max(scores), -700.0)) for score in scores]
        return {label: power / sum(powers) for label, power in zip(self.labels, powers, strict=True)}

    def to_json(self) -> bytes:
        """The model as a file."""
        return (json.dumps(asdict(self), indent=1) + "\n").encode()

    @classmethod
    def from_json(cls, data: bytes) -> Linear:
        """The model from its file."""
        return cls(**json.loads(data))
