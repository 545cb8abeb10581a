"""What a pipeline says otherwise than at the start of a run."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

WIDTH = 60
"""Characters of a value that are shown."""

FOLLOWED = ("jobs", "models")
"""The sections that every training reads anew."""


def unfollowed(before: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The changes between two specs of an environment that a run does not follow, `path: old -> new` each."""
    sections = sorted(before.keys() | now.keys())
    return tuple(
        change
        for section in sections
        if section not in FOLLOWED
        for change in changes(before.get(section), now.get(section), f"spec.{section}")
    )


def changes(before: Any, now: Any, path: str) -> Iterator[str]:
    """Each value that differs, by its path; items of lists are told apart by their names."""
    if before == now:
        return
    old, new = _parts(before), _parts(now)
    if old is None or new is None:
        yield f"{path}: {_shown(before)} -> {_shown(now)}"
        return
    for key in dict.fromkeys((*old, *new)):
        named = isinstance(before, list) or isinstance(now, list)
        yield from changes(old.get(key), new.get(key), f"{path}[{key}]" if named else f"{path}.{key}")


def _parts(value: Any) -> Mapping[str, Any] | None:
    if isinstance(value, Mapping):
        return value
    if isinstance(value, list) and all(isinstance(each, Mapping) and "name" in each for each in value):
        return {str(each["name"]): each for each in value}
    return None


def _shown(value: Any) -> str:
    text = "nothing" if value is None else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 1]}…"
