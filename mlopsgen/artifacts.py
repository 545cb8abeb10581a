"""Files: what is to be written, what is there, and how one becomes the other."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file to be written: its path below the output folder, with `/`, and its text."""

    path: str
    text: str
    executable: bool = False

    @property
    def content(self) -> bytes:
        return self.text.encode()


Kind = Literal["written", "updated", "edited", "missing", "stale", "left over", "kept", "removed"]


@dataclass(frozen=True, slots=True)
class Change:
    """What happened, or would have to happen, to one file."""

    kind: Kind
    path: str


class Unwritable(Exception):  # noqa: N818 - the state of the folder, as the user reads it
    """The output folder cannot be written as it is; nothing was changed. The text says what to do."""


def digest(content: bytes) -> str:
    """SHA-256 in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def read_manifest(output: Path) -> dict[str, Any]:
    """What the last build says that it wrote; empty if there was none, or if it cannot be read."""
    try:
        manifest = json.loads((output / MANIFEST).read_bytes())
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and isinstance(manifest.get("outputs"), dict) else {}


def write(artifacts: Iterable[Artifact], output: Path, *, only: str | None = None) -> tuple[Change, ...]:
    """Make `output` hold exactly `artifacts`, touching only what differs; returns what was changed.

    Everything is written beside its place first and moved there last, the manifest at the very end, so that
    a full disk or a kill leaves the old files. Files that no build wrote are never touched: one that is in
    the way raises `Unwritable`. With `only`, files outside that folder are left as they are.
    """
    wanted = {each.path: each for each in artifacts}
    ours = read_manifest(output).get("outputs", {})
    changes: list[Change] = []
    pending: list[Artifact] = []
    for path, artifact in wanted.items():
        if only is not None and not path.startswith((f"{only}/", MANIFEST)):
            continue
        present = _read(output, path)
        if present == artifact.content and _mode_is_right(output, artifact):
            continue
        if present is not None and path not in ours and path != MANIFEST and present != artifact.content:
            raise Unwritable(
                f"{output / path} is in the way: no build wrote it. Move it elsewhere, or choose another folder with -o."
            )
        edited = present is not None and path in ours and digest(present) != ours[path]
        kind: Kind = "written" if present is None else "edited" if edited else "updated"
        if path != MANIFEST:
            changes.append(Change(kind, path))
        pending.append(artifact)
    stale = [path for path in ours if path not in wanted and (only is None or path.startswith(f"{only}/"))]
    _replace(output, sorted(pending, key=lambda each: each.path == MANIFEST))
    changes.extend(_remove(output, stale, ours))
    return tuple(sorted(changes, key=lambda each: each.path))


def compare(artifacts: Iterable[Artifact], output: Path) -> tuple[Change, ...]:
    """How `output` differs from `artifacts`: what is missing, stale, edited by hand, or left over."""
    wanted = {each.path: each for each in artifacts}
    ours = read_manifest(output).get("outputs", {})
    found = []
    for path, artifact in wanted.items():
        present = _read(output, path)
        if present is None:
            found.append(Change("missing", path))
        elif present != artifact.content:
            edited = path in ours and digest(present) != ours[path]
            found.append(Change("edited" if edited else "stale", path))
    found.extend(
        Change("left over", path) for path in ours if path not in wanted and _read(output, path) is not None
    )
    return tuple(sorted(found, key=lambda each: each.path))


def intact(manifest: Mapping[str, Any], output: Path) -> bool:
    """Whether every file that the manifest lists is there, byte for byte."""
    with suppress(OSError, Unwritable):
        return all(
            (content := _read(output, path)) is not None and digest(content) == expected
            for path, expected in manifest["outputs"].items()
        )
    return False


def _read(output: Path, path: str) -> bytes | None:
    """The content of a file below `output`; None if there is none. Raises `Unwritable` at links and folders."""
    target = output / path
    for part in (target, *target.parents):
        if part == output:
            break
        if part.is_symlink():
            raise Unwritable(f"{part} is a symbolic link: mlopsgen writes through none. Take it away.")
    try:
        return target.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        if target.parent.exists() and not target.parent.is_dir():
            raise Unwritable(
                f"{target.parent} is a file where a folder has to be. Move it elsewhere."
            ) from None
        return None
    except IsADirectoryError:
        raise Unwritable(f"{target} is a folder where a file has to be. Move it elsewhere.") from None


def _mode_is_right(output: Path, artifact: Artifact) -> bool:
    return not artifact.executable or os.access(output / artifact.path, os.X_OK)


def _replace(output: Path, artifacts: Iterable[Artifact]) -> None:
    """Write each file beside its place, then move them all there. Raises `Unwritable` with the reason."""
    staged: list[tuple[str, Path]] = []
    try:
        for artifact in artifacts:
            target = output / artifact.path
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=".mlopsgen-")
            staged.append((temporary, target))
            with os.fdopen(handle, "wb") as file:
                file.write(artifact.content)
            Path(temporary).chmod(0o755 if artifact.executable else 0o644)
        while staged:
            temporary, target = staged[0]
            os.replace(temporary, target)  # noqa: PTH105 - atomic on every system
            staged.pop(0)
    except OSError as error:
        raise Unwritable(f"cannot write {error.filename or output}: {error.strerror}") from None
    finally:
        for temporary, _ in staged:
            with suppress(OSError):
                Path(temporary).unlink()


def _remove(output: Path, paths: Iterable[str], ours: Mapping[str, str]) -> Iterator[Change]:
    """Take away what an earlier build wrote and this one does not, unless somebody has edited it since."""
    for path in paths:
        content = _read(output, path)
        if content is None:
            continue
        if digest(content) != ours[path]:
            yield Change("kept", path)
            continue
        target = output / path
        target.unlink()
        yield Change("removed", path)
        for parent in target.parents:
            if parent == output or any(parent.iterdir()):
                break
            parent.rmdir()
