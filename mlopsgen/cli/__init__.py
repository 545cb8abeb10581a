"""The command line: one file per command."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from mlopsgen.compiler import compile_pipeline
from mlopsgen.diagnostics.diagnostic import Rejected


def main() -> int:
    """Run one command and return its exit code: 0 good, 1 rejected, 2 usage, 70 our own bug."""
    parser = argparse.ArgumentParser(prog="mlopsgen")
    commands = parser.add_subparsers(dest="command", required=True)
    build = commands.add_parser("build")
    build.add_argument("file", nargs="?", default="pipeline.yaml")
    build.add_argument("-o", "--output", default="generated")
    arguments = parser.parse_args()
    try:
        artifacts = compile_pipeline(Path(arguments.file).read_text(), arguments.file)
    except Rejected as rejected:
        for each in rejected.diagnostics:
            print(f"{each.labels[0].span}: {each.code} {each.message}", file=sys.stderr)
        return 1
    for artifact in artifacts:
        target = Path(arguments.output, artifact.path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(artifact.text)
    return 0
