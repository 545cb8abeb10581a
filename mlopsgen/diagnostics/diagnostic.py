"""One value for everything that mlopsgen has to say about the user's file."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from mlopsgen.source.node import Span

Severity: TypeAlias = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Label:
    """A place, and what is to be seen there."""

    span: Span
    text: str = ""


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
