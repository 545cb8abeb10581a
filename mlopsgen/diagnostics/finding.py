"""What a rule says is wrong, at a path of the document, and the story that a code tells."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent
from typing import NamedTuple

from mlopsgen.diagnostics.span import Span, SpecPath


class Finding(NamedTuple):
    """What is wrong at `path`, a path of the merged document, and what to do."""

    path: SpecPath
    message: str
    help: str | None = None
    also: tuple[tuple[SpecPath, str], ...] = ()
    """Places that explain it, each with what is to be seen there."""
    key: bool = False
    """Whether the key at `path` is wrong, and those of `also`, rather than what it holds."""
    elsewhere: tuple[tuple[Span, str], ...] = ()
    """Places that are not in the merged document, each with what is to be seen there."""


class Story(NamedTuple):
    """What one code means. `wrong` gets it and `right` does not: parts of a pipeline, or whole files."""

    title: str
    text: str
    wrong: str = ""
    right: str = ""
    source: Callable[[], str] | None = None
    """Says which table of facts decides, with its version."""


def story(
    title: str, text: str, wrong: str = "", right: str = "", source: Callable[[], str] | None = None
) -> Story:
    """A story from indented text: the text on one line, the examples as they would stand in a file."""
    return Story(title, " ".join(text.split()), dedent(wrong).strip("\n"), dedent(right).strip("\n"), source)
