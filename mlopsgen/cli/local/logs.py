"""`mlopsgen local logs`: what the tasks printed."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlopsgen.cli import GOOD, file_of
from mlopsgen.cli.local.running import nothing_runs
from mlopsgen.diagnostics.fault import UserFault


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `UserFault` if there are no logs, or none of that name."""
    from mlopsgen.local.follow import NoLogs, follow, last
    from mlopsgen.local.state import RunFolder

    folder = RunFolder(Path(file_of(arguments)))
    try:
        for line in last(folder.logs, arguments.name, arguments.lines):
            print(line)
    except NoLogs as error:
        raise UserFault(str(error) if error.args else nothing_runs(Path(file_of(arguments)))) from None
    if arguments.follow:
        for line in follow(folder.logs, arguments.name, folder.busy):
            print(line, flush=True)
    return GOOD
