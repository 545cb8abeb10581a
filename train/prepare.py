"""The data set: reviews as token ids, cached in the store as long as inputs and settings stay the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from train import architectures, log
from train.code import code_digest
from train.errors import Fault
from train.settings import Hyperparameters, Value, camel
from train.sources.reviews import Reviews
from train.store import Store
from train.tokens import Encoded, encode
from train.work import record, recorded, sha256

if TYPE_CHECKING:
    from tokenizers import Tokenizer

FILES = ("tokenizer.json", "data.safetensors", "prepared.json")
USED = ("architecture", "max_tokens", "vocabulary", "model", "seed")
"""The hyperparameters that change what is prepared."""
CODE = ("tokens.py", "prepare.py", "architectures", "sources")
"""The program's files that do."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a model is fitted on and tested on."""

    key: str
    digest: str
    source: str
    tokenizer: Tokenizer
    train: Encoded
    test: Encoded
    hyperparameters: Mapping[str, Value]
    """Those that it was made with, of `USED`."""


def cache_key(fingerprint: str, settings: Hyperparameters) -> str:
    """Sixteen hex digits that change when anything does that the prepared files depend on."""
    parts = [fingerprint, json.dumps(used(settings), sort_keys=True), code_digest(*CODE)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def tokenize(reviews: Reviews, source: str, key: str, settings: Hyperparameters, folder: Path) -> Prepared:
    """The tokenizer made from the training texts and all reviews encoded with it, written to `folder` too."""
    texts = [review.text for review in reviews.train]
    tokenizer = architectures.load(settings.architecture).tokenizer(texts, settings)
    tokenizer.enable_truncation(settings.max_tokens)
    tokenizer.no_padding()
    train = encode(tokenizer, texts, [review.label for review in reviews.train], "train")
    test = encode(
        tokenizer, [review.text for review in reviews.test], [review.label for review in reviews.test], "test"
    )
    prepared = Prepared(key, reviews.digest, source, tokenizer, train, test, used(settings))
    _write(prepared, settings, folder)
    return prepared


def used(settings: Hyperparameters) -> dict[str, Value]:
    """The hyperparameters that change what is prepared, by the names that JSON uses."""
    return {camel(name): getattr(settings, name) for name in USED}


def _write(prepared: Prepared, settings: Hyperparameters, folder: Path) -> None:
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    prepared.tokenizer.save(str(folder / FILES[0]))
    parts = {"train": prepared.train, "test": prepared.test}
    tensors = {f"{name}.{key}": value for name, part in parts.items() for key, value in asdict(part).items()}
    save_file(tensors, folder / FILES[1])
    facts = {"key": prepared.key, "digest": prepared.digest, "source": prepared.source}
    files = {name: sha256(folder / name) for name in FILES[:2]}
    record(folder / FILES[2], {**facts, "hyperparameters": used(settings), "files": files})
    log.say("prepared", key=prepared.key, train=len(prepared.train), test=len(prepared.test),
            tokens=len(prepared.train.ids), vocabulary=prepared.tokenizer.get_vocab_size())  # fmt: skip


def _whole(folder: Path) -> dict[str, Any]:
    """What is recorded of the prepared files. Raises `Fault` if they are not those."""
    keys = ("key", "digest", "source", "hyperparameters", "files")
    facts = recorded(folder / FILES[2], keys, "prepared data", "prepare")
    for name in FILES[:2]:
        path = folder / name
        if not path.is_file() or facts["files"].get(name) != sha256(path):
            raise Fault(f"{path} is not what was prepared", "run the stages fetch and prepare again")
    return facts


def load_prepared(folder: Path) -> Prepared:
    """The data set that `tokenize` wrote to `folder`."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    facts = _whole(folder)
    tensors = load_file(folder / FILES[1])
    tokenizer = Tokenizer.from_file(str(folder / FILES[0]))
    parts = {
        name: Encoded(*(np.asarray(tensors[f"{name}.{field}"]) for field in ("ids", "starts", "labels")))
        for name in ("train", "test")
    }
    return Prepared(
        facts["key"],
        facts["digest"],
        facts["source"],
        tokenizer,
        parts["train"],
        parts["test"],
        facts["hyperparameters"],
    )


def write_cache(store: Store, folder: Path, key: str) -> None:
    """Copy the prepared files from `folder` to the store; the one that is looked for comes last."""
    for name in FILES:
        store.write(f"{key}/{name}", folder / name)


def in_cache(store: Store, key: str) -> bool:
    """Whether an earlier run prepared this."""
    return store.read(f"{key}/{FILES[2]}") is not None


def read_cache(store: Store, folder: Path, key: str) -> None:
    """Copy what an earlier run prepared under this key to `folder`. Raises `Fault` if it is not whole.

    Files of a store expire one by one, and may be damaged.
    """
    for name in FILES:
        store.fetch(f"{key}/{name}", folder / name)
    _whole(folder)
    log.say("reused", key=key, of=store.uri)
