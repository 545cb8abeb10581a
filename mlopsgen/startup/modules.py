"""The compiled modules of the packages that the compiler is made of, in one file in place of hundreds.

Looking for a module takes Python about as long as loading it. A kept one is taken if it lies where its
package is, and its source has the time and size that it had: that is what Python itself goes by.
"""

from __future__ import annotations

import marshal
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType
from typing import Any

from mlopsgen.startup.store import Stored

_LENGTH = 8

PACKAGES = frozenset(
    ("jinja2", "mlopsgen", "pydantic", "pydantic_core", "troposphere", "typing_inspection", "yaml")
)


_index: dict[str, tuple[Any, ...]] = {}
"""By name: where its package looks for it, its source, where Python keeps its code, when the source was
changed and how large it is, whether it is a package, and from where to where its code stands.
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
    found = os.stat(spec.origin)
    return (
        os.path.dirname(os.path.dirname(spec.origin) if is_package else spec.origin),
        spec.origin,
        spec.cached,
        found.st_mtime_ns,
        found.st_size,
        is_package,
        marshal.dumps(spec.loader.get_code(spec.name)),
    )


class _Loader(SourceFileLoader):
    """Loads a module that was kept."""

    def get_code(self, fullname: str) -> CodeType:
        """Its code."""
        code: CodeType = marshal.loads(_codes[slice(*_index[fullname][-2:])])
        return code


class _Finder:
    """Finds modules that were kept."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, target: object = None) -> ModuleSpec | None:
        """The module's spec, if it was kept and still is what it was."""
        if path is None or name not in _index or len(path) != 1:
            return None
        folder, origin, cached, modified, size, is_package, _, _ = _index[name]
        found = os.stat(origin)
        if path[0] != folder or found.st_mtime_ns != modified or found.st_size != size:
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
