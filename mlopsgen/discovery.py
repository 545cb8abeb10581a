"""Presence is registration: a file that stands in a package's folder is part of what the package offers."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType


def modules(package: str, folder: str, other: Collection[str] = ()) -> Iterator[ModuleType]:
    """The modules of `package`, whose `folder` is given, by name; without those named in `other`."""
    names = {file.stem for file in Path(folder).iterdir() if file.suffix == ".py"}
    for name in sorted(names.difference(("__init__",), other)):
        yield import_module(f"{package}.{name}")
