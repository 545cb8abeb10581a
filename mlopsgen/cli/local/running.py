"""The run that is under way in a folder, and how it is asked."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlopsgen.cli import file_of
from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    from mlopsgen.local.state import Run

START = "nothing runs here: start it with `mlopsgen local up`"


def running(arguments: argparse.Namespace) -> Run:
    """The run in the pipeline's folder. Raises `UserFault` if there is none."""
    from mlopsgen.local.state import RunFolder

    path = Path(file_of(arguments))
    folder = RunFolder(path)
    found = folder.read()
    if found is None or not folder.busy():
        raise UserFault(nothing_runs(path))
    return found


def nothing_runs(pipeline: Path) -> str:
    """What to say where no run is under way."""
    if not pipeline.exists():
        return f"there is no {pipeline} here or above: go to the folder of the pipeline, or name it with -f"
    return START


def show(told: Iterator[Any], stopped: str) -> None:
    """Print what a run says of its work, to the end. Raises `UserFault` if it fails, or with `stopped`."""
    ended = False
    for each in told:
        if "fault" in each:
            raise UserFault(each["fault"])
        if "line" in each:
            print(each["line"], flush=True)
        ended = ended or bool(each.get("done"))
    if not ended:
        raise UserFault(stopped)


def ask(found: Run, action: str, **given: Any) -> Iterator[Any]:
    """What the run answers, line by line. Raises `UserFault` if it does not."""
    from mlopsgen.local.control import Unreachable, call

    try:
        yield from call(found, action, **given)
    except Unreachable as error:
        raise UserFault(f"the run (process {found.pid}) does not answer: {error}") from None
