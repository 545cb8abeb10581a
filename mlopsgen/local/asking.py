"""Asks the process that has imported the AWS CLI to be it once: `python asking.py DOOR WORD ...`.

DOOR is the number of the socket on which that process hears. Imports the standard library only, and little of
it: this runs for each `aws` of a script.
"""

from __future__ import annotations

import json
import os
import socket
import sys


def main(door: int, words: list[str]) -> int:
    """Lend it this call's words, environment, folder and streams; the exit code, 255 if it gives none."""
    ours, lent = socket.socketpair()
    with ours, socket.socket(fileno=door) as calls:
        with lent:
            socket.send_fds(calls, [b"\0"], [lent.fileno(), 0, 1, 2])
        folder = os.getcwd()  # noqa: PTH109 - pathlib costs more than the whole call
        call = {"words": words, "folder": folder, "environment": dict(os.environ)}
        ours.sendall(json.dumps(call).encode())
        ours.shutdown(socket.SHUT_WR)
        answer = ours.recv(1)
    return answer[0] if answer else 255


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
