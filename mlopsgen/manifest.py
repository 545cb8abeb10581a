"""The list of what was built, as the output folder keeps it, and what can be said by it alone.

Imports next to nothing, not even pathlib: whether a build has anything to do is decided before the
compiler is imported.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator

from mlopsgen import __version__, regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MANIFEST = "manifest.json"
STAGE = ".mlopsgen-build"
"""The folder in the output folder where files are written before they are moved to their places."""

SCHEMA = "mlopsgen.io/manifest/v1"

_MEMORY = 64 * 1024
"""Bytes, of which a state takes 68 and its warnings a few hundred each."""


class Unwritable(Exception):
    """The output folder cannot be written as it is; nothing was changed. The text says what to do."""


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal of a text, however its lines end: Git may check it out with other line ends."""
    return hashlib.sha256(unix_lines(content)).hexdigest()


def unix_lines(content: bytes) -> bytes:
    """The same text with lines that end as we write them."""
    return content.replace(b"\r\n", b"\n")


def read_manifest(output: str | os.PathLike[str]) -> dict[str, Any]:
    """What the last build says that it wrote; empty if there was none. Raises `Unwritable` if broken."""
    path = os.path.join(output, MANIFEST)
    try:
        content, _ = regular.read(path)
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise Unwritable(f"cannot read {path}: {error.strerror}") from None
    try:
        manifest = json.loads(content)
    except ValueError:
        raise Unwritable(
            f"{path} is not as mlopsgen wrote it (a merge conflict?). Restore it from Git, or take the whole "
            "folder away, and build again."
        ) from None
    if not _ours(manifest):
        raise Unwritable(
            f"{path} was not written by this version of mlopsgen. "
            "Choose another folder with -d, or move it away."
        )
    return manifest  # type: ignore[no-any-return]


def _ours(manifest: Any) -> bool:
    """Whether it says what a manifest says, and names no file outside its folder."""
    return (
        isinstance(manifest, dict)
        and manifest.get("schema") == SCHEMA
        and all(isinstance(manifest.get(key), dict) for key in ("environments", "inputs", "outputs"))
        and isinstance(manifest.get("files"), list)
        and all(isinstance(path, str) for path in manifest["files"])
        and all(isinstance(each, str) for each in manifest["outputs"].values())
        and all(
            {"", ".", ".."}.isdisjoint(path.split("/")) and "\0" not in path for path in manifest["outputs"]
        )
    )


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
    """What Python itself goes by to use compiled code again: time and size of each source file.

    Installing a package touches the folder that it is installed to.
    """
    yield sys.version, __version__
    package = os.path.dirname(os.path.abspath(__file__))
    yield from _sources(package)
    if not os.path.isdir(os.path.join(package, "templates")):
        yield from _sources(os.path.join(os.path.dirname(package), "templates"))
    for folder in sys.path:
        if os.path.basename(folder) in ("site-packages", "dist-packages"):
            yield folder, os.stat(folder).st_mtime_ns


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
