"""Structured logs: one JSON object a line, on standard output. Nothing that a user wrote is logged."""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from datetime import UTC, datetime


def log(event: str, *, level: str = "info", **fields: object) -> None:
    """Write one line."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    write({"time": now, "level": level, "event": event, **fields})


def write(document: Mapping[str, object]) -> None:
    """Write one JSON object as one line, at once and whole."""
    sys.stdout.write(json.dumps(document, separators=(",", ":"), default=str) + "\n")
    sys.stdout.flush()


def where(error: BaseException) -> dict[str, object]:
    """An exception's type and frames. Its message is left out: it may quote what a user wrote."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": type(error).__name__,
        "frames": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames[-12:]],
    }


class Lines(logging.Handler):
    """What libraries log, in the same form."""

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {"logger": record.name}
        if record.exc_info and record.exc_info[1]:
            fields |= where(record.exc_info[1])
        else:
            fields["message"] = record.getMessage()
        log("library", level=record.levelname.lower(), **fields)


def capture() -> None:
    """Send the warnings of all libraries through `Lines`."""
    logging.basicConfig(level=logging.WARNING, handlers=[Lines()], force=True)
