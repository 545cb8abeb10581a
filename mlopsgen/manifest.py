"""The list of what was built, as the output folder keeps it.

Imports next to nothing, not even pathlib: whether a build has anything to do is decided before the
compiler is imported.
"""

from __future__ import annotations

import hashlib
import json
import os

from mlopsgen import regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MANIFEST = "manifest.json"
STAGE = ".mlopsgen-build"
"""The folder in the output folder where files are written before they are moved to their places."""

SCHEMA = "mlopsgen.io/manifest/v1"


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
