"""What an architecture has to do, and what a fitted model is."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from train.settings import Hyperparameters
from train.tokens import Encoded

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
    def of(cls, facts: Mapping[str, Any]) -> Epoch:
        """An epoch as JSON has it, where null stands for what is not a number."""
        return cls(**{name: math.nan if value is None else value for name, value in facts.items()})


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained model: named tensors, and what is needed beside them to build it again."""

    tensors: Mapping[str, np.ndarray]
    config: Mapping[str, Any]
    history: tuple[Epoch, ...] = ()


class Context(Protocol):
    """What fitting may use beside the data."""

    @property
    def checkpoints(self) -> Checkpoints:
        """Where the run's checkpoint is kept."""

    def epoch_done(self, epoch: Epoch) -> None:
        """Tell whoever watches."""


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

    def predictor(
        self, fitted: Fitted, settings: Hyperparameters
    ) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
        """A function from `input_ids` and `attention_mask` to logits, float32, in this framework."""

    def export(self, fitted: Fitted, target: Path) -> None:
        """Write the model as ONNX, fp32."""

    quantizable: bool
    """Whether an int8 model makes sense."""
