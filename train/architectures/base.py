"""What an architecture has to do, and what a fitted model is."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from train.settings import Hyperparameters
from train.tokens import Encoded, Predict

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from train.checkpoint import Checkpoints

INPUTS = ("input_ids", "attention_mask")


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one pass over the training reviews measured. Losses are mean cross entropy, times are seconds."""

    number: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float
    seconds: float
    tokens_per_second: float

    @classmethod
    def of(cls, facts: Mapping[str, float | None]) -> Epoch:
        """An epoch as JSON has it, where null stands for what is not a number."""
        known = {name: math.nan if value is None else value for name, value in facts.items()}
        return cls(
            number=int(known["number"]),
            train_loss=known["train_loss"],
            validation_loss=known["validation_loss"],
            validation_accuracy=known["validation_accuracy"],
            seconds=known["seconds"],
            tokens_per_second=known["tokens_per_second"],
        )


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model: named tensors, and what is needed beside them to build it again."""

    tensors: Mapping[str, np.ndarray]
    config: Mapping[str, object]
    history: tuple[Epoch, ...] = ()

    def size(self, name: str) -> int:
        """A whole number of the configuration."""
        value = self.config[name]
        if not isinstance(value, int):
            raise TypeError(f"`{name}` of the model's configuration is no whole number")
        return value


class Context(Protocol):
    """The checkpoints that fitting uses, and the callback that it calls."""

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the run's checkpoint is kept."""

    def epoch_done(self, epoch: Epoch) -> None:
        """Report the metrics of an epoch that has ended."""


class Architecture(Protocol):
    """One kind of model. All read `INPUTS` and give logits, so that nobody else knows how it works."""

    def tokenizer(self, texts: Sequence[str], settings: Hyperparameters) -> Tokenizer:
        """The tokenizer, made from the training texts or taken from a pretrained model."""

    def fit(
        self,
        train: Encoded,
        validation: Encoded,
        tokenizer: Tokenizer,
        settings: Hyperparameters,
        context: Context,
    ) -> Fitted:
        """Train a model. Raises `Stopped` when it was told to end and the checkpoint is saved."""

    def predictor(self, fitted: Fitted, settings: Hyperparameters) -> Predict:
        """The model as a function, in the framework that it was trained with."""

    def export(self, fitted: Fitted, target: Path) -> None:
        """Write the model as ONNX, fp32."""

    quantizable: bool
    """Whether an int8 model makes sense."""
