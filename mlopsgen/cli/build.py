"""`mlopsgen build`: compile, and write what differs."""

from __future__ import annotations

import os
import sys

from mlopsgen.cli import GOOD, REJECTED, add_file, colour, file_of
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.startup.uptodate import known, remember, state

TYPE_CHECKING = False
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

# The lines that these warnings show may hold a secret, and no secret is written anywhere.
_IN_THE_OPEN = frozenset(("W202",))


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
    warnings = known(state(name, output, arguments.env))
    if warnings is not None:
        _say(warnings)
        print(f"{output}: {'up to date' if arguments.check else 'unchanged'}")
        return GOOD
    code, warnings = _compile(name, output, arguments.env, check=arguments.check, verbose=arguments.verbose)
    if code == GOOD and warnings is not None:
        remember(state(name, output, arguments.env), warnings)
    return code


def _compile(
    name: str, output: str, environment: str | None, *, check: bool, verbose: bool
) -> tuple[int, str | None]:
    """The exit code, and the warnings if they may be kept."""
    import gc
    from pathlib import Path

    # All that is made lives until the end, which is near.
    gc.disable()
    from mlopsgen.compile import compile_file

    compiled = compile_file(Path(name), name, _beside(name, output))
    if environment is not None and environment not in compiled.environments:
        there = ", ".join(compiled.environments)
        raise UserFault(f"there is no environment `{environment}`; there are: {there}")
    warnings = _warnings(compiled)
    _say(warnings)
    kept = None if any(each.code in _IN_THE_OPEN for each in compiled.findings) else warnings
    if check:
        from mlopsgen.artifacts import compare

        return _differs(compare(compiled.artifacts, Path(output), environment), Path(output), name), kept
    from mlopsgen.artifacts import write

    _report(write(compiled.artifacts, Path(output), environment), Path(output), verbose=verbose)
    return GOOD, kept


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


def _warnings(compiled: Compiled) -> str:
    if not compiled.findings:
        return ""
    from mlopsgen.cli import sources
    from mlopsgen.diagnostics.text import render

    return render(compiled.findings, sources(compiled.findings), colour=True)


def _say(warnings: str) -> None:
    """Show warnings, in colour where the terminal takes it."""
    if not colour(sys.stderr):
        first, *others = warnings.split("\x1b[")
        warnings = first + "".join(each.partition("m")[2] for each in others)
    print(warnings, end="", file=sys.stderr)
