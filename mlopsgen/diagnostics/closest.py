"""What was meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, or None if none is much like it."""
    # Only who made a mistake waits for it.
    from difflib import get_close_matches

    found = get_close_matches(word, sorted(known), n=1)
    return found[0] if found else None
