"""What lets commands start quickly. Only `__main__` uses it: there the process is ours alone.

What a pipeline becomes depends on none of it, and whoever imports the compiler gets Python as it is. All
of it together saves a third of a build (benchmarks/build); each part says what it leaves out or keeps.
"""

from __future__ import annotations

import sys
from collections.abc import Callable

COMPILER = "mlopsgen.compile"
TEMPLATES = "mlopsgen.text.templates"


def prepare() -> None:
    """See to it that what a command imports later is imported quickly."""
    sys.meta_path.insert(0, _Before({COMPILER: _compiler, TEMPLATES: _templates}))


def keep() -> None:
    """Keep for the next command what this one had to make, if it imported the compiler."""
    if COMPILER in sys.modules and not sys.dont_write_bytecode:
        from mlopsgen.startup import compiled, modules, schemas

        modules.keep()
        compiled.keep()
        schemas.keep()


def _compiler() -> None:
    from mlopsgen.startup import compiled, modules
    from mlopsgen.startup.imports import import_packages

    modules.restore()
    compiled.restore()
    import_packages()
    from mlopsgen.startup import schemas

    schemas.restore()


def _templates() -> None:
    from mlopsgen.startup.imports import import_jinja2

    import_jinja2()


class _Before:
    """A finder that finds nothing: it does something, once, before a module is looked for."""

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self._actions = actions

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """What Python asks each finder."""
        if action := self._actions.pop(name, None):
            action()
