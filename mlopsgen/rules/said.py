"""Every text of a pipeline, wherever it is written, with its place."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from pydantic import BaseModel

from mlopsgen.diagnostics.span import SpecPath


class Said(NamedTuple):
    """A text of the file."""

    path: SpecPath
    text: str

    key: bool = False
    """Whether it is a key that the author chose."""

    beside: str = ""
    """What goes with it by name: the key in front of it, or its neighbour's `Name` in a patch."""


def said(value: object, path: SpecPath = (), beside: str = "") -> Iterator[Said]:
    """Every text of `value`, in its order; defaults are nobody's words."""
    match value:
        case str():
            yield Said(path, value, beside=beside)
        case BaseModel():
            written = value.model_fields_set
            for name, word in _words(type(value)):
                if name in written:
                    yield from said(getattr(value, name), (*path, word), word)
        case dict():
            pair = value.get("Name") if value.keys() == {"Name", "Value"} else None
            for key, each in value.items():
                yield Said((*path, str(key)), str(key), key=True)
                named = pair if isinstance(pair, str) and key == "Value" else str(key)
                yield from said(each, (*path, str(key)), named)
        case tuple() | list():
            for index, each in enumerate(value):
                yield from said(each, (*path, index), beside)


@cache
def _words(model: type[BaseModel]) -> tuple[tuple[str, str], ...]:
    """The fields of a model, each with the word that the file has for it."""
    return tuple((name, field.alias or name) for name, field in model.model_fields.items())
