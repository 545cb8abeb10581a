"""`mlopsgen local status`: what runs, which model is served, which metrics arrived."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

from mlopsgen.cli import GOOD
from mlopsgen.cli.local.running import ask, running

SHOWN = 4
"""How many metrics of a version are shown; `-o json` has all."""


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `UserFault` if nothing runs."""
    [status] = ask(running(arguments), "status")
    if arguments.output == "json":
        print(json.dumps(status, indent=2))
        return GOOD
    for line in _described(status):
        print(line)
    return GOOD


def _described(status: Any) -> Iterator[str]:
    minutes = (time.time() - status["since"]) / 60
    doing = "serving" if status["ready"] else "starting"
    yield f"environment   {status['environment']}: {doing}, up {minutes:.0f} min"
    yield f"embedded AWS  {status['aws'] or 'starting'}"
    for name, url in status["urls"].items():
        yield f"load balancer {url}/ ({name})"
    for service in status["services"]:
        healthy = sum(task["state"] in ("healthy", "running") for task in service["tasks"])
        yield f"{service['kind']:<13} {service['name']}: {healthy} of {service['wanted']} healthy"
        for task in service["tasks"]:
            why = f" ({task['reason']})" if task["reason"] else ""
            port = f", port {task['port']}" if task["port"] else ""
            yield f"  {task['id']}  {task['state']}{why}{port}, process {task['pid']}"
    for model in status["models"]:
        yield f"model         {model['name']}: {model['current'] or 'none'} is current"
        for version in model["versions"]:
            yield f"  {version}{_measured(model['metrics'].get(version, {}))}"
    if status["metrics"]:
        yield f"metrics       {', '.join(status['metrics'])}"
    yield f"logs          {status['logs']}"


def _measured(metrics: Mapping[str, Any]) -> str:
    """What was measured of a version, as far as it is numbers."""
    numbers = {
        name: value
        for name, value in metrics.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    }
    return "".join(f"  {name} {value:.4g}" for name, value in list(numbers.items())[:SHOWN])
