"""A tree with the language's defaults written out."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.source.node import Mapping, Node, Scalar, Sequence, Span
from mlopsgen.spec.written import key, written

DEFAULT = Span("", 0, 0, 0, 0)
"""The place of what stands in no file."""


def with_defaults(node: Node, value: object) -> Node:
    """`node`, which loaded as `value`, with each key that it leaves out but whose default is not nothing.

    The tree is that of one environment, so `environments` is not among them.
    """
    match node, value:
        case Mapping(items=pairs, span=span), BaseModel():
            fields = {key(name, field): (name, field) for name, field in type(value).model_fields.items()}
            said = [(word, with_defaults(below, _below(value, fields, word))) for word, below in pairs]
            unsaid = [
                (Scalar(word, DEFAULT, word), _default(item, field))
                for word, (name, field) in fields.items()
                if word != "environments"
                and node.get(word) is None
                and (item := getattr(value, name)) is not None
            ]
            return Mapping((*said, *unsaid), span)
        case Sequence(items=items, span=span), tuple():
            return Sequence(tuple(map(with_defaults, items, value)), span)
        case _:
            return node


def _below(value: BaseModel, fields: dict[str, tuple[str, FieldInfo]], word: Scalar) -> object:
    return getattr(value, fields[word.text][0]) if word.text in fields else None


def _default(value: Any, field: FieldInfo) -> Node:
    match value:
        case BaseModel():
            return with_defaults(Mapping((), DEFAULT), value)
        case tuple():
            return Sequence(tuple(_default(item, field) for item in value), DEFAULT)
        case dict():
            pairs = ((Scalar(word, DEFAULT, word), _default(item, field)) for word, item in value.items())
            return Mapping(tuple(pairs), DEFAULT)
        case _:
            said = written(value, field)
            return Scalar(said, DEFAULT, str(said))
