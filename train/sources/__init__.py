"""Where reviews come from. `find` turns what the user named into a `Source`; a source reads `Reviews`."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from train import log
from train.errors import Fault
from train.sources import synthetic, tables
from train.sources.hub import Hub
from train.sources.reviews import Review, Reviews, settle
from train.store import Entry, Store, open_store

ACL = re.compile(r"(?:^|/)(?:(train|test)/)?(pos|neg)/[^/]+\.txt$")
"""The Large Movie Review Dataset's own layout: `train/pos/0_9.txt`."""


class Source(Protocol):
    """Something that reviews can be read from."""

    @property
    def name(self) -> str:
        """As the manifest tells it: `synthetic`, or the location."""

    def fingerprint(self) -> str:
        """A digest that changes when the reviews do, found without reading them all."""

    def read(self) -> Reviews:
        """All reviews, cleaned."""


@dataclass(frozen=True, slots=True)
class Synthetic:
    """Generated reviews."""

    train: int
    test: int
    name: str = "synthetic"

    def fingerprint(self) -> str:
        return _digest((self.name, synthetic.VERSION, self.train, self.test))

    def read(self) -> Reviews:
        return synthetic.reviews(self.train, self.test)


@dataclass(frozen=True, slots=True)
class Files:
    """Files of a place: Parquet, CSV, TSV and JSON lines, or the aclImdb layout."""

    name: str
    store: Store
    files: tuple[Entry, ...]

    def fingerprint(self) -> str:
        return _digest((file.name, file.size, file.tag) for file in self.files)

    def read(self) -> Reviews:
        with tempfile.TemporaryDirectory() as folder:
            return settle(self._rows(Path(folder)), self.name)

    def _rows(self, folder: Path) -> Iterator[Review]:
        for file in log.progress(self.files, "fetch", len(self.files)):
            if acl := ACL.search(file.name):
                text = self.store.read(file.name) or b""
                yield Review(_decode(text, file.name), int(acl[2] == "pos"), acl[1] or "")
                continue
            local = folder / PurePosixPath(file.name).name
            self.store.fetch(file.name, local)
            yield from tables.rows(local, file.name)
            local.unlink()


def find(data: str, raw: str, synthetic_train: int, synthetic_test: int) -> Source:
    """The source that `data` names; else the files in `raw`; else generated reviews, with a warning."""
    generated = Synthetic(synthetic_train, synthetic_test)
    if data == "synthetic":
        return generated
    if data:
        source = _files(data)
        if "://" not in data and not data.startswith("hf:") and not Path(data).expanduser().exists():
            raise Fault(f"there is no file or folder {data}", "name one that exists, or leave `data` out")
        if not source.files:
            raise Fault(
                f"no reviews in {data}: neither {', '.join(sorted(tables.READERS))} nor an aclImdb layout",
                "name a file, a folder, s3://BUCKET/PREFIX/, hf:OWNER/DATASET, or `synthetic`",
            )
        return source
    if raw and (source := _files(raw)).files:
        return source
    log.warn("synthetic", message="no data was given: training on generated reviews", raw=raw or None)
    return generated


def _files(uri: str) -> Files:
    if uri.startswith("hf:"):
        store: Store = Hub(uri, uri.removeprefix("hf:").strip("/"))
        return Files(uri, store, _readable(store.entries()))
    place, slash, last = uri.rstrip("/").rpartition("/")
    if PurePosixPath(last).suffix in tables.READERS:
        store = open_store(place + slash or "./")
        return Files(uri, store, tuple(entry for entry in store.entries() if entry.name == last))
    store = open_store(uri)
    return Files(uri, store, _readable(store.entries()))


def _readable(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """The files that can be read. Those of one kind only: a table beside a text copy would count twice."""
    found = tuple(entries)
    kinds = Counter(PurePosixPath(entry.name).suffix for entry in found)
    for kind in tables.READERS:
        if kinds[kind]:
            return tuple(entry for entry in found if PurePosixPath(entry.name).suffix == kind)
    return tuple(entry for entry in found if ACL.search(entry.name))


def _decode(content: bytes, name: str) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise Fault(f"{name} is not UTF-8: {error}", "convert it, for example with iconv -t UTF-8") from error


def _digest(parts: Iterable[object]) -> str:
    return hashlib.sha256("\n".join(map(repr, parts)).encode()).hexdigest()


def save(reviews: Reviews, source: str, key: str, folder: Path) -> None:
    """Keep fetched reviews for the next stage; they stay on this machine."""
    import pyarrow as pa
    import pyarrow.parquet

    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {"text": review.text, "label": review.label, "split": split}
        for split, part in (("train", reviews.train), ("test", reviews.test))
        for review in part
    ]
    table = pa.Table.from_pylist(rows).replace_schema_metadata({"source": source, "key": key})
    pyarrow.parquet.write_table(table, folder / "reviews.parquet")


def load(folder: Path) -> tuple[Reviews, str, str]:
    """What `save` kept: the reviews, their source's name, and the key to prepare them under."""
    import pyarrow.parquet

    path = folder / "reviews.parquet"
    if not path.exists():
        raise Fault(f"there are no fetched reviews in {folder}", "run the stage fetch first")
    table = pyarrow.parquet.read_table(path)
    rows = [Review(**row) for row in table.to_pylist()]
    parts = {split: tuple(row for row in rows if row.split == split) for split in ("train", "test")}
    facts = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
    return Reviews(parts["train"], parts["test"]), facts["source"], facts["key"]
