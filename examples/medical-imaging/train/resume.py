"""The state of a torch run in one safetensors file, which can hold no code.

Both torch trainers of the examples hold an equal copy of this file.
"""

from __future__ import annotations

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from .contract import Checkpoint

MOMENTS = ("step", "exp_avg", "exp_avg_sq")
"""What AdamW remembers of each parameter."""


def keep(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.AdamW, step: int) -> None:
    """Store the run as it is before `step`."""
    tensors = {f"model.{name}": tensor.contiguous() for name, tensor in model.state_dict().items()}
    for number, moments in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{name}": moments[name] for name in MOMENTS}
    save_file({**tensors, "step": torch.tensor(step)}, checkpoint.path)
    checkpoint.keep()


def resume(checkpoint: Checkpoint, model: nn.Module, optimizer: torch.optim.AdamW) -> int:
    """Restore the run; the result is the step to go on with, 0 at the first start."""
    path = checkpoint.fetch()
    if not path:
        return 0
    tensors = load_file(path)
    model.load_state_dict({name: tensors[f"model.{name}"] for name in model.state_dict()})
    state = optimizer.state_dict()
    numbers = [number for group in state["param_groups"] for number in group["params"]]
    state["state"] = {
        number: {name: tensors[f"optimizer.{number}.{name}"] for name in MOMENTS}
        for number in numbers
        if f"optimizer.{number}.step" in tensors
    }
    optimizer.load_state_dict(state)
    return int(tensors["step"])
