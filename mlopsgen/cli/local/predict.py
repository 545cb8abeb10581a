"""`mlopsgen local predict`: ask the service."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from mlopsgen.cli import GOOD
from mlopsgen.cli.local.running import ask, running
from mlopsgen.diagnostics.fault import UserFault


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once there are answers. Raises `UserFault` if there are none to be had."""
    from mlopsgen.local.predict import PATH, Example, examples, predict

    if arguments.json and arguments.text:
        raise UserFault("give a text or --json, not both")
    [status] = ask(running(arguments), "status")
    if not status["ready"]:
        raise UserFault("nothing is served yet: `mlopsgen local logs --follow` shows how far it is")
    if not status["urls"]:
        raise UserFault("no service has a route, so there is nobody to ask")
    url = next(iter(status["urls"].values()))
    tasks = [
        f"http://127.0.0.1:{task['port']}"
        for service in status["services"]
        for task in service["tasks"]
        if task["port"]
    ]
    path = arguments.path or PATH
    try:
        if arguments.json:
            asked: Sequence[Example] = [Example(json.loads(arguments.json))]
        elif arguments.text:
            asked = [Example({"text": " ".join(arguments.text)})]
        else:
            path, asked = examples([url, *tasks], arguments.path)
        for each in asked:
            if not (arguments.text or arguments.json):
                print(each.text)
            print(predict(url, each, path))
    except ValueError as error:
        raise UserFault(f"--json: {error}") from None
    return GOOD
