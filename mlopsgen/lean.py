"""Shortens the imports of the packages that the compiler needs, by what it has no use for.

To be imported before them. Should one of them change what it imports, a build starts more slowly, and
nothing else.
"""

from __future__ import annotations

import os
import re
import sys
import typing
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from importlib import import_module
from types import ModuleType
from typing import Any


class Deferred(ModuleType):
    """A module that is imported once something asks it for an attribute."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            # Python itself asks, to find out whether this is a package.
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


class NoPlugins(ModuleType):
    """In place of what looks through the metadata of every installed package for plugins of pydantic."""

    def get_plugins(self) -> tuple[()]:
        """None: what a pipeline means depends on nothing else that is installed."""
        return ()


class DeferredPattern:
    """A regular expression that is compiled once something asks it for an attribute."""

    def __init__(self, pattern: str, flags: int = 0) -> None:
        """As `re.compile` has it."""
        self._given = pattern, flags

    @cached_property
    def _compiled(self) -> re.Pattern[str]:
        return re.compile(*self._given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._compiled, name)


class PlainDict(dict[str, Any]):
    """In place of `TypedDict`, for classes that are type hints and nothing else."""

    def __init_subclass__(cls, *, total: bool = True) -> None:
        """Takes what a typed dictionary takes."""


@contextmanager
def _replaced(name: str, by: object, *modules: ModuleType) -> Iterator[None]:
    """For a while, `name` means something else in `modules`."""
    before = [vars(module)[name] for module in modules]
    for module in modules:
        setattr(module, name, by)
    try:
        yield
    finally:
        for module, value in zip(modules, before, strict=True):
            setattr(module, name, value)


# pydantic compares secrets with it, jinja2 keeps caches, and tracebacks show source.
for _name in ("secrets", "tempfile", "tokenize"):
    sys.modules.setdefault(_name, Deferred(_name))
# uuid asks for the operating system's name alone.
_platform = Deferred("platform")
vars(_platform)["system"] = lambda: os.uname().sysname if hasattr(os, "uname") else "Windows"
sys.modules.setdefault("platform", _platform)
# troposphere writes YAML with it; our own writer is faster.
sys.modules.setdefault("cfn_flip", Deferred("cfn_flip"))
# A type hint of the one class of troposphere that we have no use for, and six more modules with it.
_serverless = Deferred("troposphere.serverless")
vars(_serverless)["Globals"] = object
sys.modules.setdefault("troposphere.serverless", _serverless)
sys.modules.setdefault("pydantic.plugin._loader", NoPlugins("pydantic.plugin._loader"))
# A hundred classes that describe pydantic's schemas to type checkers.
with suppress(TypeError), _replaced("TypedDict", PlainDict, typing, import_module("typing_extensions")):
    import_module("pydantic_core")
# Those of the reader, the resolver and the constructor; libyaml does without.
with _replaced("compile", DeferredPattern, re):
    import_module("yaml")
