"""The compiled modules of the packages that the compiler is made of, in one file in place of hundreds.

Looking for a module takes Python about as long as loading it. A kept one is taken if it lies where its
package is, and its source has the time and size that it had: that is what Python itself goes by.
"""

from __future__ import annotations
import __future__ as future

import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import ModuleType
from typing import Any

from mlopsgen.startup.classes import fill, outline
from mlopsgen.startup.store import Stored

_LENGTH = 8

PACKAGES = frozenset(
    ("jinja2", "mlopsgen", "pydantic", "pydantic_core", "troposphere", "typing_inspection", "yaml")
)

# Nobody asks these what types they annotate functions with: as texts, annotations take no time.
UNANNOTATED = frozenset(("jinja2", "troposphere"))

_index: dict[str, tuple[Any, ...]] = {}
"""By name: where its package looks for it, its source, where Python keeps its code, when the source was
changed and how large it is, whether it is a package, whether its classes are made when they are asked for,
and from where to where its code stands.
"""
_codes = memoryview(b"")
_stale: set[str] = set()


def restore() -> None:
    """Look for modules among those that were kept first."""
    global _codes
    if content := _stored().read():
        length = int.from_bytes(content[:_LENGTH], "little")
        _index.update(marshal.loads(content[_LENGTH : _LENGTH + length]))
        _codes = content[_LENGTH + length :]
    sys.meta_path.insert(0, _Finder)


def keep() -> None:
    """Keep the modules that were imported, if some of them had not been."""
    new = {name for name in sys.modules if (name not in _index or name in _stale) and _is_ours(name)}
    if not new:
        return
    facts = {name: (*kept[:-2], bytes(_codes[slice(*kept[-2:])])) for name, kept in _index.items()}
    facts |= {name: _facts(sys.modules[name].__spec__) for name in new}
    index, codes, place = {}, [], 0
    for name, (*known, code) in sorted(facts.items()):
        index[name] = (*known, place, place := place + len(code))
        codes.append(code)
    head = marshal.dumps(index)
    _stored().write(len(head).to_bytes(_LENGTH, "little") + head + b"".join(codes))


def _is_ours(name: str) -> bool:
    """Whether it is a module below one of the packages, and Python loaded it from a source."""
    if name.partition(".")[0] not in PACKAGES or "." not in name:
        return False
    spec = sys.modules[name].__spec__
    return spec is not None and spec.name == name and type(spec.loader) is SourceFileLoader


def _facts(spec: Any) -> tuple[Any, ...]:
    is_package = spec.submodule_search_locations is not None
    folder = os.path.dirname(os.path.dirname(spec.origin) if is_package else spec.origin)
    return folder, spec.origin, spec.cached, *_times(spec.origin), is_package, *_code(spec)


def _times(source: str) -> list[int]:
    """When a source was changed, and how large it is; nothing if it is gone."""
    try:
        found = os.stat(source)
    except OSError:
        return []
    return [found.st_mtime_ns, found.st_size]


def _code(spec: Any) -> tuple[bool, bytes]:
    """Whether the classes of a module are made when they are asked for, and what it is made of."""
    if spec.name.partition(".")[0] not in UNANNOTATED:
        return False, marshal.dumps(spec.loader.get_code(spec.name))
    source = spec.loader.get_data(spec.origin)
    if spec.name.startswith("troposphere.") and (parts := outline(source, spec.origin)):
        return True, marshal.dumps(parts)
    flag = future.annotations.compiler_flag
    return False, marshal.dumps(compile(source, spec.origin, "exec", flags=flag, dont_inherit=True))


class _Loader(SourceFileLoader):
    """Loads a module that was kept."""

    def exec_module(self, module: ModuleType) -> None:
        """Run its code, or make it ready to make its classes."""
        *_, in_parts, start, end = _index[module.__name__]
        code = marshal.loads(_codes[start:end])
        if in_parts:
            fill(vars(module), code)
        else:
            exec(code, vars(module))


class _Finder:
    """Finds modules that were kept."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The module's spec, if it was kept and still is what it was."""
        if path is None or name not in _index or len(path) != 1:
            return None
        folder, origin, cached, *times, is_package, _, _, _ = _index[name]
        if path[0] != folder or times != _times(origin):
            _stale.add(name)
            return None
        spec = ModuleSpec(name, _Loader(name, origin), origin=origin, is_package=is_package)
        if is_package:
            spec.submodule_search_locations = [os.path.dirname(origin)]
        spec.has_location = True
        spec.cached = cached
        return spec


def _stored() -> Stored:
    return Stored(__file__)
