"""Diagnostics for people: the line, a caret under the fault, and what to do."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label

WIDTH = 80
_STYLES = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "bold": "\x1b[1m", "dim": "\x1b[36m"}


def render(diagnostics: Sequence[Diagnostic], sources: Mapping[str, str], *, colour: bool = False) -> str:
    """All of them, each with the lines that it points to, and a last line that counts them."""
    lines = {file: text.splitlines() for file, text in sources.items()}
    blocks = [_block(each, lines, colour) for each in diagnostics]
    return "\n".join([*blocks, summary(diagnostics)]) + "\n"


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`."""
    counts = {"error": 0, "warning": 0}
    for each in diagnostics:
        counts[each.severity] += 1
    return ", ".join(f"{count} {word}{'s' * (count != 1)}" for word, count in counts.items() if count)


def _block(diagnostic: Diagnostic, sources: Mapping[str, Sequence[str]], colour: bool) -> str:
    head = f"{diagnostic.severity}[{diagnostic.code}]"
    lines = [f"{_paint(head, diagnostic.severity, colour)}: {_paint(diagnostic.message, 'bold', colour)}"]
    numbers = [str(label.span.line) for label in diagnostic.labels]
    gutter = max(map(len, numbers), default=1)
    for index, label in enumerate(diagnostic.labels):
        lines += _place(label, sources, gutter, first=index == 0, colour=colour)
    if diagnostic.help:
        margin = " " * gutter + " = help: "
        lines += textwrap.wrap(
            diagnostic.help,
            WIDTH,
            initial_indent=margin,
            subsequent_indent=" " * len(margin),
            break_long_words=False,
            break_on_hyphens=False,
        )
    return "\n".join(lines) + "\n"


def _place(
    label: Label, sources: Mapping[str, Sequence[str]], gutter: int, *, first: bool, colour: bool
) -> Iterable[str]:
    span, margin = label.span, " " * gutter
    yield f"{margin}{_paint('-->', 'dim', colour)} {span}"
    lines = sources.get(span.file, ())
    if not 1 <= span.line <= len(lines):
        return
    text = lines[span.line - 1]
    end = span.end_column if span.end_line == span.line else len(text) + 1
    shown, start, length = _excerpt(text, span.column - 1, max(end - 1, span.column), WIDTH - gutter - 3)
    bar = _paint("|", "dim", colour)
    mark = "^" if first else "-"
    yield f"{margin} {bar}"
    yield f"{_paint(f'{span.line:>{gutter}}', 'dim', colour)} {bar} {shown}".rstrip()
    under = f"{' ' * start}{mark * length}{' ' + label.text if label.text else ''}"
    yield f"{margin} {bar} {under}"


def _excerpt(text: str, start: int, end: int, width: int) -> tuple[str, int, int]:
    """The part of a line around [start, end) that fits into `width` cells, and where the marks go."""
    left, long = 0, len(text) > 2 * width
    if long or _cells(text) > width:
        # A line may have millions of characters: only those that can be shown are looked at.
        left = max(0, min(start - width // 4, len(text) - width))
        text = text[left : left + 2 * width]
    safe = "".join(" " if char == "\t" or not char.isprintable() else char for char in text)
    if left or _cells(safe) > width:
        safe = ("…" + safe[1:]) if left else safe
        start, end = max(start - left, 0), max(end - left, 1)
        while _cells(safe) > width:
            safe = safe[:-2] + "…"
    start, end = min(start, len(safe)), min(end, len(safe))
    return safe, _cells(safe[:start]), max(_cells(safe[start:end]), 1)


def _cells(text: str) -> int:
    """How many columns of a terminal the text takes."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def _paint(text: str, style: str, colour: bool) -> str:
    return f"{_STYLES[style]}{text}\x1b[0m" if colour else text
