"""An image file as the network sees it. The trainer and the service share it, so that both see the same."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

SIZE = 32
Image.MAX_IMAGE_PIXELS = 20_000_000
"""Whoever sends more, packed small, would fill the memory."""


class Unreadable(ValueError):
    """It is no image, or too large a one."""


def pixels(data: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Grey values from 0 to 1, channel x height x width. Raises `Unreadable`."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG", "JPEG")) as image:
            if image.width * image.height > Image.MAX_IMAGE_PIXELS:
                raise Unreadable(f"{image.width} x {image.height} pixels are too many")
            grey = image.convert("L").resize((SIZE, SIZE), Image.Resampling.BILINEAR)
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError) as error:
        raise Unreadable(f"not a PNG or JPEG: {error}") from None
    return np.asarray(grey, dtype=np.float32)[None] / 255
