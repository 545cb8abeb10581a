"""The command line: all stages, or some, told by the environment and by options."""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from train import log, processes, tracking
from train.errors import Failed, Fault, Stopped
from train.settings import TYPES, Settings, from_environment
from train.stages import STAGES, Run

TERMINATED = 128 + signal.SIGTERM
OUTSIDE = frozenset(
    (
        errno.EACCES,
        errno.EDQUOT,
        errno.EEXIST,
        errno.EIO,
        errno.EISDIR,
        errno.ENOSPC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    )
)
"""Faults of disks and folders that are not the program's."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the stages; return the exit code: 0 published, 1 rejected, 2 usage, 143 stopped by SIGTERM."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = _parser()
    options = parser.parse_args(given)
    if unknown := [name for name in options.stages if name not in STAGES]:
        parser.error(f"there is no stage {unknown[0]}: stages are {', '.join(STAGES)}")
    if options.stages and not options.work:
        parser.error("stages that run apart need --work DIR, where they leave what the next one reads")
    if "RANK" in os.environ and options.stages != ["fit"]:
        parser.error("several processes share the stage fit alone: run the others before and after torchrun")
    signal.signal(signal.SIGTERM, _terminated)
    try:
        told = {key: value for key, value in vars(options).items() if isinstance(value, str)}
        settings = from_environment(os.environ, told)
        if processes.one_of_several(settings.hyperparameters):
            processes.hold()
        _run(settings, options.stages or list(STAGES), options.work, _hyperparameters(options))
    except Fault as fault:
        return _rejected(fault)
    except OSError as error:
        if error.errno not in OUTSIDE:
            raise
        return _rejected(Fault(str(error), "see that the place exists, has room, and may be written to"))
    except Failed as failed:
        return failed.code
    except Stopped:
        return TERMINATED
    except KeyboardInterrupt:
        return 130
    return 0


def _run(settings: Settings, stages: Sequence[str], work: str | None, options: Sequence[str]) -> None:
    if "publish" in stages and not settings.model_uri:
        raise Fault(
            "there is no place to publish to", "set MODEL_URI or --output to s3://BUCKET/PREFIX/ or a folder"
        )
    tracking.check(settings)
    with tempfile.TemporaryDirectory(prefix="train-") as temporary:
        run = Run(settings, Path(work or temporary))
        run.work.mkdir(parents=True, exist_ok=True)
        trigger = {"trigger": settings.trigger} if settings.trigger else {}
        log.say(
            "started",
            model=settings.name,
            architecture=settings.hyperparameters.architecture,
            stages=" ".join(stages),
            **trigger,
        )
        started = time.monotonic()
        for name in (name for name in STAGES if name in stages):
            begun = time.monotonic()
            count = processes.wanted(settings.hyperparameters) if name == "fit" else 1
            if count > 1:
                processes.start(count, options, run.work)
            else:
                STAGES[name](run)
            log.say("done", stage=name, seconds=round(time.monotonic() - begun, 2))
        log.say("finished", seconds=round(time.monotonic() - started, 2))


def _rejected(fault: Fault) -> int:
    if sys.stdout.isatty():
        print(f"error: {fault}", file=sys.stderr)
    else:
        log.say("failed", level="error", message=fault.message, help=fault.help)
    return 1


def _terminated(number: int, frame: FrameType | None) -> NoReturn:
    """Outside of training there is nothing to save."""
    raise Stopped


def _hyperparameters(options: argparse.Namespace) -> list[str]:
    """The hyperparameters and places among the options, as they are written."""
    given = {name: getattr(options, name) for name in (*TYPES, "name", "output", "checkpoints")}
    return [f"--{name.replace('_', '-')}={value}" for name, value in given.items() if value is not None]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m train",
        description="Train a text classifier and publish it. What no option says, the environment does.",
    )
    parser.add_argument("stages", nargs="*", metavar="STAGE", help=f"some of: {', '.join(STAGES)}; else all")
    parser.add_argument("--name", help="the model's name; else MODEL_NAME")
    parser.add_argument("--output", help="where versions are published; else MODEL_URI")
    parser.add_argument("--checkpoints", help="where checkpoints are kept; else CHECKPOINT_URI")
    parser.add_argument("--work", metavar="DIR", help="folder of the stages' results; else a temporary one")
    group = parser.add_argument_group("hyperparameters", "These win over PARAMETERS.")
    for name, (_, about) in TYPES.items():
        group.add_argument(f"--{name.replace('_', '-')}", dest=name, metavar="VALUE", help=about.says)
    return parser
