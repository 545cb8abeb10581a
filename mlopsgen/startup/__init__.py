"""What lets commands start quickly, in `__main__` alone: there the process is ours.

What a pipeline becomes depends on none of it, and whoever imports the compiler gets Python as it is. All of
it together saves nearly half of a build (benchmarks/build); each part says what it leaves out or keeps.
`uptodate` is no part of it: it tells whether there is anything to build.
"""

from __future__ import annotations

import sys
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

COMPILER = "mlopsgen.compile"
LOCAL = "mlopsgen.local"
TEMPLATES = "mlopsgen.text.templates"


def prepare() -> None:
    """See to it that what a command may import is imported quickly."""
    sys.meta_path.insert(0, _Before({COMPILER: _prepare_compiler, TEMPLATES: _prepare_templates}))


def keep() -> None:
    """Keep for the next command what this one had to make, if it imported the compiler and not much more."""
    if COMPILER in sys.modules and LOCAL not in sys.modules and not sys.dont_write_bytecode:
        from mlopsgen.startup import compiled, modules, schemas

        _try(modules.keep, compiled.keep, schemas.keep)


def _prepare_compiler() -> None:
    from mlopsgen.startup import compiled, imports, modules

    _try(modules.restore, compiled.restore, imports.import_packages, _restore_schemas)


def _prepare_templates() -> None:
    from mlopsgen.startup import imports

    _try(imports.import_jinja2)


def _restore_schemas() -> None:
    # It imports the language.
    from mlopsgen.startup import schemas

    schemas.restore()


def _try(*steps: Callable[[], None]) -> None:
    """Take each step. Whatever is not as expected, in Python or in a package, costs time and nothing else."""
    for step in steps:
        with suppress(Exception):
            step()


class _Before:
    """A finder that finds nothing: it does something, once, before a module is looked for."""

    def __init__(self, actions: dict[str, Callable[[], None]]) -> None:
        self._actions = actions

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:
        """What Python asks each finder."""
        if action := self._actions.pop(name, None):
            action()
