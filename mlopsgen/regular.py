"""Files as what they are: never a pipe, which waits for a writer, nor a device, which may have no end.

Imports next to nothing, for the same reason as `manifest`.
"""

from __future__ import annotations

import errno
import os
import stat

MOST = 64 * 1024 * 1024
"""Bytes of a file that nothing of ours exceeds."""

_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}

# Windows knows neither, and opens a file as text unless told otherwise.
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NOCTTY", 0)
    | getattr(os, "O_NONBLOCK", 0)
)


class Irregular(OSError):
    """What is there is neither a file nor a folder."""

    @property
    def kind(self) -> str:
        """What it is: `a pipe`, `a device`, `a socket`."""
        return str(self.strerror).removeprefix("it is ").removesuffix(", and no file")


TEXT = 4 * 1024 * 1024
"""Bytes of a text that somebody wrote: what comes after them is not looked at."""


def text(path: str | os.PathLike[str], most: int = TEXT) -> str:
    """The beginning of a regular file in UTF-8, to its last whole line if there is more.

    Raises OSError, `Irregular` among them, and ValueError if it is no UTF-8.
    """
    content, _ = read(path, most + 1)
    if len(content) > most:
        content = content[:most].rpartition(b"\n")[0]
    return content.decode("utf-8")


def read(path: str | os.PathLike[str], most: int = MOST) -> tuple[bytes, os.stat_result]:
    """The first `most` bytes of a regular file, and what the system says of it.

    Raises OSError, `Irregular` among them, and waits for nobody.
    """
    try:
        handle = os.open(path, _FLAGS)
    except OSError as error:
        # What opening a socket, and a pipe for which there is no room, answers (open(2), ENXIO).
        if error.errno == errno.ENXIO:
            raise Irregular(error.errno, "it is a socket, and no file", path) from None
        raise
    # Unbuffered: what is beyond `most` is not even read ahead.
    with open(handle, "rb", buffering=0) as file:
        found = os.fstat(handle)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
        if not stat.S_ISREG(found.st_mode):
            kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
            raise Irregular(errno.EINVAL, f"it is {kind}, and no file", path)
        parts, left = [], most
        while left and (part := file.read(min(left, 1 << 20))):
            parts.append(part)
            left -= len(part)
        return b"".join(parts), found
