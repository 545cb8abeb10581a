"""Reads one uploaded slice, trusting nothing that it says about itself."""

from __future__ import annotations

import lzma
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image

LARGEST = 2048
"""Pixels along a side."""
STORED_AT = -1024
"""Hounsfield units of a PNG's value 0, as CT scanners store slices."""


DAMAGE = (
    *(EOFError, KeyError, OSError, RuntimeError, SyntaxError, ValueError),
    *(lzma.LZMAError, struct.error, zipfile.BadZipFile, zlib.error),
)
"""What the libraries raise for a damaged file; RuntimeError is zipfile's word for a password."""


class Unreadable(Exception):
    """Why an upload is no slice; the message says what to send."""


def read(path: Path) -> np.ndarray:
    """Hounsfield units, float32, of a .npz file with `image` or a 16-bit PNG. Raises `Unreadable`."""
    with path.open("rb") as file:
        head = file.read(8)
    try:
        if head.startswith(b"PK"):
            image = _npz(path)
        elif head == b"\x89PNG\r\n\x1a\n":
            image = _png(path) + STORED_AT
        else:
            raise Unreadable("send a .npz file with an array `image`, or a 16-bit grey PNG")
    except DAMAGE as error:
        raise Unreadable(f"the file is damaged: {error}") from error
    if not np.isfinite(image).all():
        raise Unreadable("the slice holds values that are not finite")
    return image


def _npz(path: Path) -> np.ndarray:
    with zipfile.ZipFile(path) as archive, archive.open("image.npy") as member:
        # The header tells the size before anything is unpacked; objects, which are pickles, are refused.
        np.lib.format.read_magic(member)
        shape, _, kind = np.lib.format.read_array_header_1_0(member)
        if kind.kind not in "iuf":
            raise Unreadable(f"`image` holds {kind}; give numbers")
        _check(shape)
        member.seek(0)
        return np.lib.format.read_array(member, allow_pickle=False).astype(np.float32)


def _png(path: Path) -> np.ndarray:
    # Opening reads the header alone.
    with Image.open(path, formats=("PNG",)) as image:
        _check((image.height, image.width))
        if not image.mode.startswith("I"):
            raise Unreadable(f"the PNG is {image.mode}; give 16-bit grey values")
        return np.asarray(image).astype(np.float32)


def _check(shape: tuple[int, ...]) -> None:
    if len(shape) != 2 or not 0 < min(shape) <= max(shape) <= LARGEST:
        raise Unreadable(f"the slice has the shape {shape}; give height and width, at most {LARGEST}")
