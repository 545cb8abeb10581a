"""`mlopsgen local`: rehearse the deployment without an account."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mlopsgen.cli import GOOD, Fault
from mlopsgen.manifest import read_manifest


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    deploy = actions.add_parser(
        "deploy",
        help="run an environment's deploy.sh against an embedded AWS, and list what then exists",
        description="Run an environment's deploy.sh against an embedded AWS, and list what then exists.",
    )
    deploy.add_argument("--env", metavar="NAME", help="the environment (default: the only one, or `dev`)")
    deploy.add_argument("-d", "--generated", metavar="FOLDER", default="generated", help="what was built")
    deploy.add_argument("-o", "--output", choices=("text", "json"), default="text", help="the list's form")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if a stack cannot be deployed."""
    from mlopsgen.local.deploy import DeploymentFailed, deploy
    from mlopsgen.local.embedded import Unavailable, embedded_aws
    from mlopsgen.local.inventory import inventory

    generated = Path(arguments.generated)
    manifest = read_manifest(generated)
    if not manifest:
        raise Fault(f"{generated} holds nothing that was built: run `mlopsgen build` first")
    name = _environment(arguments.env, list(manifest["environments"]))
    facts = manifest["environments"][name]
    quiet = arguments.output == "json"

    def say(line: str) -> None:
        if not quiet:
            print(line, flush=True)

    try:
        with embedded_aws(facts["region"]) as aws:
            say(f"embedded AWS on {aws.endpoint}, region {aws.region}")
            deploy(aws, generated / name, facts["repositories"], facts["afterImages"], say)
            found = list(inventory(aws, facts["prefix"]))
    except (Unavailable, DeploymentFailed) as error:
        raise Fault(str(error)) from None
    if quiet:
        print(json.dumps({each.call: list(each.names) for each in found}, indent=2))
        return GOOD
    say("\nwhat now exists, as each service reports it:")
    for each in found:
        say(f"  aws {each.call}")
        for item in each.names:
            say(f"    {item}")
    return GOOD


def _environment(wanted: str | None, known: list[str]) -> str:
    name = wanted or (known[0] if len(known) == 1 else "dev")
    if name not in known:
        raise Fault(f"there is no environment `{name}`: choose one with --env from {', '.join(known)}")
    return name
