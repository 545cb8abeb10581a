"""`mlopsgen local trigger`: run the job that a trigger starts on AWS."""

from __future__ import annotations

import argparse

from mlopsgen.cli.local.train import run_job


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once the job has ended well. Raises `UserFault` if it cannot or is unknown."""
    return run_job(arguments, trigger=arguments.trigger)
