"""Where something stands: in the text of a file, and in the document that the text says."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

SpecPath: TypeAlias = tuple[str | int, ...]
"""Keys from the root, and in lists a zero-based index or the `name` of a named thing:
`("spec", "services", 0, "replicas")` or `("spec", "services", "sentiment-api", "replicas")`.
"""


class Span(NamedTuple):
    """A stretch of one file. Lines and columns count from 1; the end is exclusive."""

    file: str
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"
