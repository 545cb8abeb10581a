"""What imports compile anew at each start, and need not: a text and this version of Python decide it.

Those are regular expressions, of which a build imports a hundred, most of them for nothing; and the methods
of dataclasses, those of named tuples and annotations, which Python writes as texts.
"""

from __future__ import annotations

import builtins
import collections
import dataclasses
import marshal
import re
import sys
import typing
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from types import CodeType
from typing import Any

from mlopsgen.startup.store import Stored

# The parts that `re.compile` is made of; they have no public name.
_compiler: Any = vars(re).get("_compiler")
_parser: Any = vars(re).get("_parser")

_patterns: dict[tuple[str | bytes, int], tuple[Any, ...]] = {}
_code: dict[tuple[str, str], CodeType] = {}
_new: dict[tuple[str | bytes, int], str | None] = {}
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

    def pattern_of(pattern: Any, flags: int = 0) -> Any:
        if kept := _patterns.get((pattern, flags)):
            return _compiler._sre.compile(pattern, *kept)
        if isinstance(pattern, str | bytes):
            _new[pattern, int(flags)] = _source()
        return real(pattern, flags)

    _compiler.compile = pattern_of


def keep() -> None:
    """Keep what was new."""
    new = [each for each, module in _new.items() if _is_written(each[0], module)]
    if new or len(_code) > _written:
        patterns = _patterns | {each: _engine_code(*each) for each in new}
        _stored().write(marshal.dumps((patterns, _code)))


def _source() -> str | None:
    """The module whose function wants a pattern compiled; None if a module or class in the making does."""
    frame = sys._getframe(2)
    while frame.f_back and frame.f_code.co_filename == re.__file__:
        frame = frame.f_back
    return frame.f_globals["__name__"] if frame.f_code.co_flags & CO_OPTIMIZED else None


def _is_written(pattern: str | bytes, module: str | None) -> bool:
    """Whether the pattern stands in a source: what is made of a user's words is kept nowhere."""
    if module is None:
        return True
    loader: Any = sys.modules[module].__loader__
    named = (each for each in vars(sys.modules[module]).values() if isinstance(each, str | bytes))
    return pattern in named or pattern in _constants(loader.get_code(module))


def _constants(code: CodeType) -> Iterator[object]:
    for each in code.co_consts:
        yield each
        if isinstance(each, CodeType):
            yield from _constants(each)
        elif isinstance(each, tuple):
            yield from each


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
