"""`mlopsgen build`: compile, and write what differs."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from mlopsgen.cli import GOOD, REJECTED, add_file, file_of
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.manifest import known, remember, state

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable
    from pathlib import Path

    from mlopsgen.artifacts import Change
    from mlopsgen.compile import Compiled

OUTPUT = "generated"

WORDS = {"written": "written", "updated": "updated", "overwritten": "updated", "removed": "removed"}
DONE = {
    "overwritten": "had been edited by hand, and was overwritten",
    "kept": "is no longer built, but was edited by hand: left alone",
}
DIFFERENT = {
    "edited": "edited by hand",
    "in the way": "not written by mlopsgen",
    "left over": "no longer built",
    "missing": "missing",
    "stale": "stale",
    "unfinished": "left by a build that was killed",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_file(parser)
    parser.add_argument("-d", "--output-dir", metavar="FOLDER", help="where to write (default: generated)")
    parser.add_argument("--env", metavar="NAME", help="only this environment")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is stale")
    parser.add_argument("-v", "--verbose", action="store_true", help="name each file that is written")


def run(arguments: argparse.Namespace) -> int:
    """Build, or check. Exit code 1 if the pipeline is rejected, or something is stale."""
    name = file_of(arguments)
    output = arguments.output_dir or os.path.join(os.path.dirname(name), OUTPUT)
    if known(state(name, output, arguments.env)):
        print(f"{output}: {'up to date' if arguments.check else 'unchanged'}")
        return GOOD
    code = _compile(name, output, arguments.env, check=arguments.check, verbose=arguments.verbose)
    if code == GOOD:
        remember(state(name, output, arguments.env))
    return code


def _compile(name: str, output: str, environment: str | None, *, check: bool, verbose: bool) -> int:
    import gc
    from pathlib import Path

    # All that is made lives until the end, which is near.
    gc.disable()
    from mlopsgen.compile import compile_file

    compiled = compile_file(Path(name), name, _beside(name, output))
    if environment is not None and environment not in compiled.environments:
        there = ", ".join(compiled.environments)
        raise UserFault(f"there is no environment `{environment}`; there are: {there}")
    _warn(compiled)
    if check:
        from mlopsgen.artifacts import compare

        return _differs(compare(compiled.artifacts, Path(output), environment), Path(output), name)
    from mlopsgen.artifacts import write

    _report(write(compiled.artifacts, Path(output), environment), Path(output), verbose=verbose)
    return GOOD


def _beside(name: str, output: str) -> str:
    """The output folder from the pipeline's; one that lies elsewhere is called as if it lay there."""
    path = os.path.relpath(output, os.path.dirname(name) or os.curdir).replace(os.sep, "/")
    return OUTPUT if path.startswith("..") or os.path.isabs(path) else path


def _differs(found: tuple[Change, ...], output: Path, name: str) -> int:
    for change in found:
        print(f"{output / change.path}: {DIFFERENT[change.kind]}", file=sys.stderr)
    if found:
        print(f"`mlopsgen build {name}` brings {output} up to date.", file=sys.stderr)
        return REJECTED
    print(f"{output}: up to date")
    return GOOD


def _report(changes: tuple[Change, ...], output: Path, *, verbose: bool) -> None:
    for change in changes:
        if verbose and change.kind in WORDS:
            print(f"{WORDS[change.kind]} {output / change.path}")
        if change.kind in DONE:
            print(f"{output / change.path} {DONE[change.kind]}", file=sys.stderr)
    print(f"{output}: {_summary(change.kind for change in changes)}")


def _summary(kinds: Iterable[str]) -> str:
    said = [WORDS[kind] for kind in kinds if kind in WORDS]
    return ", ".join(f"{said.count(word)} {word}" for word in dict.fromkeys(said)) or "unchanged"


def _warn(compiled: Compiled) -> None:
    if compiled.findings:
        from mlopsgen.cli import colour, sources
        from mlopsgen.diagnostics.text import render

        text = render(compiled.findings, sources(compiled.findings), colour=colour(sys.stderr))
        print(text, end="", file=sys.stderr)
