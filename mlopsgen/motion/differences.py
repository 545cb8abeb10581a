"""Where two values differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mlopsgen.motion.outcome import Change
from mlopsgen.motion.stacks import Json


def differences(before: Mapping[str, Json], after: Mapping[str, Json]) -> tuple[Change, ...]:
    """The innermost places whose values differ; lists of different lengths differ as a whole."""
    return tuple(_maps(before, after, ""))


def _maps(before: Mapping[str, Json], after: Mapping[str, Json], path: str) -> Iterator[Change]:
    for key in sorted(before.keys() | after.keys()):
        at = f"{path}.{key}" if path else key
        yield from _values(before.get(key), after.get(key), at)


def _values(before: Json, after: Json, path: str) -> Iterator[Change]:
    if before == after:
        return
    if isinstance(before, dict) and isinstance(after, dict) and not _is_function(before | after):
        yield from _maps(before, after, path)
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for number, (old, new) in enumerate(zip(before, after, strict=True)):
            yield from _values(old, new, f"{path}[{number}]")
    else:
        yield Change(path, before, after)


def _is_function(value: dict[str, Json]) -> bool:
    """Whether it is a function that only AWS can carry out: what is inside is no property."""
    return any(key.startswith("Fn::") for key in value)
