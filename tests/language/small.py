"""A small language with every mark that fields can have, and what reading a document of it says."""

from __future__ import annotations

import re
import textwrap
from textwrap import dedent, indent
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Rejected
from mlopsgen.diagnostics.text import render
from mlopsgen.language.base import (
    Choice,
    Either,
    Empty,
    Implied,
    Item,
    Json,
    LaterWords,
    NotYet,
    Same,
    Spec,
    Text,
    Varies,
)
from mlopsgen.language.load import Loaded, load
from mlopsgen.language.values import Duration
from mlopsgen.source.node import plain
from mlopsgen.source.parse import parse

Word = Annotated[str, Field(pattern=r"^[a-z]+$")]
"""Lowercase letters."""


class CheckSpec(Spec):
    """How to tell whether it is well."""

    enabled: bool = True
    """`false`: nothing is asked."""

    path: Text = "/"
    """What is asked."""

    interval: Duration = 30
    """Time between two checks."""


class CacheSpec(Spec):
    """Memory for what is asked often."""

    size: int = 1
    """How much."""


class RouteSpec(Item):
    """A way in."""

    hosts: tuple[Text, ...] = ()
    """Its names."""

    weight: Annotated[int, Field(ge=1, le=9)] = 1
    """Its share."""


class StepSpec(Spec):
    """A step; steps have no names."""

    run: str
    """What runs."""

    after: str | None = None
    """What runs before it."""


class StoreSpec(Either):
    """Where it keeps things."""

    disk: Annotated[Empty | None, Choice(default=True)] = None
    """On a disk."""

    bucket: Annotated[CacheSpec | None, Choice()] = None
    """In a bucket."""


class SecretSpec(Spec):
    """Where a secret lies."""

    secret: Annotated[Text | None, Choice()] = None
    """By name."""

    parameter: Annotated[Text | None, Choice()] = None
    """By parameter."""

    vault: Annotated[NotYet, Choice()] = None
    """In a vault."""


class ServiceSpec(Item):
    """Something that runs."""

    image: Word
    """What runs."""

    env: dict[Word, Text] = Field(default_factory=dict)
    """Its variables."""

    secrets: dict[Word, SecretSpec] = Field(default_factory=dict)
    """Its secrets."""

    parameters: dict[str, Json] = Field(default_factory=dict)
    """Its parameters."""

    note: Json = None
    """Anything."""

    check: CheckSpec = Field(default_factory=CheckSpec)
    """Whether it is well."""

    cache: CacheSpec | None = None
    """Its cache."""

    store: StoreSpec = Field(default_factory=StoreSpec)
    """Its store."""

    callers: tuple[str, ...] | None = None
    """Who may call it, by default everybody."""

    routes: tuple[RouteSpec, ...] = ()
    """Ways in."""

    steps: tuple[StepSpec, ...] = ()
    """What it does."""

    plan: Annotated[Literal["slow", "fast"], LaterWords(("clever",))] = "slow"
    """How it goes."""

    calls: NotYet = None
    """Whom it calls."""


class PoolSpec(Item):
    """What it runs on."""

    big: Annotated[CacheSpec | None, Choice()] = None
    """A big one."""

    little: Annotated[Empty | None, Choice()] = None
    """A little one."""

    rented: Annotated[NotYet, Choice()] = None
    """Somebody else's."""


class DeliverySpec(Spec):
    """How it gets there."""

    branch: str = "main"
    """From where."""

    provider: Annotated[Literal["create", "existing"], Varies()] = "existing"
    """By whom."""


class AwsSpec(Spec):
    """Where it runs."""

    region: str
    """The region."""

    account: str | None = None
    """The account."""


class SmallSpec(Spec):
    """Everything."""

    aws: AwsSpec
    """Where."""

    variables: dict[str, Text] = Field(default_factory=dict)
    """Values for texts."""

    images: Annotated[tuple[Item, ...], Same()] = ()
    """What is built."""

    delivery: Annotated[DeliverySpec | None, Same()] = None
    """How it is delivered."""

    pools: Annotated[tuple[PoolSpec, ...], Implied(("common",))] = ()
    """What things run on."""

    services: tuple[ServiceSpec, ...] = ()
    """What runs."""


class MetadataSpec(Spec):
    """What it is called."""

    name: str
    """The name."""

    labels: dict[str, Text] = Field(default_factory=dict)
    """Labels."""


class Small(Spec):
    """A document of the small language."""

    metadata: MetadataSpec
    """What it is called."""

    spec: SmallSpec
    """Everything."""


HEAD = "metadata: {name: demo}\nspec:\n  aws: {region: here}\n"


def document(body: str) -> str:
    """A whole file: the body itself if it is one, else what stands in `spec` below the third line."""
    text = dedent(body).strip("\n") + "\n"
    return text if re.search("^(metadata|spec):", text, re.MULTILINE) else HEAD + indent(text, "  ")


def read(body: str, model: type[BaseModel] = Small) -> dict[str, Loaded[BaseModel]]:
    """The environments of a document, by name."""
    return {each.environment: each for each in load(parse(document(body), "p.yaml"), model)}


def spec(body: str, environment: str = "default") -> SmallSpec:
    """What an environment means."""
    pipeline = read(body)[environment].pipeline
    assert isinstance(pipeline, Small)
    return pipeline.spec


def tree(body: str, environment: str = "default") -> object:
    """The `spec` of an environment's tree without its places, but for `aws`."""
    root = plain(read(body)[environment].tree)
    assert isinstance(root, dict) and isinstance(root["spec"], dict)
    return {key: value for key, value in root["spec"].items() if key != "aws"}


def told(body: str, model: type[BaseModel] = Small) -> str:
    """What is wrong with a document: codes with their places and messages, each with its help below it."""
    try:
        read(body, model)
    except Rejected as rejected:
        return "".join(_told(each) for each in rejected.diagnostics)
    return ""


def _told(each: Diagnostic) -> str:
    first, *others = each.labels
    lines = textwrap.wrap(f"{each.code} {_at(first)} {each.message}", 100, subsequent_indent="  ")
    lines += [f"  - {_at(label)} {label.text}" for label in others]
    if each.help:
        lines += textwrap.wrap(f"  = {each.help}", 100, subsequent_indent="    ")
    return "\n".join(lines) + "\n"


def _at(label: Label) -> str:
    return f"{label.span.line}:{label.span.column}"


def seen(body: str) -> str:
    """What a user sees of a document that is rejected."""
    try:
        read(body)
    except Rejected as rejected:
        return render(rejected.diagnostics, {"p.yaml": document(body)})
    return ""
