"""A version's manifest: what it is, how it runs, and the digest of each of its files."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple

from app.drift import Baseline
from app.settings import NAME
from app.store import Missing, Store, Unusable

SCHEMA = "mlopsgen.io/model/v1"
TASK = "text-classification"
"""The task of the models that this service answers with."""
SHA256 = re.compile(r"[0-9a-f]{64}")
READABLE = (".onnx", ".onnx_data", ".data", ".safetensors", ".json", ".txt", ".html", ".png", ".csv", ".md")
"""What a version may hold. Formats that run code when they are loaded (pickle) are not among them."""


Activation = Literal["softmax", "sigmoid"]
"""What makes probabilities of logits: of labels that exclude each other, and of labels that do not."""


class Wanted(NamedTuple):
    """The version that should answer."""

    version: str
    sha256: str | None
    """The digest that its manifest has to have; None where nothing but a name is known."""


@dataclass(frozen=True, slots=True)
class File:
    """What a file of the version has to be."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a reader needs to know of a version."""

    name: str
    version: str
    sha256: str
    """The digest of the manifest itself."""
    labels: tuple[str, ...]
    activation: Activation
    max_tokens: int
    tokenizer: str
    runtime: Mapping[str, str]
    inputs: tuple[str, ...]
    files: Mapping[str, File]
    baseline: Baseline | None
    """How the texts were spread on which it was measured."""
    made_up: bool
    """Whether it learnt from made-up data, to show how it works."""
    document: Mapping[str, object]
    """All of it, for people."""


def current(store: Store) -> Wanted:
    """The version that was promoted, with the digest of what was promoted. Raises `Unusable`."""
    try:
        document = _object(store.read("current.json"), "current.json")
    except Missing as error:
        raise Missing(f"{error}: no version has been promoted yet") from error
    version = document.get("version")
    if not isinstance(version, str) or not NAME.fullmatch(version):
        raise Unusable("current.json: `version` is not the name of a version")
    sha256 = document.get("manifestSha256")
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise Unusable("current.json: `manifestSha256` is no digest of a manifest; promote the version again")
    return Wanted(version, sha256)


def read_manifest(store: Store, wanted: Wanted, name: str) -> Manifest:
    """The manifest of the wanted version, every value checked. Raises `Unusable`."""
    version = wanted.version
    place = f"{version}/manifest.json"
    try:
        data = store.read(place)
    except Missing as error:
        raise Missing(f"{error}: version {version} was never finished, or its name is wrong") from error
    sha256 = hashlib.sha256(data).hexdigest()
    if wanted.sha256 not in (None, sha256):
        raise Unusable(
            f"{place} is not what was promoted: its digest is {sha256}, current.json says {wanted.sha256}"
        )
    document = _object(data, place)
    try:
        return _manifest(document, version, name, sha256)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"`{error.args[0]}` is missing" if isinstance(error, KeyError) else str(error)
        raise Unusable(f"{place}: {reason}") from error


def _object(data: bytes, place: str) -> dict[str, object]:
    try:
        document = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise Unusable(f"{place} is no JSON: {error}") from error
    if not isinstance(document, dict):
        raise Unusable(f"{place} is no JSON object")
    return document


def _manifest(document: dict[str, object], version: str, name: str, sha256: str) -> Manifest:
    for key, wanted in (("schema", SCHEMA), ("name", name), ("version", version)):
        if document[key] != wanted:
            raise ValueError(f"`{key}` is {document[key]!r}, not {wanted!r}")
    if document["task"] != TASK:
        raise ValueError(f"`task` is {document['task']!r}; this program serves {TASK}")
    files = {_file(each): _expected(each, facts) for each, facts in _map(document, "files").items()}
    labels = _texts(document, "labels")
    if len(labels) < 2 or len(set(labels)) != len(labels):
        raise ValueError("`labels` needs two or more different names")
    max_tokens = document["maxTokens"]
    if not isinstance(max_tokens, int) or isinstance(max_tokens, bool) or not 1 <= max_tokens <= 1 << 20:
        raise ValueError("`maxTokens` is no number of tokens")
    runtime = {key: _listed(files, file) for key, file in _map(document, "runtime").items()}
    inputs = _texts(document, "inputs")
    if not inputs or not set(inputs) <= {"input_ids", "attention_mask"}:
        raise ValueError("`inputs` may name input_ids and attention_mask")
    activation = document.get("activation", "softmax")
    if activation != "softmax" and activation != "sigmoid":
        raise ValueError("`activation` is neither softmax nor sigmoid")
    return Manifest(
        name=name,
        version=version,
        sha256=sha256,
        labels=labels,
        activation=activation,
        max_tokens=max_tokens,
        tokenizer=_listed(files, document["tokenizer"]),
        runtime=runtime,
        inputs=inputs,
        files=files,
        baseline=Baseline.read(document["baseline"], labels) if "baseline" in document else None,
        made_up=_made_up(document.get("data")),
        document=document,
    )


def _made_up(data: object) -> bool:
    return isinstance(data, dict) and data.get("source") == "synthetic"


def _map(document: dict[str, object], key: str) -> dict[str, object]:
    value = document[key]
    if not isinstance(value, dict):
        raise ValueError(f"`{key}` is no object")
    return value


def _texts(document: dict[str, object], key: str) -> tuple[str, ...]:
    value = document[key]
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ValueError(f"`{key}` is no list of names")
    return tuple(value)


def _file(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError(f"`files` names {name!r}, which is no plain file name")
    if not name.endswith(READABLE):
        raise ValueError(f"`files` names {name!r}; of its kind no file is loaded (pickle can run code)")
    return name


def _listed(files: Mapping[str, File], name: object) -> str:
    if not isinstance(name, str) or name not in files:
        raise ValueError(f"{name!r} is not listed in `files`")
    return name


def _expected(name: str, facts: object) -> File:
    sha256 = facts.get("sha256") if isinstance(facts, dict) else None
    size = facts.get("bytes") if isinstance(facts, dict) else None
    if not isinstance(sha256, str) or not SHA256.fullmatch(sha256):
        raise ValueError(f"`files`: {name} has no `sha256` of 64 hexadecimal digits")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise ValueError(f"`files`: {name} has no `bytes`")
    return File(sha256, size)
