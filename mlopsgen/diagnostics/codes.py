"""The catalogue of codes: what each means, and how to mend it."""

from __future__ import annotations


def titles() -> dict[str, str]:
    return {}
