"""Texts and their intents, from `raw/` or made up, and which of them are held out."""

from __future__ import annotations

import csv
import hashlib
import itertools
from dataclasses import dataclass
from pathlib import Path

from .contract import Failed, location, log
from .store import digest

HELD_OUT = 5
"""One text in so many is held out."""

PHRASES = {
    "track-order": (
        ("where is", "when will I get", "track", "any news of"),
        ("my order", "my parcel", "the box"),
    ),
    "return-item": (
        ("I want to return", "how do I send back", "can I return"),
        ("these shoes", "the lamp", "it"),
    ),
    "refund": (
        ("when is", "I still wait for", "please check", "tell me about"),
        ("my refund", "my money back"),
    ),
    "change-address": (
        ("please change", "I must correct", "update"),
        ("my address", "the street", "the postcode"),
    ),
    "opening-hours": (
        ("when do you open", "are you open", "what are your hours"),
        ("today", "on Sunday", "at noon"),
    ),
    "human": (("let me talk to", "I want", "give me", "is there"), ("a person", "an agent", "a human being")),
}
OPENINGS = (
    "",
    "hello, ",
    "please help: ",
    "sorry, ",
    "hi there, ",
    "quick question: ",
    "good morning, ",
    "so, ",
)


@dataclass(frozen=True, slots=True)
class Settings:
    """`spec.jobs[].parameters`."""

    checkpoint: str = "distilbert-base-uncased"
    """A folder of `raw/` with config.json, model.safetensors and tokenizer.json, or an id of the hub."""
    revision: str = "main"
    """The commit of the hub's files."""
    epochs: int = 4
    batch_size: int = 32
    learning_rate: float = 5e-5
    max_tokens: int = 64
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Data:
    """The texts with the number of their intent."""

    labels: tuple[str, ...]
    train: tuple[tuple[str, int], ...]
    test: tuple[tuple[str, int], ...]
    digest: str


def read(folder: Path) -> Data:
    """Every CSV file of `raw/` with columns `text` and `intent`. Raises `Failed`."""
    raw = location("RAW_URI")
    paths = [raw.get(name, folder / name) for name in raw.names(".csv")]
    if not paths:
        log("no .csv file: training on synthetic questions", uri=raw.uri)
        folder.mkdir(parents=True, exist_ok=True)
        paths = [_synthetic(folder / "synthetic.csv")]
    # A text that comes twice counts once: else what is held out could be learned by heart.
    intents = dict(pair for path in paths for pair in _rows(path))
    labels = tuple(sorted(set(intents.values())))
    pairs = [(text, labels.index(intent)) for text, intent in sorted(intents.items())]
    test = tuple(pair for pair in pairs if _held_out(pair[0]))
    train = tuple(pair for pair in pairs if not _held_out(pair[0]))
    if len({label for _, label in train}) < max(len(labels), 2) or not test:
        raise Failed(f"{raw.uri}: give two intents or more, with ten texts or more for each")
    return Data(labels, train, test, digest(paths))


def _rows(path: Path) -> list[tuple[str, str]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
        return [(row["text"].strip(), row["intent"].strip()) for row in rows]
    except (KeyError, AttributeError, UnicodeDecodeError, csv.Error) as error:
        raise Failed(f"{path.name}: needs columns `text` and `intent` in UTF-8: {error!r}") from error


def _held_out(text: str) -> bool:
    """The same texts whatever else there is, so that versions can be compared."""
    return hashlib.sha256(text.lower().encode()).digest()[0] % HELD_OUT == 0


def _synthetic(path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("text", "intent"))
        for intent, (asking, about) in PHRASES.items():
            for opening, ask, what in itertools.product(OPENINGS, asking, about):
                rows.writerow((f"{opening}{ask} {what}", intent))
    return path
