"""`mlopsgen local`: the whole pipeline on this machine, without an account. One file per action."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mlopsgen.diagnostics.fault import UserFault

ACTIONS = {
    "up": "deploy, train and serve on this machine, until Ctrl-C",
    "status": "show what runs, which model is served, and which metrics arrived",
    "logs": "show what the tasks printed",
    "train": "train with today's pipeline; services that run follow without a failed request",
    "trigger": "run the job that a trigger starts on AWS",
    "predict": "ask the service",
    "restart": "replace the tasks of services and workers, such as after an edit of their program",
    "env": "print the variables for the AWS CLI, or those that a program of the pipeline gets",
    "down": "stop what runs, and clear what a run left",
    "deploy": "run an environment's deploy.sh against an embedded AWS, and list what then exists",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    found = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, summary in ACTIONS.items():
        sub = found.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        sub.set_defaults(parser=sub)
        sub.add_argument(
            "-f",
            "--file",
            dest="option_file",
            metavar="FILE",
            help="the pipeline (default: pipeline.yaml, here or above)",
        )
        _OPTIONS[name](sub)


def _up(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--port", type=_port, help="where the load balancer listens (default: 8080); 0 for any")
    _add_training(sub)
    _add_start(sub)
    sub.add_argument("--detach", action="store_true", help="return when it serves; `local down` stops it")
    sub.add_argument("--once", action="store_true", help="stop after the first predictions")
    sub.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)


def _status(sub: argparse.ArgumentParser) -> None:
    _add_form(sub)


def _logs(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "name", nargs="?", metavar="NAME", help="a job, a service, a worker, `deploy` or `load-balancer`"
    )
    sub.add_argument("--follow", action="store_true", help="go on with what comes")
    sub.add_argument("-n", "--lines", type=int, default=20, help="how many of the last lines (default: 20)")


def _train(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("job", nargs="?", metavar="JOB", help="any job (default: all that produce a model)")
    _add_job(sub)


def _trigger(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("trigger", metavar="NAME", help="the trigger, or JOB.NAME")
    _add_job(sub)


def _predict(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "text",
        nargs="*",
        metavar="TEXT",
        help="what to classify, or JSON (default: the service's own examples)",
    )
    sub.add_argument("--json", metavar="BODY", help="send this JSON instead")
    sub.add_argument("--path", help="where to (default: /predict; for examples, what has some)")


def _restart(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("name", nargs="?", metavar="NAME", help="a service or a worker (default: all that run)")


def _env(sub: argparse.ArgumentParser) -> None:
    sub.add_argument(
        "name", nargs="?", metavar="NAME", help="a job, a service or a worker (default: for the AWS CLI)"
    )
    _add_form(sub, "shell")


def _down(sub: argparse.ArgumentParser) -> None:
    """Nothing but the file."""


def _deploy(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--env", metavar="NAME", help="the environment (default: the only one, or `dev`)")
    sub.add_argument(
        "-d", "--output-dir", metavar="FOLDER", help="where `build` wrote to (default: generated)"
    )
    _add_form(sub)


_OPTIONS: Mapping[str, Callable[[argparse.ArgumentParser], None]] = {
    "up": _up,
    "status": _status,
    "logs": _logs,
    "train": _train,
    "trigger": _trigger,
    "predict": _predict,
    "restart": _restart,
    "env": _env,
    "down": _down,
    "deploy": _deploy,
}


def _add_form(sub: argparse.ArgumentParser, usual: str = "text") -> None:
    sub.add_argument(
        "-o", "--output", choices=(usual, "json"), default=usual, help=f"the form (default: {usual})"
    )


def _add_job(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("-d", "--output-dir", metavar="FOLDER", help="copy the published versions there")
    _add_training(sub)
    _add_start(
        sub.add_argument_group(
            "if nothing runs yet", "Then all that needs no model is deployed, for as long."
        )
    )


def _add_training(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", metavar="PATH", help="a file or folder to put into raw/ first")
    sub.add_argument(
        "--parameter",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=VALUE",
        help="laid over those of the jobs, such as epochs=1",
    )


def _add_start(sub: argparse._ActionsContainer) -> None:
    sub.add_argument("--env", metavar="NAME", help="the environment (default: the only one, or `dev`)")
    sub.add_argument(
        "--minimum",
        action="append",
        type=_pair,
        default=[],
        metavar="METRIC=VALUE",
        help="promote from this value on, whatever the pipeline says",
    )
    sub.add_argument(
        "--maximum",
        action="append",
        type=_pair,
        default=[],
        metavar="METRIC=VALUE",
        help="promote up to this value, whatever the pipeline says",
    )
    sub.add_argument(
        "--containers",
        action="store_true",
        help="build the images, and run tasks as containers (Docker or Podman)",
    )
    sub.add_argument(
        "--build-arg",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=VALUE",
        help="for the images, such as PYTHON_IMAGE=python@sha256:…",
    )


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is not a port: 0 to 65535")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if something fails that the text explains, or nothing runs that could be asked.

    Raises `UserFault` on a system without Unix's processes and locks.
    """
    if not find_spec("fcntl"):
        raise UserFault("`local` needs Linux; on Windows, run it within WSL")
    return int(import_module(f"{__name__}.{arguments.action}").run(arguments))
