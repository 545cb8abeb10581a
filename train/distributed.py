"""Distributed training: the device and precision of this process, and the process group that it is in."""

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

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True, slots=True)
class Worker:
    """One training process: its device, its precision, and its rank in the process group."""

    device: torch.device
    dtype: torch.dtype
    rank: int = 0
    world_size: int = 1

    def autocast(self) -> torch.autocast:
        """A context in which matrices are multiplied in this worker's precision."""
        enabled = self.dtype != torch.float32
        return torch.autocast(self.device.type, self.dtype if enabled else torch.bfloat16, enabled=enabled)

    def total(self, value: float) -> float:
        """The sum of all workers' values."""
        if self.world_size == 1:
            return value
        total = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(total)
        return float(total)

    def agree(self, stopping: bool, due: bool) -> tuple[bool, bool]:
        """Whether any worker was told to stop, and whether a checkpoint is due by any worker's clock.

        A worker that saved alone would wait for the others, and they for it in the middle of a step.
        """
        if self.world_size == 1:
            return stopping, due
        told = torch.tensor([stopping, due], dtype=torch.int32, device=self.device)
        dist.all_reduce(told, dist.ReduceOp.MAX)
        stopping, due = map(bool, told.tolist())
        return stopping, due


@contextlib.contextmanager
def join(settings: Hyperparameters) -> Iterator[Worker]:
    """This process as a worker of its run, in a process group if there are others (RANK, WORLD_SIZE)."""
    cuda = torch.cuda.is_available()
    world_size = int(os.environ.get("WORLD_SIZE", "1"))
    rank, local = int(os.environ.get("RANK", "0")), int(os.environ.get("LOCAL_RANK", "0"))
    device = torch.device("cuda", local) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
        torch.backends.cuda.matmul.allow_tf32 = True
    if world_size > 1:
        dist.init_process_group("nccl" if cuda else "gloo", timeout=timedelta(minutes=30))
    try:
        yield Worker(device, _dtype(settings, device), rank, world_size)
    except torch.OutOfMemoryError as error:
        raise Fault(f"{device} has too little memory", "lower `batchSize` or `maxTokens`") from error
    finally:
        if world_size > 1:
            dist.destroy_process_group()


def alone() -> Worker:
    """A worker without others, in full precision, since what is evaluated is what is exported."""
    return Worker(torch.device("cuda" if torch.cuda.is_available() else "cpu"), torch.float32)


def _dtype(settings: Hyperparameters, device: torch.device) -> torch.dtype:
    if settings.precision != "auto":
        return PRECISIONS[settings.precision]
    if device.type == "cuda":
        # Below 8.0 (a T4 has 7.5) bf16 is emulated; from 7.0 on there are tensor cores for fp16
        # (CUDA C++ programming guide, "Compute Capabilities"; torch.cuda.is_bf16_supported counts emulation).
        major, _ = torch.cuda.get_device_capability(device)
        return torch.bfloat16 if major >= 8 else torch.float16 if major == 7 else torch.float32
    able = torch.cpu.get_capabilities()
    return torch.bfloat16 if able.get("amx_bf16") or able.get("avx512_bf16") else torch.float32
