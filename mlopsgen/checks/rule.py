"""What a rule is: a small function that yields findings, each at a path of the spec. It never raises."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path as Folder
from typing import NamedTuple, TypeAlias

from mlopsgen.components.base import Site
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.diagnostic import Severity
from mlopsgen.source.node import Path


class Finding(NamedTuple):
    """What is wrong at `path`, a path of the merged document, and what to do."""

    path: Path
    message: str
    help: str | None = None
    also: tuple[tuple[Path, str], ...] = ()
    """Places that explain it, each with what is to be seen there."""
    key: bool = False
    """Whether the key at `path` is wrong, and those of `also`, rather than what it holds."""


class Scene(NamedTuple):
    """What a rule looks at: one environment among all, and the folder of the file if there is one."""

    site: Site
    folder: Folder | None
    sites: tuple[Site, ...]
    """All environments by name, this one among them."""

    @property
    def before(self) -> tuple[Site, ...]:
        """The environments whose names come before: what holds between two is looked at once."""
        return tuple(each for each in self.sites if each.environment < self.site.environment)


Rule: TypeAlias = Callable[[Scene], Iterable[Finding]]

RULES: list[tuple[str, Severity, Rule]] = []


def rule(code: str) -> Callable[[Rule], Rule]:
    """Register a rule under its code; codes that start with W are warnings."""

    def register(function: Rule) -> Rule:
        RULES.append((code, "warning" if code.startswith("W") else "error", function))
        return function

    return register


LISTED = 12
"""How many names a help lists at most."""


def nearest(word: str, known: Iterable[str], kind: str) -> str:
    """The help for an unknown name: the nearest that is known, or all of them."""
    names = sorted(known)
    if close := closest(word, names):
        return f"did you mean `{close}`?"
    more = ", …" if len(names) > LISTED else ""
    return f"known {kind}: {', '.join(names[:LISTED])}{more}" if names else f"declare {kind} first"
