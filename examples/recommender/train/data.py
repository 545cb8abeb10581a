"""Interactions from `raw/`, or made up, and which of them are held out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet
from scipy.sparse import csr_matrix

from .contract import Failed, location, log
from .store import digest

LONGEST_ID = 128


@dataclass(frozen=True, slots=True)
class Split:
    """Who took what (counts of users by items), and the last new item of each user, held out; -1 for none."""

    users: np.ndarray
    items: np.ndarray
    train: csr_matrix
    held_out: np.ndarray


def read(folder: Path) -> tuple[pa.Table, str]:
    """All interactions as `user`, `item` and `timestamp`, the oldest first, and the digest of their files."""
    raw = location("RAW_URI")
    paths = [raw.get(name, folder / name) for name in raw.names(".csv", ".parquet")]
    if not paths:
        log("no .csv or .parquet file: training on synthetic interactions", uri=raw.uri)
        folder.mkdir(exist_ok=True)
        paths = [folder / "synthetic.csv"]
        pyarrow.csv.write_csv(synthetic(), paths[0])
    table = pa.concat_tables([_table(path) for path in paths]).drop_null()
    longest = max(pc.max(pc.utf8_length(table[name])).as_py() or 0 for name in ("user", "item"))
    if table.num_rows < 2 or longest > LONGEST_ID:
        raise Failed(f"{raw.uri}: give two interactions or more, with ids of at most {LONGEST_ID} characters")
    return table.sort_by("timestamp"), digest(paths)


def _table(path: Path) -> pa.Table:
    try:
        table = pyarrow.csv.read_csv(path) if path.suffix == ".csv" else pyarrow.parquet.read_table(path)
        columns = [table["user"].cast("string"), table["item"].cast("string")]
        # Without times, the order in the file is the order in time.
        times = table["timestamp"] if "timestamp" in table.column_names else pa.array(range(len(table)))
        return pa.table([*columns, times.cast("int64")], names=["user", "item", "timestamp"])
    except (pa.ArrowException, KeyError) as error:
        raise Failed(f"{path.name}: needs columns `user` and `item`: {error}") from error


def synthetic(users: int = 400, items: int = 240, groups: int = 8) -> pa.Table:
    """A shop where each user likes one group of goods, and popular goods sell most."""
    rng = np.random.default_rng(7)
    rows = [
        (f"user-{user}", f"item-{min(int(rng.exponential(6)), items // groups - 1) * groups + group}")
        for user in range(users)
        for group in [user % groups]
        for _ in range(12)
    ]
    return pa.table(list(zip(*rows, strict=True)), names=["user", "item"])


def split(table: pa.Table) -> Split:
    """Hold out the last item of each user who has another one; it is not among the rest."""
    (user, users), (item, items) = (_codes(table[name]) for name in ("user", "item"))
    held_out = np.full(len(users), -1)
    held_out[user] = item  # the last assignment stays
    kept = held_out[user] != item
    held_out[np.setdiff1d(np.arange(len(users)), user[kept])] = -1
    kept |= held_out[user] == -1
    counts = csr_matrix((np.ones(kept.sum(), np.float32), (user[kept], item[kept])), (len(users), len(items)))
    return Split(users, items, counts, held_out)


def _codes(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Each row's number, and the names in order: a name's number is its place."""
    encoded = column.combine_chunks().dictionary_encode()
    names = np.array(encoded.dictionary.to_pylist())
    order = np.argsort(names)
    return np.argsort(order)[encoded.indices.to_numpy()], names[order]
