"""The packages that the compiler needs, imported without what they import and a build has no use for.

Should one of them change what it imports, a build starts more slowly, and nothing else. Once they are there,
everything that was replaced is back.
"""

from __future__ import annotations

import os
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from types import ModuleType
from typing import Any


def import_packages() -> None:
    """Import what reads, checks and lowers a pipeline."""
    with _deferred(
        # troposphere writes YAML with it; our own writer is faster.
        cfn_flip={},
        # A type hint of the one class of troposphere that we have no use for, and six more modules with it.
        **{"troposphere.serverless": {"Globals": object}},
        # uuid, which pydantic imports, asks it for the system's name alone, and only where `os` knows it.
        **({"platform": {"system": lambda: os.uname().sysname}} if hasattr(os, "uname") else {}),
        # pydantic compares secrets with it, and tracebacks show source with it.
        secrets={},
        tokenize={},
    ):
        with suppress(TypeError), _without_typed_dicts():
            import_module("pydantic_core")
        for package in ("yaml", "pydantic.main", "troposphere"):
            import_module(package)


def import_jinja2() -> None:
    """Import what writes Dockerfiles. Its cache on disk, which takes `tempfile`, is not ours."""
    with _deferred(tempfile={}):
        import_module("jinja2")


class _Deferred(ModuleType):
    """A module that is imported once something asks it for an attribute."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # Python itself asks, to find out whether this is a package.
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


@contextmanager
def _deferred(**modules: dict[str, Any]) -> Iterator[None]:
    """For a while, modules are not imported before they are used; a few attributes are there without."""
    stand_ins = []
    for name, attributes in modules.items():
        if name not in sys.modules:
            stand_in = sys.modules[name] = _Deferred(name)
            vars(stand_in).update(attributes)
            stand_ins.append(stand_in)
    try:
        yield
    finally:
        for stand_in in stand_ins:
            if sys.modules.get(stand_in.__name__) is stand_in:
                del sys.modules[stand_in.__name__]


class _PlainDict(dict[str, Any]):
    """In place of `TypedDict`, for a hundred classes that describe schemas to type checkers."""

    def __init_subclass__(cls, *, total: bool = True) -> None:
        """Takes what a typed dictionary takes."""


@contextmanager
def _without_typed_dicts() -> Iterator[None]:
    modules = (typing, import_module("typing_extensions"))
    before = [vars(module)["TypedDict"] for module in modules]
    for module in modules:
        vars(module)["TypedDict"] = _PlainDict
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            vars(module)["TypedDict"] = value
