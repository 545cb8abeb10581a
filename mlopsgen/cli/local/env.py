"""`mlopsgen local env`: the variables by which a program, or the AWS command line client, meets the run."""

from __future__ import annotations

import argparse
import json
import os
import shlex

from mlopsgen.cli import GOOD
from mlopsgen.cli.local.running import ask, running
from mlopsgen.diagnostics.fault import UserFault


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0. Raises `UserFault` if nothing runs, or there is no workload of the name."""
    [found] = ask(running(arguments), "environment", name=arguments.name)
    if "fault" in found:
        raise UserFault(found["fault"])
    if arguments.output == "json":
        print(json.dumps(found, indent=2))
        return GOOD
    if arguments.name:
        print(f'# {arguments.name} by hand: eval "$(mlopsgen local env {arguments.name})", then')
        print(f"# cd {shlex.quote(found['folder'])} && {shlex.join(found['command'])}")
    else:
        print('# for aws, boto3 and every other client: eval "$(mlopsgen local env)"')
    # A key or a profile that the shell has already would go before the task's own role.
    own = {name for name in os.environ if name.startswith("AWS_")}
    if others := sorted(own - found["variables"].keys()):
        print(f"unset {' '.join(others)}")
    for name, value in sorted(found["variables"].items()):
        print(f"export {name}={shlex.quote(value)}")
    return GOOD
