"""Files that commands leave for the next one, as Python keeps its compiled modules: in `__pycache__`.

Who can write there can write byte code as well. `PYTHONDONTWRITEBYTECODE` and `PYTHONPYCACHEPREFIX` are
heeded as imports heed them. A file that cannot be read or written costs time, and nothing else.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib.util import cache_from_source
from mmap import ACCESS_READ, mmap
from pathlib import Path

_LENGTH = 8


class Stored:
    """What the module `source` keeps, as long as this Python, the module and `facts` are what they were."""

    def __init__(self, source: str, *facts: object) -> None:
        self._path = Path(cache_from_source(source)).with_suffix(".kept")
        found = os.stat(source)
        self._head = f"{sys.version} {found.st_mtime_ns} {found.st_size} {facts}\n".encode()

    def read(self) -> memoryview | None:
        """What was written, or None. It is not copied: most of a large file may not be needed."""
        with suppress(OSError, ValueError), self._path.open("rb") as file:
            # What is mapped cannot be replaced on Windows.
            posix = os.name == "posix"
            content = memoryview(mmap(file.fileno(), 0, access=ACCESS_READ) if posix else file.read())
            start = len(self._head) + _LENGTH
            length = int.from_bytes(content[len(self._head) : start], "little")
            if content[: len(self._head)] == self._head and len(content) == start + length:
                return content[start:]
        return None

    def write(self, content: bytes) -> None:
        """Write it, all or nothing."""
        new = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        with suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            try:
                new.write_bytes(self._head + len(content).to_bytes(_LENGTH, "little") + content)
                new.replace(self._path)
            finally:
                new.unlink(missing_ok=True)
