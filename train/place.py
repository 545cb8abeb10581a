"""Where the model is computed: the device, the precision, and the processes that share the work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

from train.errors import Fault
from train.settings import Hyperparameters


@dataclass(frozen=True, slots=True)
class Place:
    """Where the model is computed: the device, the precision, and which of how many processes this is."""

    device: torch.device
    dtype: torch.dtype
    rank: int = 0
    world: int = 1

    def total(self, value: float) -> float:
        """The sum of all processes' values."""
        if self.world == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def agree(self, stopping: bool, due: bool) -> tuple[bool, bool]:
        """Whether any process was told to stop, and whether a checkpoint is due by any process's clock.

        A process that saved alone would wait for the others, and they for it in the middle of a step.
        """
        if self.world == 1:
            return stopping, due
        told = torch.tensor([stopping, due], dtype=torch.int32, device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        stopping, due = map(bool, told.tolist())
        return stopping, due


@contextlib.contextmanager
def shared(settings: Hyperparameters) -> Iterator[Place]:
    """The device that there is, with the other processes of the run met if it has any (RANK, WORLD_SIZE)."""
    cuda = torch.cuda.is_available()
    world = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = True
    if world > 1:
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(minutes=30))
    try:
        yield Place(device, _dtype(settings, device), rank, world)
    except torch.OutOfMemoryError as error:
        raise Fault(f"{device} has too little memory", "lower `batchSize` or `maxTokens`") from error
    finally:
        if world > 1:
            dist.destroy_process_group()


def single() -> Place:
    """The device of a process that works alone; full precision, as what is evaluated is what is exported."""
    return Place(torch.device("cuda" if torch.cuda.is_available() else "cpu"), torch.float32)


def _dtype(settings: Hyperparameters, device: torch.device) -> torch.dtype:
    if settings.precision == "auto":
        fast = torch.cuda.is_bf16_supported() if device.type == "cuda" else torch.cpu._is_amx_tile_supported()
        return torch.bfloat16 if fast else torch.float32
    return torch.bfloat16 if settings.precision == "bf16" else torch.float32
