"""Presence is registration: a file that stands in a package's folder is part of what the package offers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

PACKAGE = Path(__file__).parent


def modules(package: str) -> Iterator[ModuleType]:
    """The modules that stand directly in `package`, such as `mlopsgen.emit`, by name."""
    folder = PACKAGE.joinpath(*package.split(".")[1:])
    for name in sorted(file.stem for file in folder.iterdir() if file.suffix == ".py"):
        if name != "__init__":
            yield import_module(f"{package}.{name}")


def parts(name: str) -> Iterator[ModuleType]:
    """The module `name` of every component that has one, by the component's name."""
    for component in _components():
        if (PACKAGE / "components" / component / f"{name}.py").is_file():
            yield import_module(f"mlopsgen.components.{component}.{name}")


@cache
def _components() -> tuple[str, ...]:
    folder = PACKAGE / "components"
    return tuple(sorted(each.name for each in folder.iterdir() if (each / "__init__.py").is_file()))
