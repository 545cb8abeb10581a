"""`mlopsgen`, and `python -m mlopsgen`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import NoReturn

from mlopsgen.cli import main


def run() -> NoReturn:
    """Run one command, and end at once: an interpreter that takes itself apart first adds a fortieth."""
    code = main()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
