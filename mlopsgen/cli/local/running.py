"""The run that is under way in a folder, and how it is asked."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    from mlopsgen.local.state import Run

START = "nothing runs here: start it with `mlopsgen local up`"


def running(arguments: argparse.Namespace) -> Run:
    """The run in the pipeline's folder. Raises `UserFault` if there is none."""
    from mlopsgen.local.state import RunFolder

    folder = RunFolder(Path(arguments.file))
    found = folder.read()
    if found is None or not folder.busy():
        raise UserFault(START)
    return found


def ask(found: Run, action: str, **given: Any) -> Iterator[Any]:
    """What the run answers, line by line. Raises `UserFault` if it does not."""
    from mlopsgen.local.control import Unreachable, call

    try:
        yield from call(found, action, **given)
    except Unreachable as error:
        raise UserFault(f"the run (process {found.pid}) does not answer: {error}") from None
