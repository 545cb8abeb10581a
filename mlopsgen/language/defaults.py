"""A tree with the language's defaults written out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.diagnostics.span import Span
from mlopsgen.language.reference import is_later, key
from mlopsgen.language.writing import written
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence

DEFAULT = Span("", 0, 0, 0, 0)
"""The place of what stands in no file."""


def with_defaults(node: Node, value: object) -> Node:
    """`node`, which loaded as `value`, with each key that it leaves out but whose default is not nothing.

    The tree is that of one environment, so `environments` is not among them. Neither are lists that may be
    left out but not be empty, such as `command`.
    """
    match node, value:
        case Mapping(items=pairs, span=span), BaseModel():
            fields = {key(name, field): (name, field) for name, field in type(value).model_fields.items()}
            said = [(word, with_defaults(below, _below(value, fields, word))) for word, below in pairs]
            unsaid = [
                (Scalar(word, DEFAULT, word), _default(item, field))
                for word, (name, field) in fields.items()
                if word != "environments"
                and not is_later(field)
                and node.get(word) is None
                and (item := getattr(value, name)) is not None
                and (item != () or not _needs_items(field))
            ]
            return Mapping((*said, *unsaid), span)
        case Mapping(items=pairs, span=span), dict():
            return Mapping(
                tuple((word, with_defaults(below, value.get(word.text))) for word, below in pairs), span
            )
        case Sequence(items=items, span=span), tuple() if len(items) == len(value):
            return Sequence(tuple(map(with_defaults, items, value)), span)
        case _:
            return node


def _below(value: BaseModel, fields: dict[str, tuple[str, FieldInfo]], word: Scalar) -> object:
    return getattr(value, fields[word.text][0]) if word.text in fields else None


def _needs_items(field: FieldInfo) -> bool:
    return any(getattr(mark, "min_length", None) for mark in field.metadata)


def _default(value: Any, field: FieldInfo) -> Node:
    match value:
        case BaseModel():
            return with_defaults(Mapping((), DEFAULT), value)
        case tuple() if value and isinstance(value[0], BaseModel):
            return Sequence(tuple(_default(item, field) for item in value), DEFAULT)
        case _:
            return _node(written(value, field))


def _node(said: Any) -> Node:
    match said:
        case list():
            return Sequence(tuple(map(_node, said)), DEFAULT)
        case dict():
            return Mapping(
                tuple((Scalar(word, DEFAULT, word), _node(item)) for word, item in said.items()), DEFAULT
            )
        case bool():
            return Scalar(said, DEFAULT, str(said).lower())
        case _:
            return Scalar(said, DEFAULT, str(said))
