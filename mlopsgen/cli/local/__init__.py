"""`mlopsgen local`: the whole pipeline on this machine, without an account. One file per action."""

from __future__ import annotations

import argparse
import json
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from mlopsgen.diagnostics.fault import UserFault


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name != "deploy":
            sub.add_argument(
                "-f",
                "--file",
                default="pipeline.yaml",
                metavar="FILE",
                help="the pipeline (default: pipeline.yaml)",
            )
        return sub

    up = action("up", "deploy, train and serve on this machine, until Ctrl-C")
    up.add_argument("--port", type=_port, help="where the load balancer listens (default: 8080); 0 for any")
    _add_training(up)
    _add_start(up)
    up.add_argument("--detach", action="store_true", help="return when it serves; `local down` stops it")
    up.add_argument("--once", action="store_true", help="stop after the first predictions")
    up.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)

    status = action("status", "show what runs, which model is served, and which metrics arrived")
    status.add_argument("-o", "--output", choices=("text", "json"), default="text", help="the form")

    logs = action("logs", "show what the tasks printed")
    logs.add_argument(
        "name", nargs="?", metavar="NAME", help="a job, a service, a worker, `deploy` or `load-balancer`"
    )
    logs.add_argument("--follow", action="store_true", help="go on with what comes")
    logs.add_argument("-n", "--lines", type=int, default=20, help="how many of the last lines (default: 20)")

    train = action("train", "train; services that run follow without a failed request")
    train.add_argument("job", nargs="?", metavar="JOB", help="any job (default: all that produce a model)")
    _add_job(train)

    trigger = action("trigger", "run the job that a trigger starts on AWS")
    trigger.add_argument("trigger", metavar="NAME", help="the trigger, or JOB.NAME")
    _add_job(trigger)

    predict = action("predict", "ask the service")
    predict.add_argument(
        "text", nargs="*", metavar="TEXT", help="what to classify (default: the service's examples)"
    )
    predict.add_argument("--json", metavar="BODY", help="send this JSON instead")
    predict.add_argument("--path", help="where to (default: /predict; for examples, what has some)")

    action("down", "stop what runs, and clear what a run left")

    deploy = action(
        "deploy", "run an environment's deploy.sh against an embedded AWS, and list what then exists"
    )
    deploy.add_argument("--env", metavar="NAME", help="the environment (default: the only one, or `dev`)")
    deploy.add_argument("-d", "--generated", metavar="FOLDER", default="generated", help="what was built")
    deploy.add_argument("-o", "--output", choices=("text", "json"), default="text", help="the list's form")


def _add_job(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--output", metavar="FOLDER", help="copy the published versions there")
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
