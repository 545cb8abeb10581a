"""One value for everything that mlopsgen has to say about the user's file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.diagnostics.span import Span, SpecPath

Severity: TypeAlias = Literal["error", "warning"]


class Label(NamedTuple):
    """A place, and what is to be seen there."""

    span: Span
    text: str = ""


LONGEST = 400
"""Characters of a message, in which the user's own values stand."""


def shown(text: str) -> str:
    """The text as a terminal can take it: on one line, without control characters, and of a bearable length.

    What a file holds could otherwise move the cursor, turn the direction of writing, or fill the screen.
    """
    if len(text) > LONGEST:
        text = f"{text[: LONGEST // 2]}…{text[-LONGEST // 2 :]}"
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "replace").decode() for char in text
    )


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """A fault or a warning: its code, where it is, and what to do.

    The first label is the cause; the others are places that explain it.
    """

    code: str
    severity: Severity
    message: str
    labels: tuple[Label, ...] = ()
    help: str | None = None
    environments: tuple[str, ...] = field(default=(), compare=False)
    """Those that have it, where that is known. Two that differ in nothing else are one."""
    path: SpecPath = field(default=(), compare=False)
    """Where it is in the merged document, where that is known; things of lists go by their names."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "message", shown(self.message))
        object.__setattr__(self, "help", shown(self.help) if self.help else None)

    @property
    def order(self) -> tuple[str, int, int, str, str]:
        """Sorts by file, line, column, then code and message."""
        if not self.labels:
            return ("", 0, 0, self.code, self.message)
        span = self.labels[0].span
        return (span.file, span.line, span.column, self.code, self.message)


class Rejected(Exception):
    """The user's file is at fault: everything wrong in the first failing phase."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(sorted(set(diagnostics), key=lambda each: each.order))
        super().__init__("; ".join(f"{each.code} {each.message}" for each in self.diagnostics))


def errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Those that reject the file."""
    return tuple(each for each in diagnostics if each.severity == "error")
