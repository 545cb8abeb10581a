"""Make a small set of images to try everything with: `python -m model.data data/raw`.

Circles, squares and triangles, each in a folder that is called like its label. Put folders of your own there.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from PIL import Image, ImageDraw

SIZE = 32
SHAPES = {"circle": 0, "square": 4, "triangle": 3}
"""The corners of each."""


def draw(corners: int, chance: random.Random) -> Image.Image:
    """A light shape on a dark, noisy ground, somewhere, in some size."""
    image = Image.new("L", (SIZE, SIZE))
    image.putdata([chance.randint(0, 60) for _ in range(SIZE * SIZE)])
    radius = chance.randint(7, 11)
    x, y = (chance.randint(radius + 1, SIZE - radius - 2) for _ in "xy")
    pen, light = ImageDraw.Draw(image), chance.randint(150, 255)
    if corners:
        pen.regular_polygon((x, y, radius), corners, rotation=chance.randint(0, 15), fill=light)
    else:
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=light)
    return image


def main(folder: Path, each: int = 80) -> None:
    """Write that many images of each shape, the same ones every time."""
    chance = random.Random(0)
    for label, corners in SHAPES.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            draw(corners, chance).save(folder / label / f"{number:03}.png")


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else "data/raw"))
