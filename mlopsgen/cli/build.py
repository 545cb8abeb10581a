"""`mlopsgen build`: compile, and write what differs."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from mlopsgen.artifacts import Change, compare, digest, intact, read_manifest, write
from mlopsgen.cli import GOOD, REJECTED, Fault, add_file, file_of

if TYPE_CHECKING:
    from mlopsgen.diagnostics.diagnostic import Diagnostic

OUTPUT = "generated"

SAID = {
    "edited": "overwritten, though edited by hand",
    "kept": "left alone: edited by hand, and no longer built",
    "left over": "no longer built",
    "missing": "missing",
    "removed": "removed",
    "stale": "stale",
    "updated": "updated",
    "written": "written",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    add_file(parser)
    parser.add_argument("-o", "--output", metavar="FOLDER", help="where to write (default: generated)")
    parser.add_argument("--env", metavar="NAME", help="write only this environment")
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 if something is stale")


def run(arguments: argparse.Namespace) -> int:
    """Build, or check. Exit code 1 if the pipeline is rejected, or something is stale."""
    name = file_of(arguments)
    path = Path(name)
    output = Path(arguments.output) if arguments.output else path.parent / OUTPUT
    if not arguments.check and not arguments.env and unchanged(path, output):
        print(f"{output}: unchanged")
        return GOOD
    act = _check if arguments.check else _build
    return act(path, name, output, arguments.env)


def unchanged(path: Path, output: Path) -> bool:
    """Whether the last build read what is there now, by this compiler, and all that it wrote is intact.

    This is decided without the compiler, so that an unchanged build costs next to nothing.
    """
    from mlopsgen import __version__

    manifest = read_manifest(output)
    if not manifest or manifest.get("compiler") != {"name": "mlopsgen", "version": __version__}:
        return False
    inputs = manifest.get("inputs")
    if not isinstance(inputs, dict) or set(inputs) != {path.name}:
        return False
    try:
        if digest(path.read_bytes()) != inputs[path.name]:
            return False
    except OSError:
        return False
    needed = all((path.parent / each).is_file() for each in manifest.get("files", ()))
    return needed and not _compiler_is_newer(output / "manifest.json") and intact(manifest, output)


def _compiler_is_newer(manifest: Path) -> bool:
    """Whether a file of the compiler has changed since the build: in a checkout the version does not tell."""
    import os

    built = manifest.stat().st_mtime
    package = Path(__file__).parent.parent
    return any(
        os.stat(f"{root}/{name}").st_mtime > built  # noqa: PTH116 - a hundred files in a millisecond
        for folder in (package, package.parent / "templates")
        for root, _, names in os.walk(folder)
        for name in names
        if name.endswith((".py", ".j2"))
    )


def _build(path: Path, name: str, output: Path, environment: str | None) -> int:
    from mlopsgen.compiler import compile_file

    compiled = compile_file(path, name)
    _known(environment, compiled.environments)
    changes = write(compiled.artifacts, output, only=environment)
    _warn(compiled.warnings)
    for change in changes:
        if change.kind in ("edited", "kept"):
            print(f"{output / change.path}: {SAID[change.kind]}", file=sys.stderr)
    print(f"{output}: {_summary(changes)}")
    return GOOD


def _check(path: Path, name: str, output: Path, environment: str | None) -> int:
    from mlopsgen.compiler import compile_file

    compiled = compile_file(path, name)
    _known(environment, compiled.environments)
    _warn(compiled.warnings)
    found = [
        change
        for change in compare(compiled.artifacts, output)
        if environment is None or change.path.startswith(f"{environment}/")
    ]
    if not found:
        print(f"{output}: up to date")
        return GOOD
    for change in found:
        said = "edited by hand" if change.kind == "edited" else SAID[change.kind]
        print(f"{output / change.path}: {said}", file=sys.stderr)
    print(f"`mlopsgen build {name}` brings {output} up to date.", file=sys.stderr)
    return REJECTED


def _known(environment: str | None, environments: tuple[str, ...]) -> None:
    if environment is not None and environment not in environments:
        raise Fault(f"there is no environment `{environment}`; there are: {', '.join(environments)}")


def _warn(warnings: tuple[Diagnostic, ...]) -> None:
    if warnings:
        from mlopsgen.cli import colour, sources
        from mlopsgen.diagnostics.text import render

        text = render(warnings, sources(warnings), colour=colour(sys.stderr))
        print(text, end="", file=sys.stderr)


def _summary(changes: tuple[Change, ...]) -> str:
    words = {"written": "written", "updated": "updated", "edited": "updated", "removed": "removed"}
    counts = Counter(words[change.kind] for change in changes if change.kind in words)
    return ", ".join(f"{count} {word}" for word, count in counts.items()) or "unchanged"
