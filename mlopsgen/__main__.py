"""`mlopsgen`, and `python -m mlopsgen`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from mlopsgen import startup
from mlopsgen.cli import main


def run() -> NoReturn:
    """Run one command and end the process at once, without exit handlers: they take a fortieth of a build."""
    startup.prepare()
    code = main()
    startup.keep()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
