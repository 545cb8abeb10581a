"""The digest of this program's source, which tells what was made by another version of it."""

from __future__ import annotations

import hashlib
from pathlib import Path

HERE = Path(__file__).parent


def code_digest(*names: str) -> str:
    """SHA-256 of the program's files below `names`, or of all of them."""
    roots = [HERE / name for name in names] or [HERE]
    files = sorted(
        file
        for root in roots
        for file in ([root] if root.is_file() else root.rglob("*.py"))
        if file.is_file()
    )
    total = hashlib.sha256()
    for file in files:
        total.update(f"{file.relative_to(HERE).as_posix()}\n".encode())
        total.update(file.read_bytes())
    return total.hexdigest()
