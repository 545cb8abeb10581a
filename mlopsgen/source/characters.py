"""Characters that a reader does not see, or sees as something else."""

from __future__ import annotations

import re
import unicodedata

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span

# White space that is none to YAML (YAML 1.2.2, chapter 5.5), and line ends that are none to most editors.
ODD = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")

# What turns the direction of what stands around it (Unicode Standard Annex 9, "Explicit Directional
# Formatting Characters"): a line is then read in another order than it has (CVE-2021-42574).
TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")

# What shows nothing at all (Unicode Character Database, `Default_Ignorable_Code_Point`), but for what chooses
# among forms of the character before it; and control characters, which only an escape can put into a value.
UNSEEN = re.compile(
    "[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f"
    "\u3164\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e00ff]"
)

# Between letters of other scripts they are spelling: joiners in Persian and in emoji, spaces in Japanese.
_SPELT = re.compile(f"(?<=[^\0-\x7f])[\u200c\u200d{ODD.pattern[1:-1]}]+(?=[^\0-\x7f])")


def unseen(text: str, span: Span) -> Diagnostic | None:
    """What is wrong with a value or key by a character that nobody sees; a text of one line at `span`."""
    if text.isascii() and text.isprintable():
        return None
    # What is spelling counts as letters, which leaves all others where they are.
    letters = _SPELT.sub(lambda found: "x" * len(found[0]), text)
    for pattern, fault in ((ODD, odd_space), (UNSEEN, hidden)):
        if found := pattern.search(letters):
            exact = span.line == span.end_line and span.end_column - span.column == len(text)
            return fault(found[0], _within(span, found.start()) if exact else span)
    return None


def odd(line: str, start: Span) -> Diagnostic | None:
    """The first white space of a line that only looks like a space."""
    found = ODD.search(_SPELT.sub(lambda spelt: "x" * len(spelt[0]), line))
    return odd_space(found[0], _within(start, found.start())) if found else None


def hidden_in(line: str, file: str, number: int) -> Diagnostic | None:
    """The first character of a line that shows nothing."""
    found = UNSEEN.search(_SPELT.sub(lambda spelt: "x" * len(spelt[0]), line))
    return hidden(found[0], _within(Span(file, number, 1, number, 1), found.start())) if found else None


def odd_space(char: str, span: Span) -> Diagnostic:
    """White space that only looks like a space."""
    return Diagnostic("E011", "error", f"{_called(char)} is no space", (Label(span),), "write a plain space")


def hidden(char: str, span: Span) -> Diagnostic:
    """A character that shows nothing, or turns what is around it."""
    help_ = "take it away: who reviews the text would read something else"
    return Diagnostic("E012", "error", f"{_called(char)} cannot be seen", (Label(span),), help_)


def turned(text: str, file: str) -> Diagnostic | None:
    """The first character of a file, be it in a comment, that turns the direction of a line."""
    found = None if text.isascii() else TURNING.search(text)
    if found is None:
        return None
    lines = text[: found.end()].splitlines()
    return hidden(found[0], _within(Span(file, len(lines), 1, 0, 0), len(lines[-1]) - 1))


def _within(span: Span, index: int) -> Span:
    """The one character at `index` of a stretch of one line."""
    column = span.column + index
    return Span(span.file, span.line, column, span.line, column + 1)


def _called(char: str) -> str:
    """`a no-break space (U+00A0)`."""
    name = unicodedata.name(char, "").lower() or ("next line" if char == "\x85" else "control character")
    article = "an" if name[0] in "aeiou" else "a"
    return f"{article} {name} (U+{ord(char):04X})"
