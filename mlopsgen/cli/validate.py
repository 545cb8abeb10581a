"""`mlopsgen validate`: everything that is wrong, for people or for programs."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mlopsgen.cli import GOOD, REJECTED, add_file, colour, file_of, sources

if TYPE_CHECKING:
    from mlopsgen.diagnostics.diagnostic import Diagnostic


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_file(parser)
    parser.add_argument(
        "-o",
        "--output",
        choices=("text", "json", "sarif", "github"),
        default="text",
        help="the form: for whom it is (default: text)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if there is an error; warnings alone are good."""
    from mlopsgen.compile import compile_file
    from mlopsgen.diagnostics.diagnostic import Rejected, errors

    name = file_of(arguments)
    try:
        found = compile_file(Path(name), name).findings
    except Rejected as rejected:
        found = rejected.diagnostics
    _say(arguments.output, name, found)
    return REJECTED if errors(found) else GOOD


def _say(form: str, name: str, found: tuple[Diagnostic, ...]) -> None:
    from mlopsgen.diagnostics import machine, text
    from mlopsgen.rules.catalogue import stories

    if form == "json":
        print(machine.to_json(found), end="")
    elif form == "sarif":
        print(machine.to_sarif(found, stories()), end="")
    elif form == "github":
        print(machine.to_github(found), end="")
    elif found:
        print(text.render(found, sources(found), colour=colour(sys.stdout)), end="")
    else:
        print(f"{name}: nothing is wrong")
