"""Templates, and the filters by which a value of the user's stays in its place."""

from __future__ import annotations

import json
import shlex
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jinja2 import Environment

PACKAGE = Path(__file__).parent.parent

SYNTAX: dict[str, Any] = {
    # Nothing here is HTML: each place has a filter of its own.
    "autoescape": False,
    "trim_blocks": True,
    "lstrip_blocks": True,
    "keep_trailing_newline": True,
}


def folder() -> Path:
    """Where the templates are: inside an installed package, or beside it in a checkout."""
    installed = PACKAGE / "templates"
    return installed if installed.is_dir() else PACKAGE.parent / "templates"


def render(template: str, **values: Any) -> str:
    """The template's text with `values`. A name that is not given is our bug, and raises."""
    return _environment().get_template(template).render(values)


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    from mlopsgen.text.bytecode import PycCache

    environment = Environment(
        loader=FileSystemLoader(folder()),
        undefined=StrictUndefined,
        bytecode_cache=PycCache(repr(SYNTAX)),
        **SYNTAX,
    )
    from mlopsgen.model.names import variable

    environment.filters |= {
        "cell": cell, "json": to_json, "line": line, "mermaid": mermaid, "sh": shlex.quote,
        "variable": variable,
    }  # fmt: skip
    return environment


def to_json(value: Any) -> str:
    """JSON on one line: an exec form in a Dockerfile, or a scalar that YAML reads too."""
    return json.dumps(value, ensure_ascii=True)


def line(text: str) -> str:
    """Text for a comment: on one line, whatever it holds."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    escaped = line(text)
    for char in "\\`*_{}[]<>|":
        escaped = escaped.replace(char, f"\\{char}")
    return escaped


def mermaid(text: str) -> str:
    """A Mermaid label: in quotes, with entities for what would end it."""
    escaped = line(text).replace("#", "#35;").replace('"', "#quot;").replace("<", "#lt;").replace(">", "#gt;")
    return f'"{escaped}"'
