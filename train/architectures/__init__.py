"""The architectures by name. Each is one file; presence in `NAMES` is registration."""

from __future__ import annotations

from importlib import import_module

from train.architectures.base import Architecture

NAMES = ("bow", "lstm", "transformer")


def load(name: str) -> Architecture:
    """The architecture of this name; what it needs is imported now, and what the others need is not."""
    architecture: Architecture = import_module(f"train.architectures.{name}").ARCHITECTURE
    return architecture
