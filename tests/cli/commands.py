"""How the tests of the command line call it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.tools import BIN

MLOPSGEN = str(BIN / "mlopsgen")


def run(
    *arguments: str | Path, cwd: Path, env: Mapping[str, str] | None = None, stdin: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of ours as a process of its own."""
    return subprocess.run(
        [MLOPSGEN, *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "80", **(env or {})},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
    )
