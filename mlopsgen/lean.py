"""Keeps packages that the compiler has no use for from being imported by those that it needs.

To be imported before pydantic and troposphere. Should one of them change what it imports, a build starts more
slowly, and nothing else.
"""

from __future__ import annotations

import sys
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


# troposphere writes YAML with it; our own writer is faster.
sys.modules.setdefault("cfn_flip", Deferred("cfn_flip"))
# A type hint of the one class of troposphere that we have no use for, and six more modules with it.
_serverless = Deferred("troposphere.serverless")
vars(_serverless)["Globals"] = object
sys.modules.setdefault("troposphere.serverless", _serverless)
sys.modules.setdefault("pydantic.plugin._loader", NoPlugins("pydantic.plugin._loader"))
