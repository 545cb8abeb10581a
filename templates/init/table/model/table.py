"""CSV files below a location: a header, a column `label`, and numbers in every other column."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

from model import store
from model.job import Unfit


@dataclass(frozen=True, slots=True)
class Example:
    """One row."""

    numbers: Mapping[str, float]
    label: str

    @property
    def held_out(self) -> bool:
        """Whether the row is for measuring: a fifth of them, chosen by content, whatever their order."""
        return zlib.crc32(json.dumps(asdict(self), sort_keys=True).encode()) % 5 == 0


def read_examples(uri: str) -> tuple[list[Example], list[Example], str]:
    """The rows to learn from, those to measure with, and the digest of their files. Raises `Unfit`."""
    examples: list[Example] = []
    digest = hashlib.sha256()
    for name in store.names(uri):
        if name.endswith(".csv"):
            data = store.read(uri, name)
            digest.update(data)
            examples += _parse(data.decode("utf-8-sig"), uri + name)
    if len({tuple(each.numbers) for each in examples}) != 1:
        raise Unfit(f"{uri} has to hold CSV files, all of them with the same columns")
    learned = [each for each in examples if not each.held_out]
    measured = [each for each in examples if each.held_out]
    if len({each.label for each in learned}) < 2:
        raise Unfit("the column `label` needs at least two different values to learn from")
    if not measured:
        raise Unfit("there are too few rows to measure with: none was held out")
    return learned, measured, f"sha256:{digest.hexdigest()}"


def _parse(text: str, file: str) -> Iterator[Example]:
    reader = csv.DictReader(io.StringIO(text))
    for row in reader:
        try:
            label = row.pop("label")
            numbers = {name: float(value) for name, value in sorted(row.items())}
        except (KeyError, TypeError, ValueError) as error:
            raise Unfit(f"{file}:{reader.line_num}: not a row of numbers and a label ({error!r})") from None
        if not label or not all(map(math.isfinite, numbers.values())):
            raise Unfit(f"{file}:{reader.line_num}: a value is missing or infinite")
        yield Example(numbers, label)
