"""Reviews in files with columns: Parquet, CSV, TSV, JSON lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from train.errors import Fault
from train.sources.reviews import Review

if TYPE_CHECKING:
    import pyarrow as pa

TEXT = ("text", "review", "content", "sentence")
LABEL = ("label", "sentiment", "class")
WORDS = {
    "0": 0, "neg": 0, "negative": 0, "false": 0,
    "1": 1, "pos": 1, "positive": 1, "true": 1,
}  # fmt: skip
UNLABELLED = {"-1", "unsup", ""}
SPLITS = {"train": "train", "training": "train", "test": "test", "testing": "test"}


def _parquet(path: Path) -> pa.Table:
    import pyarrow.parquet

    return pyarrow.parquet.read_table(path)


def _separated(delimiter: str) -> Callable[[Path], pa.Table]:
    def read(path: Path) -> pa.Table:
        from pyarrow import csv

        return csv.read_csv(
            path,
            parse_options=csv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=csv.ConvertOptions(strings_can_be_null=False),
        )

    return read


def _lines(path: Path) -> pa.Table:
    from pyarrow import json

    return json.read_json(path, parse_options=json.ParseOptions(newlines_in_values=False))


READERS: dict[str, Callable[[Path], pa.Table]] = {
    ".parquet": _parquet,
    ".csv": _separated(","),
    ".tsv": _separated("\t"),
    ".jsonl": _lines,
}


def rows(path: Path, name: str) -> Iterator[Review]:
    """The reviews in a file; `name` is what the user calls it."""
    import pyarrow as pa

    try:
        table = READERS[PurePosixPath(name).suffix](path)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise Fault(f"{name} cannot be read: {error}", "see that it is whole, and UTF-8") from error
    texts = _column(table, TEXT, name)
    labels = _column(table, LABEL, name)
    splits = table.column("split").to_pylist() if "split" in table.column_names else None
    named = _split_of(name)
    for number, (text, word) in enumerate(zip(texts, labels, strict=True), start=1):
        split = named if splits is None else SPLITS.get(str(splits[number - 1]).lower(), "")
        key = str(word).strip().lower() if word is not None else ""
        if key in UNLABELLED:
            continue
        if key not in WORDS:
            raise Fault(
                f"{name}, row {number}: the label is {str(word)[:40]!r}",
                "write 0 or negative, 1 or positive; -1 or nothing for a review without a label",
            )
        if text is not None and not isinstance(text, str):
            raise Fault(f"{name}, row {number}: the text is no string", "give the review's words there")
        yield Review(text or "", WORDS[key], split)


def _column(table: pa.Table, names: tuple[str, ...], file: str) -> list[object]:
    for name in names:
        if name in table.column_names:
            column: list[object] = table.column(name).to_pylist()
            return column
    raise Fault(
        f"{file} has no column {' or '.join(f'`{name}`' for name in names)}: it has "
        + ", ".join(f"`{name}`" for name in table.column_names[:10]),
        "name the columns `text` and `label`",
    )


def _split_of(name: str) -> str:
    """The split that a path speaks of: `data/test-00000-of-00001.parquet` is `test`."""
    words = re.split(r"[^a-z]+", name.lower())
    return next((SPLITS[word] for word in reversed(words) if word in SPLITS), "")
