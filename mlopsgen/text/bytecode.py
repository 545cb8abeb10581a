"""Compiled templates, kept as Python keeps its compiled modules: in `__pycache__` beside their source.

Compiling a template takes several times as long as rendering it. jinja2's own caches hold pickles.
"""

from __future__ import annotations

import marshal
import os
import sys
from contextlib import suppress
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

from jinja2.bccache import Bucket, BytecodeCache, bc_version


class PycCache(BytecodeCache):
    """Heeds `PYTHONDONTWRITEBYTECODE` and `PYTHONPYCACHEPREFIX`, as imports do.

    A file that cannot be read or written costs time, and nothing else.
    """

    def __init__(self, settings: str) -> None:
        """`settings`: whatever else than its source makes a template what it is."""
        self._head = MAGIC_NUMBER + f"{bc_version} {settings} ".encode()

    def get_cache_key(self, name: str, filename: str | None = None) -> str:
        """The file of the compiled template."""
        return cache_from_source(filename or name)

    def load_bytecode(self, bucket: Bucket) -> None:
        """Take the code if it was made of this source by this Python and this jinja2."""
        head = self._head + bucket.checksum.encode()
        with suppress(OSError, EOFError, ValueError, TypeError):
            content = Path(bucket.key).read_bytes()
            if content.startswith(head):
                bucket.code = marshal.loads(content[len(head) :])

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Write the code, all of it or nothing."""
        if sys.dont_write_bytecode:
            return
        file = Path(bucket.key)
        new = file.with_name(f"{file.name}.{os.getpid()}")
        with suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            try:
                new.write_bytes(self._head + bucket.checksum.encode() + marshal.dumps(bucket.code))
                new.replace(file)
            finally:
                new.unlink(missing_ok=True)
