"""What was meant by a name that does not exist."""

from __future__ import annotations

from collections.abc import Iterable


def closest(word: str, known: Iterable[str], alike: float = 0.6) -> str | None:
    """The one of `known` that is most like `word`, or None if none is as much like it as `alike`."""
    names = sorted(known)
    if same := next((name for name in names if name.lower() == word.lower()), None):
        return same
    # Only who made a mistake waits for it.
    from difflib import get_close_matches

    found = get_close_matches(word, names, n=1, cutoff=alike)
    return found[0] if found else None
