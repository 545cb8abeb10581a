"""Diagnostics for programs: JSON, SARIF and GitHub's annotations."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from mlopsgen import __version__
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span

if TYPE_CHECKING:
    from mlopsgen.diagnostics.finding import Story

HOME = "https://github.com/mlopsgen/mlopsgen"


def to_json(diagnostics: Sequence[Diagnostic]) -> str:
    """One JSON object with a list; lines and columns count from 1, ends are exclusive.

    `path` leads through the merged document of `environments`; things of lists go by their names.
    """
    items = [
        {
            "code": each.code,
            "severity": each.severity,
            "message": each.message,
            "help": each.help,
            "environments": list(each.environments),
            "path": list(each.path) or None,
            "labels": [_label(label) for label in each.labels],
        }
        for each in diagnostics
    ]
    return json.dumps({"diagnostics": items}, indent=2) + "\n"


def to_sarif(diagnostics: Sequence[Diagnostic], stories: Mapping[str, Story]) -> str:
    """SARIF 2.1.0 with what GitHub's code scanning asks for beyond it; `stories` tells of each code."""
    codes = sorted({each.code for each in diagnostics})
    run = {
        "tool": {
            "driver": {
                "name": "mlopsgen",
                "semanticVersion": __version__,
                "informationUri": HOME,
                "rules": [_rule(code, stories.get(code)) for code in codes],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": each.code,
                "ruleIndex": codes.index(each.code),
                "level": each.severity,
                "message": {"text": f"{each.message}. {each.help}" if each.help else each.message},
                "locations": [_location(label) | _logical(each) for label in each.labels[:1]],
                "relatedLocations": [_location(label) for label in each.labels[1:]],
            }
            for each in diagnostics
        ],
    }
    document = {
        "$schema": "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json.dumps(document, indent=2) + "\n"


def _rule(code: str, story: Story | None) -> dict[str, Any]:
    title, text = (story.title, story.text) if story else (code, code)
    return {
        "id": code,
        "shortDescription": {"text": title},
        "fullDescription": {"text": text},
        "help": {"text": f"{text}\n\n`mlopsgen explain {code}` shows an example."},
        "defaultConfiguration": {"level": "warning" if code.startswith("W") else "error"},
    }


def to_github(diagnostics: Sequence[Diagnostic]) -> str:
    """Workflow commands that GitHub Actions shows beside the line."""
    return "".join(_command(each) for each in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    text = f"{diagnostic.message}\n{diagnostic.help}" if diagnostic.help else diagnostic.message
    properties = {"title": f"mlopsgen {diagnostic.code}"}
    if diagnostic.labels:
        span = diagnostic.labels[0].span
        properties = _stretch(span) | properties
    listed = ",".join(f"{name}={_escape(value, ':,')}" for name, value in properties.items())
    return f"::{diagnostic.severity} {listed}::{_escape(text)}\n"


def _stretch(span: Span) -> dict[str, str]:
    """The first line and the last; columns too if that is one (GitHub REST API, "Create a check run")."""
    lines = {"file": span.file, "line": str(span.line), "endLine": str(span.end_line)}
    if span.line != span.end_line:
        return lines
    return lines | {"col": str(span.column), "endColumn": str(span.end_column)}


def _escape(text: str, more: str = "") -> str:
    for char in "%\r\n" + more:
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def _label(label: Label) -> dict[str, Any]:
    span = label.span
    return {
        "file": span.file,
        "line": span.line,
        "column": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
        "text": label.text or None,
    }


def _location(label: Label) -> dict[str, Any]:
    span = label.span
    region = {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }
    physical = {"artifactLocation": {"uri": _uri(span.file)}, "region": region}
    return {"physicalLocation": physical} | ({"message": {"text": label.text}} if label.text else {})


def _logical(diagnostic: Diagnostic) -> dict[str, Any]:
    """The place in the merged document."""
    name = ".".join(map(str, diagnostic.path))
    return {"logicalLocations": [{"fullyQualifiedName": name}]} if name else {}


def _uri(file: str) -> str:
    """A file as a URI: relative as it was named, so that it is found in whatever checkout."""
    path = PurePath(file)
    return path.as_uri() if path.is_absolute() else quote(path.as_posix())
