"""Matches events against patterns as EventBridge does.

moto's own matcher does not look into lists of objects, where ECS puts the containers of a task.
"""

from __future__ import annotations

import re
from typing import Any


def matches(pattern: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether every field of the pattern fits; fields below one list fit within one of its elements."""
    return all(
        any(matches(each, event) for each in wanted) if name == "$or" else _field(wanted, event.get(name))
        for name, wanted in pattern.items()
    )


def _field(wanted: Any, actual: Any) -> bool:
    if isinstance(wanted, dict):
        candidates = actual if isinstance(actual, list) else [actual]
        return any(matches(wanted, each) for each in candidates if isinstance(each, dict))
    return actual is not None and any(_value(each, actual) for each in wanted)


def _value(wanted: Any, actual: Any) -> bool:
    match wanted:
        case {"prefix": str(text)}:
            return str(actual).startswith(text)
        case {"suffix": str(text)}:
            return str(actual).endswith(text)
        case {"wildcard": str(text)}:
            return re.fullmatch(re.escape(text).replace(r"\*", ".*"), str(actual)) is not None
        case {"anything-but": {"wildcard": list(texts)}}:
            return not any(_value({"wildcard": text}, actual) for text in texts)
        case {"anything-but": list(others)}:
            return actual not in others
        case dict():
            raise NotImplementedError(wanted)
        case _:
            return bool(wanted == actual)
