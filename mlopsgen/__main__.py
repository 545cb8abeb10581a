"""`mlopsgen`, and `python -m mlopsgen`."""

from __future__ import annotations

import os
import sys
from contextlib import suppress

from mlopsgen import startup
from mlopsgen.cli import main

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def run() -> NoReturn:
    """Run one command and end the process at once, without exit handlers: a build is a tenth faster so."""
    startup.prepare()
    code = main()
    startup.keep()
    with suppress(OSError):
        sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    run()
