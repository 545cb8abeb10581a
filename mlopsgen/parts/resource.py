"""Finished resources: troposphere checks what is written, and a plain map is what stays of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from troposphere import AWSHelperFn, AWSObject, BaseAWSObject, Tags

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.document import Document
from mlopsgen.model.plan import Output, Publication, Resource
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Named, Published, Reference, Value


class Scope(NamedTuple):
    """Where something is declared: the environment, the stack, and the path of the spec behind it."""

    site: Site
    stack: str
    origin: SpecPath

    def at(self, *steps: str | int) -> Scope:
        """The same stack, at a place below."""
        return self._replace(origin=(*self.origin, *steps))

    def resource(self, body: AWSObject) -> Resource:
        """A finished resource here."""
        return resource(self.stack, body, self.origin)


def resource(stack: str, body: AWSObject, origin: SpecPath) -> Resource:
    """The finished resource of a troposphere object, whose title is its logical id."""
    references: list[Reference] = []
    document = _document(body, references)
    assert isinstance(document, dict)
    return Resource(stack, body.title, body.resource_type, document, origin, _once(references))


def publish(
    reference: Published, value: Value | list[Value], origin: SpecPath, *, kept: str | None = None
) -> Publication:
    """Tell the other stacks `value`. `kept` says why it is told though nobody may ask."""
    references: list[Reference] = []
    return Publication(reference, _document(value, references), origin, _once(references), kept)


def output(stack: str, name: str, value: Value, description: str) -> Output:
    """A value that a stack shows after it was deployed."""
    return Output(stack, name, plain(value), description)


def plain(value: Body) -> Document:
    """A value of troposphere's, intrinsic functions among it, as a template holds it."""
    return _document(value, [])


def _once(references: Iterable[Reference]) -> tuple[Reference, ...]:
    return tuple(dict.fromkeys(references))


def _document(value: Body | BaseAWSObject | Tags, references: list[Reference]) -> Document:
    """What troposphere's `to_dict` gives; but that walks each level once more for every level above it.

    References to other stacks are added to `references`.
    """
    match value:
        case str() | None | bool() | int() | float():
            return value
        case dict():
            # Most values are texts, and asked nothing.
            return {
                name: item if isinstance(item, str) else _document(item, references)
                for name, item in value.items()
            }
        case list() | tuple():
            return [item if isinstance(item, str) else _document(item, references) for item in value]
        case Published():
            references.append(value)
            return {"Ref": value.parameter}
        case Named():
            references.append(value)
            return _document(value.value, references)
        case BaseAWSObject() if value.properties:
            value._validate_props()
            value.validate()
            return _document(value.resource, references)
        case Tags():
            return _document(value.tags, references)
        case AWSHelperFn() if type(value).to_dict is AWSHelperFn.to_dict:
            return _document(value.data, references)
        case AWSHelperFn() | BaseAWSObject():
            return _document(value.to_dict(), references)
        case _:
            raise TypeError(f"{type(value).__name__} is no part of a template")
