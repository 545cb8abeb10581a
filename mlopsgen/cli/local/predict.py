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
    from mlopsgen.local.predict import PATH, Example, Unpredictable, examples, predict

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
    text = " ".join(arguments.text)
    body = arguments.json or (text if text.startswith(("{", "[")) else None)
    try:
        if body:
            asked: Sequence[Example] = [Example(json.loads(body))]
        elif text:
            asked = [Example({"text": text})]
        else:
            path, asked = examples([url, *tasks], arguments.path)
        for each in asked:
            if not (text or body):
                print(each.text)
            print(predict(url, each, path))
    except ValueError as error:
        raise UserFault(f"{'--json' if arguments.json else body}: {error}") from None
    except Unpredictable as error:
        hint = "" if body or not text else '\n  TEXT is sent as {"text": "…"}; anything else with --json'
        raise UserFault(f"{error}{hint}") from None
    return GOOD
