"""Which precision training takes on which hardware, and that fp16 trains with a scaled loss."""

from __future__ import annotations

from typing import cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from train import distributed, loop
from train.architectures.base import Context
from train.checkpoint import Checkpoint
from train.settings import hyperparameters
from train.tokens import Encoded

DATA = Encoded(np.array([2, 2, 3, 3] * 4, np.int32), np.arange(0, 18, 2), np.array([0, 1] * 4))


class Mean(nn.Module):
    """The mean of embeddings and a linear layer, of which CPUs know fp16 too."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.embedding = nn.Embedding(4, 8)
        self.classifier = nn.Linear(8, 2)

    def forward(self, ids: Tensor, mask: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.embedding(ids).mean(1)))


class Kept:
    """Checkpoints in memory."""

    run = "run"

    def __init__(self, last: Checkpoint | None = None) -> None:
        self.last = last
        self.all: list[Checkpoint] = []

    def load(self) -> Checkpoint | None:
        return self.last

    def save(self, checkpoint: Checkpoint) -> None:
        tensors = {name: value.copy() for name, value in checkpoint.tensors.items()}
        self.last = Checkpoint(tensors, checkpoint.facts)
        self.all.append(self.last)


def fit(kept: Kept, epochs: int) -> dict[str, np.ndarray]:
    context = type("Told", (), {"checkpoints": kept, "epoch_done": lambda self, epoch: None})()
    given = hyperparameters({"precision": "fp16", "epochs": epochs, "batchSize": 2, "patience": 0}, {})
    worker = distributed.Worker(torch.device("cpu"), torch.float16)
    tensors, _ = loop.train(Mean(), DATA, DATA, given, cast(Context, context), worker)
    return tensors


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((6, 1), torch.float32), ((7, 0), torch.float16), ((7, 5), torch.float16), ((8, 0), torch.bfloat16)],
)
def test_a_gpu_is_asked_for_what_it_computes(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    """A T4 (7.5) says that it supports bf16, and emulates it: it trains in fp16."""
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device=None: capability)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: True)
    assert distributed._dtype(hyperparameters({}, {}), torch.device("cuda", 0)) == expected


@pytest.mark.parametrize(
    ("able", "expected"),
    [({}, torch.float32), ({"avx512_bf16": True}, torch.bfloat16), ({"amx_bf16": True}, torch.bfloat16)],
)
def test_a_cpu_is_asked_for_what_it_computes(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], expected: torch.dtype
) -> None:
    """bf16 needs AVX512-BF16 or AMX."""
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    assert distributed._dtype(hyperparameters({}, {}), torch.device("cpu")) == expected


def test_the_scale_of_the_loss_outlives_an_interruption(monkeypatch: pytest.MonkeyPatch) -> None:
    """fp16 lowers a scale that overflows; a run taken up again goes on with it, to the same weights."""
    scaler = torch.amp.GradScaler
    monkeypatch.setattr(
        torch.amp, "GradScaler", lambda device, enabled: scaler(device, init_scale=2.0**20, enabled=enabled)
    )
    before, whole = Mean().state_dict(), Kept()
    straight = fit(whole, 6)
    assert cast(dict[str, float], whole.all[2].facts["scaler"])["scale"] < 2.0**20
    assert any(not np.array_equal(before[name].numpy(), value) for name, value in straight.items())
    again = fit(Kept(whole.all[2]), 6)
    assert all(np.array_equal(straight[name], value) for name, value in again.items())
