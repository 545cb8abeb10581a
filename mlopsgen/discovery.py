"""Presence is registration: a file that stands in a package's folder is part of what the package offers."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent


@cache
def modules(package: str) -> tuple[ModuleType, ...]:
    """The modules that stand directly in `package`, such as `mlopsgen.emit`, by name."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    names = sorted(file.stem for file in folder.iterdir() if file.suffix == ".py")
    return tuple(import_module(f"{package}.{name}") for name in names if name != "__init__")


@cache
def parts(name: str) -> tuple[ModuleType, ...]:
    """The module `name` of every component that has one, by the component's name."""
    found = sorted(file.parent.name for file in PACKAGE.glob(f"components/*/{name}.py"))
    return tuple(import_module(f"mlopsgen.components.{component}.{name}") for component in found)
