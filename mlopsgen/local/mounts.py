"""Volumes as folders of this machine, and the values of a task that name their paths."""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

from mlopsgen.local.blueprint import LocalMount, LocalTask

SHARED_MEMORY = "/dev/shm"
TMP = "/tmp"

Folders: TypeAlias = tuple[tuple[str, Path], ...]
"""What stands for each path of the container, the longest path first."""


def folders(task: LocalTask, volumes: Path, own: Path) -> Folders:
    """The folder of each volume, made where it is missing.

    What outlives tasks lies below `volumes`, the rest in the task's `own`. Shared memory is this machine's.
    """
    found = {
        each.path.rstrip("/"): folder(each, volumes, own)
        for each in task.mounts
        if each.path != SHARED_MEMORY
    }
    for each in found.values():
        each.mkdir(parents=True, exist_ok=True)
    return tuple(sorted(found.items(), key=lambda each: (-len(each[0]), each[0])))


def folder(mount: LocalMount, volumes: Path, own: Path) -> Path:
    """What stands for a mount."""
    if mount.outlives:
        return volumes / mount.volume
    if mount.path == TMP:
        return own
    return own / "volumes" / mount.volume.strip("/").replace("/", "-")


def relocated(value: str, found: Folders) -> str:
    """The value, with its folder in place of the path of a volume that it is or lies below."""
    for path, place in found:
        if value == path or value.startswith(f"{path}/"):
            return f"{place}{value.removeprefix(path)}"
    return value
