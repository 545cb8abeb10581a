"""`mlopsgen local deploy`: an environment's deploy.sh, run against an embedded AWS."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from mlopsgen.cli import GOOD, file_of
from mlopsgen.cli.build import OUTPUT
from mlopsgen.diagnostics.fault import UserFault


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once it is deployed. Raises `UserFault` if it cannot be."""
    from mlopsgen.local.deploy import deploy
    from mlopsgen.local.embedded import apart, embedded_aws
    from mlopsgen.local.inventory import inventory
    from mlopsgen.manifest import read_manifest

    generated = Path(arguments.output_dir or Path(file_of(arguments)).with_name(OUTPUT))
    manifest = read_manifest(generated)
    if not manifest:
        raise UserFault(f"{generated} holds nothing that was built: run `mlopsgen build` first")
    name = _environment(arguments.env, list(manifest["environments"]))
    facts = manifest["environments"][name]
    quiet = arguments.output == "json"

    def say(line: str) -> None:
        if not quiet:
            print(line, flush=True)

    with apart(), embedded_aws(facts["region"], generated / name) as aws:
        say(f"embedded AWS on {aws.endpoint}, region {aws.region}")
        deploy(aws, generated / name, facts, say)
        found = list(inventory(aws, facts["prefix"]))
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
        raise UserFault(f"there is no environment `{name}`: choose one with --env from {', '.join(known)}")
    return name
