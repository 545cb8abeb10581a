"""What imports compile anew at each start, and need not: it is decided by a text and this version of Python.

Those are regular expressions, of which a build imports a hundred, most of them for nothing, and the methods
of dataclasses and named tuples, which Python writes as texts.
"""

from __future__ import annotations

import builtins
import collections
import dataclasses
import marshal
import re
import typing
from types import CodeType
from typing import Any

from mlopsgen.startup.store import Stored

# The parts that `re.compile` is made of; they have no public name.
_compiler: Any = vars(re).get("_compiler")
_parser: Any = vars(re).get("_parser")

_patterns: dict[tuple[str | bytes, int], tuple[Any, ...]] = {}
_code: dict[tuple[str, str], CodeType] = {}
_new: set[tuple[str | bytes, int]] = set()
_written = 0


def restore() -> None:
    """Take what was kept, and note what was not."""
    global _written
    if _compiler is None:
        return
    if content := _stored().read():
        patterns, code = marshal.loads(content)
        _patterns.update(patterns)
        _code.update(code)
    _written = len(_code)
    vars(dataclasses)["exec"] = _exec
    vars(collections)["eval"] = _eval
    vars(typing)["compile"] = _compile
    real = _compiler.compile

    def kept_or_compiled(pattern: Any, flags: int = 0) -> Any:
        if kept := _patterns.get((pattern, flags)):
            return _compiler._sre.compile(pattern, *kept)
        if isinstance(pattern, str | bytes):
            _new.add((pattern, int(flags)))
        return real(pattern, flags)

    _compiler.compile = kept_or_compiled


def keep() -> None:
    """Keep what was new."""
    if _new or len(_code) > _written:
        patterns = _patterns | {each: _engine_code(*each) for each in _new}
        _stored().write(marshal.dumps((patterns, _code)))


def _engine_code(pattern: Any, flags: int) -> tuple[Any, ...]:
    """What `re` hands to its engine beside the pattern itself (Lib/re/_compiler.py, `compile`)."""
    parsed = _parser.parse(pattern, flags)
    code, state = list(map(int, _compiler._code(parsed, flags))), parsed.state
    names = {number: name for name, number in state.groupdict.items()}
    by_number = tuple(names.get(number) for number in range(state.groups))
    return int(flags | state.flags), code, state.groups - 1, dict(state.groupdict), by_number


def _exec(source: Any, *namespaces: Any) -> None:
    builtins.exec(_compile(source, "<string>", "exec"), *namespaces)


def _eval(source: Any, *namespaces: Any) -> Any:
    return builtins.eval(_compile(source, "<string>", "eval"), *namespaces)


def _compile(source: Any, filename: str, mode: str) -> Any:
    if not isinstance(source, str):
        return source
    if (code := _code.get((source, mode))) is None:
        code = _code[source, mode] = builtins.compile(source, filename, mode, dont_inherit=True)
    return code


def _stored() -> Stored:
    return Stored(__file__)
