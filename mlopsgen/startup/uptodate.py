"""Whether a build has anything to do: what the last ones ended in, and what they warned of.

Imports next to nothing, not even pathlib, and so takes a tenth of the time that a build takes.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys

from mlopsgen import __version__, regular
from mlopsgen.manifest import MANIFEST, STAGE, Unwritable, digest, read_manifest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# What the compiler imports. Their files are looked at too: installing a package touches the folder that it is
# installed to, and editing one does not.
_PACKAGES = (
    "annotated_types", "jinja2", "markupsafe", "pydantic", "pydantic_core", "troposphere",
    "typing_inspection", "yaml",
)  # fmt: skip

_MEMORY = 64 * 1024
"""Bytes, of which a state takes 68 and its warnings a few hundred each."""


def state(pipeline: str, output: str, environment: str | None) -> str | None:
    """The digest of everything that decides what a build would do, or None if it is not all there.

    That is this compiler with all that it is made of, the files that it reads, what has to be there, and
    every byte of the output. The manifest alone cannot tell: it comes with Git, and knows neither the source
    of this compiler nor the packages beside it.
    """
    total = hashlib.sha256(repr(environment).encode())
    try:
        manifest = read_manifest(output)
        if not manifest:
            return None
        for fact in (*_compiler(), *_inputs(manifest, pipeline), *_outputs(manifest, output)):
            total.update(f"{fact}\n".encode("utf-8", "surrogateescape"))
    except (OSError, Unwritable):
        return None
    return total.hexdigest()


def _compiler() -> Iterator[object]:
    """What Python itself goes by to use compiled code again: time and size of each source file."""
    yield sys.version, __version__
    yield from _sources(PACKAGE)
    if not os.path.isdir(os.path.join(PACKAGE, "templates")):
        yield from _sources(os.path.join(os.path.dirname(PACKAGE), "templates"))
    for folder in sys.path:
        if os.path.basename(folder) in ("site-packages", "dist-packages"):
            yield folder, os.stat(folder).st_mtime_ns
            for package in _PACKAGES:
                if os.path.isdir(path := os.path.join(folder, package)):
                    yield from _sources(path)


def _sources(folder: str) -> Iterator[object]:
    folders = []
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda each: each.name):
            if entry.is_dir():
                if entry.name != "__pycache__":
                    folders.append(entry.path)
            else:
                found = entry.stat()
                yield entry.path, found.st_mtime_ns, found.st_size
    for each in folders:
        yield from _sources(each)


def _inputs(manifest: dict[str, Any], pipeline: str) -> Iterator[object]:
    """The pipeline's bytes; of what only has to be there, what it is and where it really lies."""
    folder, name = os.path.split(os.path.realpath(pipeline))
    yield sorted(manifest["inputs"]), os.path.basename(pipeline), name
    yield digest(regular.read(pipeline)[0])
    for path in manifest["files"]:
        real = os.path.realpath(os.path.join(folder, path))
        kind = stat.S_IFMT(os.stat(real).st_mode) if os.path.exists(real) else None
        yield path, real.removeprefix(folder), kind


def _outputs(manifest: dict[str, Any], output: str) -> Iterator[object]:
    if os.path.lexists(stage := os.path.join(output, STAGE)):
        raise Unwritable(f"{stage} is what a build left that was killed")
    for path in (MANIFEST, *manifest["outputs"]):
        at = os.path.join(output, path)
        content, found = regular.read(at)
        yield path, os.path.islink(at), found.st_mode & 0o111 != 0, digest(content)


def known(state: str | None) -> str | None:
    """What a build that ended in this state before warned of, so that another would change nothing.

    None if there was none that is remembered.
    """
    if state is None:
        return None
    try:
        lines = regular.read(_memory())[0].decode().split("\n")
        return next((str(json.loads(line[len(state) :])) for line in lines if line.startswith(state)), None)
    except (OSError, ValueError):
        return None


def remember(state: str | None, warnings: str) -> None:
    """Note that a build ended in this state. It is only a matter of speed: failing does not matter."""
    if state is None or known(state) is not None:
        return
    path = _memory()
    if os.path.lexists(path) and not os.path.isfile(path):
        return
    try:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as file:
            file.write(f"{state} {json.dumps(warnings)}\n".encode())
            full = file.tell() > _MEMORY
        if full:
            with open(path, "rb") as file:
                newest = file.read()[-_MEMORY // 2 :]
            fresh = f"{path}.{os.getpid()}"
            with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(newest.partition(b"\n")[2])
            os.replace(fresh, path)
    except OSError:
        return


def _memory() -> str:
    """In the user's cache folder (XDG Base Directory Specification)."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(cache):
        cache = os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(cache, "mlopsgen", "built")
