"""Whether a program finds its libraries, here and in its image: what it imports, what its requirements bring.

Tasks run with the interpreter of mlopsgen, which has what somebody once installed; an image has what its
requirements name. A program that is sure to fail in either is told of before anything is deployed.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from mlopsgen import regular
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.blueprint import LocalTask
from mlopsgen.local.tasks import words_of

SHOWN = 3
"""How many packages are named; the rest is counted."""

NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[[^\]]*\])?\s*(?:(===?)\s*([^\s;#\\,]+))?")


class Unfit(UserFault):
    """A program is sure to fail at its start; the text says where, and what to do."""


class Requirement(NamedTuple):
    """A package that a requirements file names."""

    name: str
    """In lowercase and with hyphens."""
    version: str | None
    """The version that it is locked to."""
    always: bool
    """Whether it is wanted on every machine."""


class Import(NamedTuple):
    """A library that a program is sure to import when it starts."""

    module: str
    """Its first part."""
    file: Path


def check(tasks: Sequence[LocalTask], folder: Path) -> None:
    """Raises `Unfit` if one of `tasks` would fail at its start, here or in its image.

    `folder` is the pipeline's.
    """
    for task in tasks:
        if not (task.is_program and task.requirements and task.folder):
            continue
        named = list(requirements(task.requirements))
        brought = _closure(each.name for each in named)
        for each in imports(words_of(task), task.folder):
            where = f"{_from(each.file, folder)} imports `{each.module}`"
            if find_spec(each.module) is None:
                file = _from(task.requirements, folder)
                raise Unfit(
                    f"`{task.name}` cannot run here: {where}, and {sys.executable} has no such package.\n"
                    f"  Install what {task.name} needs: {sys.executable} -m pip install -r {file}"
                )
            if named and not _is_brought(each.module, brought):
                by = " or ".join(sorted(set(_distributions().get(each.module, ()))))
                raise Unfit(
                    f"`{task.name}` would fail in its image: {where}, which "
                    f"{_from(task.requirements, folder)} does not bring.\n  It is here because of {by}: "
                    f"name that in the requirements, and lock them again"
                )


def differences(tasks: Sequence[LocalTask], folder: Path) -> Iterator[str]:
    """A sentence for each image whose packages, or whose Python, are others than those here."""
    seen: set[str | None] = set()
    here = f"{sys.version_info[0]}.{sys.version_info[1]}"
    for task in tasks:
        if task.image in seen or not (task.is_program and task.requirements):
            continue
        seen.add(task.image)
        if task.python and task.python != here:
            yield f"Python {task.python} of image {task.image}: {here}"
        others = []
        for each in requirements(task.requirements):
            version = _version(each.name)
            if version is None and each.always:
                others.append(f"no {each.name}")
            elif version and each.version and version.partition("+")[0] != each.version.partition("+")[0]:
                others.append(f"{each.name} {version}, not {each.version}")
        if others:
            more = f", and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
            yield f"{_from(task.requirements, folder)}: {'; '.join(others[:SHOWN])}{more}"


def requirements(file: Path) -> Iterator[Requirement]:
    """What a requirements file names, and those files that it includes; nothing if it cannot be read."""
    yield from _required(file.resolve(), set())


def _required(file: Path, seen: set[Path]) -> Iterator[Requirement]:
    if file in seen:
        return
    seen.add(file)
    try:
        lines = regular.text(file).splitlines()
    except (OSError, ValueError):
        return
    for line in map(str.strip, lines):
        if included := re.match(r"(?:-r|--requirement)[\s=]+(\S+)", line):
            yield from _required((file.parent / included[1]).resolve(), seen)
        elif found := NAME.match(line):
            yield Requirement(_normal(found[1]), found[3], ";" not in line.partition("#")[0])


def imports(command: Sequence[str], folder: Path) -> Iterator[Import]:
    """The libraries that a program in `folder` imports in any case, not below an `if` or `try`."""
    seen: set[Path] = set()
    waiting = [file for name in _entries(command) for file in _files(folder, name, starts=True)]
    waiting += [folder / each for each in command[:2] if each.endswith(".py")]
    told: set[str] = set()
    while waiting:
        file = waiting.pop(0)
        if file in seen or not file.is_file():
            continue
        seen.add(file)
        for name in _imported(file, folder):
            if local := list(_files(folder, name)):
                waiting += local
                continue
            top = name.partition(".")[0]
            ours = (folder / top).is_dir() or (folder / f"{top}.py").is_file()
            if top not in told and not ours and top not in sys.stdlib_module_names:
                told.add(top)
                yield Import(top, file)


def _entries(command: Sequence[str]) -> Iterator[str]:
    """The modules that a command starts: `python -m NAME`, `uvicorn NAME:app`."""
    for before, word in zip(("", *command), command, strict=False):
        if before == "-m" and re.fullmatch(r"[\w.]+", word):
            yield word
        elif found := re.fullmatch(r"([A-Za-z_][\w.]*):[A-Za-z_]\w*(\(\))?", word):
            yield found[1]


def _files(folder: Path, name: str, *, starts: bool = False) -> Iterator[Path]:
    """The files that run when module `name` is imported or started, as far as they lie in `folder`."""
    place = folder
    for part in name.split("."):
        place /= part
        if (place / "__init__.py").is_file():
            yield place / "__init__.py"
    if place.with_suffix(".py").is_file():
        yield place.with_suffix(".py")
    if starts and (place / "__main__.py").is_file():
        yield place / "__main__.py"


def _imported(file: Path, folder: Path) -> Iterator[str]:
    """The full names of the modules that a file imports at its top level."""
    try:
        body = ast.parse(regular.read(file)[0]).body
    except (OSError, SyntaxError, ValueError):
        return
    package = file.relative_to(folder).parent.parts
    for each in body:
        if isinstance(each, ast.Import):
            yield from (alias.name for alias in each.names)
        elif isinstance(each, ast.ImportFrom):
            base = package[: len(package) - each.level + 1] if each.level else ()
            name = ".".join((*base, *([each.module] if each.module else [])))
            if name:
                yield name
            # What is taken from a package may be a module of it.
            for alias in each.names:
                if list(_files(folder, f"{name}.{alias.name}".lstrip("."))):
                    yield f"{name}.{alias.name}".lstrip(".")


def _closure(names: Iterator[str]) -> frozenset[str]:
    """The packages of these names, and all that any of them may need."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        try:
            needed = metadata.requires(name) or ()
        except metadata.PackageNotFoundError:
            continue
        waiting += [_normal(match[1]) for each in needed if (match := NAME.match(each))]
    return frozenset(found)


def _is_brought(module: str, packages: frozenset[str]) -> bool:
    if _normal(module) in packages:
        return True
    # A module that belongs to no package was put here by hand: nothing is known of it.
    owners = _distributions().get(module)
    return not owners or any(_normal(each) in packages for each in owners)


@cache
def _distributions() -> dict[str, list[str]]:
    """The packages of each importable name; looking through all takes a moment."""
    return dict(metadata.packages_distributions())


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _normal(name: str) -> str:
    return re.sub(r"[._-]+", "-", name).lower()


def _from(file: Path, folder: Path) -> str:
    """How the user calls a file of the pipeline's folder."""
    found = file.resolve()
    return str(found.relative_to(folder) if found.is_relative_to(folder) else found)
