"""`mlopsgen local down`: stop what runs, and clear what a run left."""

from __future__ import annotations

import argparse
import os
import signal
from pathlib import Path

from mlopsgen.cli import GOOD, file_of

STOP_TIME = 150
"""Seconds that a run gets to end: a job may take 120 s of them to save its work."""


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, also if nothing ran."""
    from mlopsgen.local.state import RunFolder, sweep

    folder = RunFolder(Path(file_of(arguments)))
    folder.refuse_others()
    found = folder.read()
    if not folder.root.exists():
        print("nothing runs here")
        return GOOD
    if folder.busy() and found:
        _end(found.pid)
        print("stopped")
    else:
        print("nothing runs here; cleared what the last run left")
    if found:
        sweep(found.run, found.engine)
    folder.remove()
    return GOOD


def _end(pid: int) -> None:
    """Ask a run to end, and wait until it has; it is not asked for ever."""
    import select

    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, patience in ((signal.SIGTERM, STOP_TIME), (signal.SIGKILL, 10)):
            signal.pidfd_send_signal(process, number)
            # One that is suspended (Ctrl-Z) hears of nothing until it goes on.
            signal.pidfd_send_signal(process, signal.SIGCONT)
            if select.select([process], [], [], patience)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(process)
