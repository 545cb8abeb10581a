"""`mlopsgen local restart`: replace the tasks of services and workers, such as after an edit."""

from __future__ import annotations

import argparse

from mlopsgen.cli import GOOD
from mlopsgen.cli.local.running import ask, running, show


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once the new tasks are healthy. Raises `UserFault` if they are not: the old ones stay."""
    told = ask(running(arguments), "restart", name=arguments.name)
    show(told, "the run was stopped before all tasks were replaced")
    return GOOD
