"""Runs a script for bash whose every `aws` is a fork of one process that has imported the AWS CLI already.

`python -m mlopsgen.local.preloaded WORD ...` runs `bash WORD ...` with a function `aws` that asks this
process. It is the AWS CLI's own code with the caller's arguments, environment, folder and streams; what is
saved are its imports, four fifths of the time of a short call, and a deployment makes dozens of calls.
Without the package `awscli` the script finds whatever `aws` there is. Ends with the script's exit code,
128 + N after signal N.
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import json
import os
import select
import shlex
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

CLIENT = Path(__file__).with_name("asking.py")
LOADED = ("awscli.clidriver", "awscli.handlers")
PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


def main(words: Sequence[str]) -> int:
    """Run the script to its end."""
    if importlib.util.find_spec("awscli") is None:
        os.execvp("bash", ("bash", *words))
    calls, door = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    client = shlex.join((sys.executable, "-I", "-S", str(CLIENT), str(door.fileno())))
    # How bash passes functions on to the scripts that it runs (`export -f`).
    function = {"BASH_FUNC_aws%%": f'() {{ {client} "$@"\n}}'}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(woken, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    script = subprocess.Popen(("bash", *words), env={**os.environ, **function}, pass_fds=(door.fileno(),))
    door.close()
    for number in PASSED:
        signal.signal(number, lambda received, _: script.send_signal(received))
    for each in LOADED:
        importlib.import_module(each)

    # A fork shares what is not written to, and collecting garbage writes to everything.
    gc.freeze()
    while script.poll() is None:
        ready, _, _ = select.select([calls.fileno(), woken], [], [])
        if calls.fileno() in ready:
            _answer(calls)
        if woken in ready:
            os.read(woken, 512)
    return script.returncode if script.returncode >= 0 else 128 - script.returncode


def _answer(calls: socket.socket) -> None:
    """Let a fork be the AWS CLI for the next caller, who learns from it alone how it ends."""
    _, (lent, *streams), _, _ = socket.recv_fds(calls, 1, 4)
    with socket.socket(fileno=lent) as connection:
        child = os.fork()
        if child == 0:
            try:
                if os.fork() == 0:
                    _call(connection, streams)
            except BaseException:
                traceback.print_exc()
            finally:
                # Whatever happened: a fork must never go on as the server.
                os._exit(255)
        os.waitpid(child, 0)
    for each in streams:
        os.close(each)


def _call(connection: socket.socket, streams: Sequence[int]) -> None:
    signal.set_wakeup_fd(-1)
    for number in (*PASSED, signal.SIGCHLD):
        signal.signal(number, signal.SIG_DFL)
    for target, stream in enumerate(streams):
        os.dup2(stream, target)
    with connection.makefile("rb") as asked:
        call = json.load(asked)
    os.chdir(call["folder"])
    # Where the AWS CLI finds its own data: it said so when it was imported.
    data = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}
    os.environ.clear()
    os.environ.update(call["environment"] | data)
    sys.argv = ["aws", *call["words"]]
    try:
        code = importlib.import_module("awscli.clidriver").main()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    sys.stdout.flush()
    connection.sendall(bytes([code & 0xFF]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
