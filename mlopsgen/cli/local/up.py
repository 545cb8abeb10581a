"""`mlopsgen local up`: deploy, train and serve on this machine."""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from pathlib import Path

from mlopsgen.cli import GOOD, file_of
from mlopsgen.cli.local.start import busy, data_of, gates_of, need_tools, start
from mlopsgen.diagnostics.fault import UserFault


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once it was stopped, or detached and serves. Raises `UserFault` if it cannot run."""
    need_tools()
    data_of(arguments.data)
    gates_of(arguments)
    if arguments.detach and not arguments.detached:
        return _detach(arguments)
    return start(arguments, port=arguments.port, once=arguments.once, detached=arguments.detached)


def _detach(arguments: argparse.Namespace) -> int:
    """Run it in a session of its own, and show what it says until it serves."""
    from mlopsgen.local.state import RunFolder

    folder = RunFolder(Path(file_of(arguments)))
    if folder.busy():
        raise UserFault(busy(folder))
    words = [word for word in sys.argv[1:] if word != "--detach"]
    child = subprocess.Popen(
        [sys.executable, "-m", "mlopsgen", *words, "--detached"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    seen = 0
    try:
        while True:
            code = child.poll()
            seen = _show_new(folder.logs / "up.log", seen)
            if code is not None and code < 0:
                raise UserFault(
                    f"the run was ended by {_signal(-code)}; `mlopsgen local logs` shows the last of it"
                )
            if code is not None:
                if code < 0:
                    raise UserFault(
                        f"the run was ended by {signal.Signals(-code).name}: "
                        "`mlopsgen local logs` shows how far it was"
                    )
                return code
            found = folder.read()
            if found and found.pid == child.pid and found.ready:
                _show_new(folder.logs / "up.log", seen)
                return GOOD
            time.sleep(0.1)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise


def _signal(number: int) -> str:
    """SIGKILL, as people call it."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _show_new(path: Path, seen: int) -> int:
    try:
        with path.open("rb") as file:
            file.seek(seen)
            new = file.read()
    except OSError:
        return seen
    sys.stdout.write(new.decode("utf-8", "replace"))
    sys.stdout.flush()
    return seen + len(new)
