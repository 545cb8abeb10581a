"""The first process of a task: passes signals on, collects the dead, and leaves nobody behind.

`python guard.py LIFELINE AFTER COMMAND ...` stands where ECS puts its init process. It ends the whole task at
once when the other end of the pipe LIFELINE closes, that is when whoever started it is gone, however that
happened. AFTER is a JSON list of commands to run when the task has ended. Ends with the command's own exit
code, 128 + N after signal N, 127 if there is no such command.

Imports the standard library only, and little of it: there is one guard beside each task.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36


def main(lifeline: int, after: list[list[str]], command: list[str]) -> int:
    """Run `command` to its end, or to the end of the lifeline."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake)
    passed = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
    for number in (*passed, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    child = _start(command)
    code: int | None = None
    while code is None:
        ready, _, _ = select.select([lifeline, woken], [], [])
        if lifeline in ready:
            break
        for received in os.read(woken, 512):
            if received in passed:
                # To the command alone, as ECS does it: how its children end is its own business.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(child, received)
        code = _reap(child)
    left = _end_descendants(child)
    for each in after:
        with contextlib.suppress(OSError):
            _wait(_start(each))
    return left if code is None else code


def _start(command: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    try:
        os.setpgid(0, 0)
        _prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.execvp(command[0], command)
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(127)


def _reap(child: int) -> int | None:
    """Collect whoever has ended; the exit code if `child` is among them."""
    code = None
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid == child:
                code = _code(status)
    return code


def _wait(child: int) -> int:
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return _code(status)


def _code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _end_descendants(child: int) -> int:
    """Kill all that is left of the task, wherever it hid: orphans come to this process, their subreaper."""
    code = 128 + signal.SIGKILL
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child, signal.SIGKILL)
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            pid, status = os.waitpid(-1, 0)
        except ChildProcessError:
            return code
        if pid == child:
            code = _code(status)


def _children() -> list[int]:
    found: list[int] = []
    me = str(os.getpid()).encode()
    try:
        names = os.listdir("/proc")  # noqa: PTH208 - pathlib costs more than the whole guard
    except OSError:
        return found
    for name in names:
        if name.isdecimal():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123
                # The name in parentheses may hold anything; state and parent follow it.
                if file.read().rpartition(b")")[2].split()[1] == me:
                    found.append(int(name))
    return found


def _prctl(option: int, value: int) -> None:
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None).prctl(option, ctypes.c_ulong(value), 0, 0, 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), json.loads(sys.argv[2]), sys.argv[3:]))
