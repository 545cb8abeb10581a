"""A file's text: UTF-8, of a sane size, without control characters."""

from __future__ import annotations

import re
from pathlib import Path

from mlopsgen import regular
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Rejected
from mlopsgen.diagnostics.span import Span
from mlopsgen.source.parse import MAX_BYTES

# What YAML 1.2 does not let stand in a file (chapter 5.1, "Character Set").
_FORBIDDEN = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufffe\uffff]")


def read(path: Path, name: str) -> str:
    """The text of `path`, called `name` in messages. Raises `Rejected` with E001, E002 or E010."""
    try:
        content, _ = regular.read(path, MAX_BYTES + 1)
    except FileNotFoundError:
        hint = f"`mlopsgen init NAME` starts a new project; `-f FILE` names another file than {name}"
        raise _rejected("E010", name, "there is no such file", help_=hint) from None
    except IsADirectoryError:
        raise _rejected(
            "E010", name, "this is a folder", help_=f"name the file in it: {Path(name) / 'pipeline.yaml'}"
        ) from None
    except regular.Irregular as error:
        help_ = "write the pipeline to a file: it is read beside the programs that it names"
        raise _rejected("E010", name, f"this is {error.kind}", help_=help_) from None
    except (OSError, ValueError) as error:
        raise _rejected("E010", name, f"it cannot be read: {getattr(error, 'strerror', error)}") from None
    return decode(content, name)


def shown(name: str) -> str | None:
    """As much of a file as may be pointed to, or None if nothing of it can be shown."""
    try:
        content, _ = regular.read(name, MAX_BYTES)
    except (OSError, ValueError):
        return None
    return content.decode("utf-8-sig", "replace")


def decode(content: bytes, name: str) -> str:
    """The text that `content` encodes. Raises `Rejected` with E001 or E002 at the byte that is wrong."""
    if len(content) > MAX_BYTES:
        raise _rejected("E002", name, f"the file is larger than {MAX_BYTES:,} bytes")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise _rejected("E001", name, "the file is in UTF-16", help_="save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        message = f"byte 0x{content[error.start]:02x} is not UTF-8"
        raise _rejected("E001", name, message, before, help_="save the file as UTF-8") from None
    found = _FORBIDDEN.search(text)
    if found:
        message = f"the control character U+{ord(found[0]):04X} cannot stand in YAML"
        raise _rejected("E001", name, message, text[: found.start()], help_="take it away")
    return text


def _rejected(code: str, name: str, message: str, before: str = "", help_: str | None = None) -> Rejected:
    lines = before.split("\n")
    line, column = len(lines), len(lines[-1]) + 1
    span = Span(name, line, column, line, column + 1)
    return Rejected([Diagnostic(code, "error", message, (Label(span),), help_)])
