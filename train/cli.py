"""The command line: all stages, or some, told by the environment and by options."""

from __future__ import annotations

import argparse
import dataclasses
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from train import log
from train.errors import Fault, Stopped
from train.settings import Hyperparameters, Settings, from_environment
from train.stages import STAGES, Run

TERMINATED = 128 + signal.SIGTERM


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages; return the exit code: 0 published, 1 rejected, 2 usage, 143 stopped by SIGTERM."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, _terminated)
    try:
        given = {key: value for key, value in vars(options).items() if isinstance(value, str)}
        settings = from_environment(os.environ, given)
        _run(settings, options.stages or list(STAGES), options.work)
    except Fault as fault:
        if sys.stdout.isatty():
            print(f"error: {fault}", file=sys.stderr)
        else:
            log.say("failed", level="error", message=fault.message, help=fault.help)
        return 1
    except Stopped:
        return TERMINATED
    except KeyboardInterrupt:
        return 130
    return 0


def _run(settings: Settings, stages: Sequence[str], work: str | None) -> None:
    with tempfile.TemporaryDirectory(prefix="train-") as temporary:
        run = Run(settings, Path(work or temporary))
        run.work.mkdir(parents=True, exist_ok=True)
        given = settings.hyperparameters
        log.say("started", model=settings.name, architecture=given.architecture, stages=" ".join(stages))
        started = time.monotonic()
        for name in (name for name in STAGES if name in stages):
            begun = time.monotonic()
            STAGES[name](run)
            log.say("done", stage=name, seconds=round(time.monotonic() - begun, 2))
        log.say("finished", seconds=round(time.monotonic() - started, 2))


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """Outside of training there is nothing to save."""
    raise Stopped


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train a text classifier and publish it. Without options the environment says everything.",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"some of: {', '.join(STAGES)}; else all")
    parser.add_argument("--name", help="the model's name; else MODEL_NAME")
    parser.add_argument("--output", help="where versions are published; else MODEL_URI")
    parser.add_argument("--checkpoints", help="where checkpoints are kept; else CHECKPOINT_URI")
    parser.add_argument("--work", metavar="DIR", help="folder of the stages' results; else a temporary one")
    group = parser.add_argument_group("hyperparameters", "These win over HYPERPARAMETERS.")
    for each in dataclasses.fields(Hyperparameters):
        option = "--" + each.name.replace("_", "-")
        group.add_argument(option, dest=each.name, metavar="VALUE", help=each.metadata["says"])
    return parser
