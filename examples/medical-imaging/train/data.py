"""CT slices from `raw/` and their masks from `masks/`, or made up, and which patients are held out."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from .contract import Failed, location, log
from .store import digest

WINDOW = (-1000.0, 400.0)
"""Hounsfield units that are told apart: from air to soft tissue; bone is as bright as the upper end."""
LARGEST = 2048
"""Pixels along a side."""
HELD_OUT = 5
"""One patient in so many is held out."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`spec.jobs[].parameters`."""

    epochs: int = 40
    batch_size: int = 8
    channels: tuple[int, ...] = (16, 32, 64, 128)
    """Channels at each scale, the finest first; each scale halves the slice."""
    learning_rate: float = 1e-3
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Slice:
    """Where one slice and its mask lie."""

    name: str
    image: Path
    mask: Path


@dataclass(frozen=True, slots=True)
class Data:
    """Slices to learn from, and slices of other patients."""

    train: tuple[Slice, ...]
    test: tuple[Slice, ...]
    digest: str


def read(folder: Path) -> Data:
    """Fetch every `PATIENT_SLICE.npz`: `image` in `raw/`, `mask` in `masks/`. Raises `Failed`."""
    raw, masks = location("RAW_URI"), location("MASKS_URI")
    names, marked = raw.names(".npz"), set(masks.names(".npz"))
    if not names:
        log("no .npz file: training on synthetic slices", uri=raw.uri)
        slices = synthetic(folder)
    elif missing := [name for name in names if name not in marked]:
        raise Failed(f"{masks.uri}: no mask for {len(missing)} slices, such as {missing[0]}")
    else:
        slices = [
            Slice(name, raw.get(name, folder / "raw" / name), masks.get(name, folder / "masks" / name))
            for name in names
        ]
    for each in slices:
        load(each)
    test = tuple(each for each in slices if _held_out(each.name))
    train = tuple(each for each in slices if not _held_out(each.name))
    if not train or not test:
        raise Failed(
            f"{raw.uri}: too few patients to hold one in {HELD_OUT} out; slices are PATIENT_SLICE.npz"
        )
    return Data(train, test, digest([path for each in slices for path in (each.image, each.mask)]))


def _held_out(name: str) -> bool:
    """A patient's slices resemble each other: all of them are held out or none."""
    patient = PurePosixPath(name).stem.split("_")[0]
    return hashlib.sha256(patient.encode()).digest()[0] % HELD_OUT == 0


def load(slice_: Slice) -> tuple[np.ndarray, np.ndarray]:
    """The slice, 0 to 1, and its mask, 0 or 1, both float32. Raises `Failed`; loads no pickle."""
    image, mask = _array(slice_.image, "image"), _array(slice_.mask, "mask")
    if image.shape != mask.shape:
        raise Failed(f"{slice_.name}: the slice is {image.shape} and its mask {mask.shape}")
    low, high = WINDOW
    return np.clip((image - low) / (high - low), 0, 1), (mask > 0).astype(np.float32)


def _array(path: Path, key: str) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            array = arrays[key].astype(np.float32)
    except (KeyError, ValueError, OSError, zipfile.BadZipFile) as error:
        raise Failed(f"{path.name}: needs an array `{key}` of numbers: {error}") from error
    if not np.isfinite(array).all():
        raise Failed(f"{path.name}: `{key}` holds values that are not finite")
    if array.ndim != 2 or not 0 < min(array.shape) <= max(array.shape) <= LARGEST:
        raise Failed(
            f"{path.name}: `{key}` has the shape {array.shape}; give one slice of at most {LARGEST}²"
        )
    return array


def batch(slices: Sequence[Slice]) -> tuple[np.ndarray, np.ndarray]:
    """Slices and masks, count by 1 by height by width; smaller slices are filled up with air."""
    pairs = [load(each) for each in slices]
    height, width = (max(image.shape[axis] for image, _ in pairs) for axis in (0, 1))
    both = np.zeros((2, len(pairs), 1, height, width), np.float32)
    for number, pair in enumerate(pairs):
        rows, columns = pair[0].shape
        both[:, number, 0, :rows, :columns] = pair
    return both[0], both[1]


def synthetic(folder: Path, patients: int = 16, each: int = 4, side: int = 64) -> list[Slice]:
    """Dark lungs in bright tissue, with a round lesion in some of them."""
    rng = np.random.default_rng(5)
    y, x = np.mgrid[0:side, 0:side]
    slices = []
    for patient in range(patients):
        for number in range(each):
            image = rng.normal(40, 20, (side, side))
            for centre in (side * 0.3, side * 0.7):
                lung = ((x - centre) / (side * 0.17)) ** 2 + ((y - side / 2) / (side * 0.35)) ** 2 < 1
                image[lung] = rng.normal(-850, 40, lung.sum())
            radius, row = rng.uniform(2.5, 5), rng.uniform(side * 0.35, side * 0.65)
            centre = side * rng.choice([0.3, 0.7])
            lesion = ((x - centre) ** 2 + (y - row) ** 2 < radius**2) & (rng.random() < 0.8)
            image[lesion] = rng.normal(20, 30, lesion.sum())
            name = f"patient{patient}_{number}.npz"
            found = Slice(name, folder / "raw" / name, folder / "masks" / name)
            for path, array in (
                (found.image, {"image": image.astype(np.int16)}),
                (found.mask, {"mask": lesion}),
            ):
                path.parent.mkdir(parents=True, exist_ok=True)
                np.savez_compressed(path, **array)
            slices.append(found)
    return slices
