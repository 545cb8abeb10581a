"""Reviews in every form that they come in, and what is said about those that cannot be read."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from train.errors import Fault
from train.sources import find, synthetic
from train.sources.reviews import Review, Reviews, settle

REVIEWS = synthetic.reviews(40, 10)
ALL = (*REVIEWS.train, *REVIEWS.test)


def parquet(folder: Path) -> None:
    for split in ("train", "test"):
        rows = [{"text": r.text, "label": r.label} for r in ALL if r.split == split]
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), folder / f"{split}-00000-of-00001.parquet")


def comma(folder: Path, delimiter: str = ",", name: str = "reviews.csv") -> None:
    with (folder / name).open("w", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerow(["review", "sentiment", "split"])
        writer.writerows([r.text, ("negative", "positive")[r.label], r.split] for r in ALL)


def tab(folder: Path) -> None:
    comma(folder, "\t", "reviews.tsv")


def lines(folder: Path) -> None:
    rows = ({"text": r.text, "label": r.label, "split": r.split} for r in ALL)
    (folder / "reviews.jsonl").write_text("\n".join(map(json.dumps, rows)))


def acl(folder: Path) -> None:
    for number, review in enumerate(ALL):
        path = folder / "aclImdb" / review.split / ("neg", "pos")[review.label] / f"{number}_7.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(review.text)
    unlabelled = folder / "aclImdb" / "train" / "unsup" / "0_0.txt"
    unlabelled.parent.mkdir()
    unlabelled.write_text("nobody judged this")


def texts(reviews: Reviews) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """What is trained on and tested on, whatever the order."""
    return {(r.text, r.label) for r in reviews.train}, {(r.text, r.label) for r in reviews.test}


@pytest.mark.parametrize("write", [parquet, comma, tab, lines, acl])
def test_every_form_holds_the_same_reviews(write: Callable[[Path], None], tmp_path: Path) -> None:
    """Parquet, CSV, TSV, JSON lines and the aclImdb folders give the same reviews and splits."""
    write(tmp_path)
    assert texts(find(str(tmp_path), "", 0, 0).read()) == texts(REVIEWS)


def test_one_file_can_be_named(tmp_path: Path) -> None:
    """A file is read without its neighbours."""
    lines(tmp_path)
    comma(tmp_path)
    (tmp_path / "notes.csv").write_text("neither,of,these\n1,2,3\n")
    assert texts(find(str(tmp_path / "reviews.csv"), "", 0, 0).read()) == texts(REVIEWS)
    assert texts(find(f"file://{tmp_path}/reviews.jsonl", "", 0, 0).read()) == texts(REVIEWS)


def test_fingerprint_follows_the_content(tmp_path: Path) -> None:
    """The fingerprint stays the same until a file changes."""
    comma(tmp_path)
    before = find(str(tmp_path), "", 0, 0).fingerprint()
    assert find(str(tmp_path), "", 0, 0).fingerprint() == before
    with (tmp_path / "reviews.csv").open("a") as file:
        file.write("Another one.,positive,train\n")
    assert find(str(tmp_path), "", 0, 0).fingerprint() != before


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "a.csv",
            b"text,stars\nfine,5\n",
            "has no column `label` or `sentiment` or `class`: it has `text`, `stars`",
        ),
        ("a.csv", b"text,label\nfine,5\n", "a.csv, row 1: the label is '5'"),
        ("a.csv", b"text,label\n\xff\xfe,1\n", "a.csv"),
        ("a.csv", b'text,label\n"open,1\n', "a.csv"),
        ("a.csv", b"", "a.csv cannot be read"),
        ("a.parquet", b"PAR1 half a file", "a.parquet cannot be read"),
        ("a.jsonl", b'{"text": "fine", "label": 1}\n{"text": ', "a.jsonl cannot be read"),
        ("a.jsonl", b'{"text": 7, "label": 1}', "a.jsonl, row 1: the text is no string"),
        ("train/pos/0_9.txt", b"\xff\xfe\xff", "train/pos/0_9.txt is not UTF-8"),
        ("a.csv", b"text,label\nfine,1\nfair,1\n", "has no negative review to train on"),
        ("notes.doc", b"hello", "no reviews in"),
    ],
)
def test_bad_data_is_named(name: str, content: bytes, says: str, tmp_path: Path) -> None:
    """What is wrong with a file is said with its name, and the row where there is one."""
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(Fault) as caught:
        find(str(tmp_path), "", 0, 0).read()
    assert says in caught.value.message
    assert caught.value.help


def test_a_path_that_is_not_there_is_told() -> None:
    """A named path has to exist; generated reviews are no answer to a typing error."""
    with pytest.raises(Fault, match="there is no file or folder /no/such/place"):
        find("/no/such/place", "", 0, 0)


def test_without_data_reviews_are_generated(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty raw prefix means generated reviews, and a warning."""
    source = find("", f"{tmp_path}/raw/", 100, 20)
    assert source.name == "synthetic"
    assert "generated reviews" in capsys.readouterr().out
    reviews = source.read()
    assert (len(reviews.train), len(reviews.test)) == (100, 20)


def test_generated_reviews_are_always_the_same() -> None:
    """The generator gives the same reviews on every machine."""
    assert synthetic.reviews(100, 20) == synthetic.reviews(100, 20)
    assert synthetic.reviews(50, 10).digest == (
        "sha256:1a9ab3f2a14e88754eb09250dcb84664a65232d5547980d723a3eebf33c1d68c"
    )


def test_no_review_is_in_both_splits() -> None:
    """A text that the test split has is not trained on, and train has each text once."""
    rows = [Review("good", 1, "train"), Review("bad", 0, "train"), Review("bad", 0, "train")]
    rows += [Review("fine", 1, "train"), Review("good", 1, "test"), Review("poor", 0, "test")]
    reviews = settle(rows, "here")
    assert [r.text for r in reviews.train] == ["bad", "fine"]
    assert [r.text for r in reviews.test] == ["good", "poor"]


@given(st.lists(st.tuples(st.text(max_size=20), st.integers(0, 1)), max_size=60))
def test_a_review_stays_on_its_side(pairs: list[tuple[str, int]]) -> None:
    """Without a test split a review's side depends on its own text; empty ones are dropped."""
    rows = [Review(text, label) for text, label in pairs]
    rows += [Review(f"review {number}", number % 2) for number in range(60)]
    reviews = settle(rows, "here")
    train, test = texts(reviews)
    assert not {text for text, _ in train} & {text for text, _ in test}
    assert all(text.strip() for text, _ in train | test)
    again = settle([Review(f"review {number}", number % 2) for number in range(60)], "here")
    assert set(texts(again)[1]) <= test
