"""A document beside the models that describe it: each value with the field that says what it is.

All that reads a document before pydantic does goes through here: `walk_typed` to look at it, `map_typed` to
make another of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel, JsonValue

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Choice, Filled, Implied, Item, Later, LaterWords, Same, Varies
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence

Kind: TypeAlias = Literal["map", "values", "list", "scalar", "json"]
"""A map with known keys, one with any keys, a list, a single value, or anything that JSON can say."""


class Field(NamedTuple):
    """What the language says of a value, and of the key in front of it."""

    kind: Kind
    model: type[BaseModel] | None = None
    each: Field | None = None
    words: tuple[str, ...] = ()
    filled: bool = False
    required: bool = False
    bare: bool = False
    """Whether there is nothing of the kind when the key is left out."""

    choice: Choice | None = None
    later: bool = False
    later_words: tuple[str, ...] = ()
    implied: tuple[str, ...] = ()
    same: bool = False
    varies: bool = False

    @property
    def named(self) -> bool:
        """Whether this is a list of things that are told apart by their names."""
        each = self.each.model if self.kind == "list" and self.each else None
        return each is not None and issubclass(each, Item)


class Place(NamedTuple):
    """A value where it stands in a document."""

    path: SpecPath
    node: Node
    field: Field | None
    """None where the language has no such key."""

    key: Scalar | None
    """The key in front of it, with its place; None in a list."""

    owner: Field
    """The field of the map or list that holds it."""

    around: tuple[Node, ...]
    """The map or list that holds it, and the one that stands at its place beside."""

    beside: Node | None
    """What another document has at this place."""

    same: bool
    """Whether an environment must leave it as it is."""


def root_field(model: type[BaseModel]) -> Field:
    """The field of a whole document."""
    return Field("map", model)


@cache
def keys(model: type[BaseModel]) -> dict[str, Field]:
    """The keys of a map, as the file spells them."""
    return {
        info.alias or name: _marked(_field(info.annotation), info.metadata)._replace(
            required=info.is_required(), bare=info.default is None
        )
        for name, info in model.model_fields.items()
    }


def choices(field: Field) -> dict[str, Field]:
    """The keys of a map of which one may stand."""
    return _choices(field.model) if field.kind == "map" and field.model else {}


@cache
def _choices(model: type[BaseModel]) -> dict[str, Field]:
    return {key: field for key, field in keys(model).items() if field.choice}


def below(field: Field) -> dict[str, Field]:
    """The keys that a map knows; none if it takes any, or is no map."""
    return keys(field.model) if field.kind == "map" and field.model else {}


def walk_typed(node: Node, field: Field, path: SpecPath = (), beside: Node | None = None) -> Iterator[Place]:
    """Every value below `node`, those that hold others first, in the order of the file.

    Where the language does not know what stands there, or has not built it yet, the walk goes no deeper.
    `beside` is another document of the same kind: things of its lists are found by their names.
    """
    # Without recursion: a value in the depth would be handed up through every level above it.
    waiting = [_within(node, field, path, beside, field.same)]
    while waiting:
        at = next(waiting[-1], None)
        if at is None:
            waiting.pop()
            continue
        yield at
        if at.field and not at.field.later and not isinstance(at.node, Scalar):
            waiting.append(_within(at.node, at.field, at.path, at.beside, at.same))


def _within(node: Node, field: Field, path: SpecPath, beside: Node | None, same: bool) -> Iterator[Place]:
    """What a map or list holds."""
    around: tuple[Node, ...] = (node,) if beside is None else (node, beside)
    match node, field.kind:
        case Mapping(items=pairs), "map" | "values":
            known = below(field)
            others = {key.text: value for key, value in beside.items} if isinstance(beside, Mapping) else {}
            for key, value in pairs:
                each = field.each if field.kind == "values" else known.get(key.text)
                fixed = (same or each.same) and not each.varies if each else same
                other = others.get(key.text)
                yield Place((*path, key.text), value, each, key, field, around, other, fixed)
        case Sequence(items=items), "list" if field.each:
            named = things(beside) if field.named and isinstance(beside, Sequence) else {}
            for index, item in enumerate(items):
                other = named.get(name_of(item) or "") if named else None
                yield Place((*path, index), item, field.each, None, field, around, other, same)
        case _:
            return


def map_typed(node: Node, field: Field, change: Callable[[Node, Field], Node]) -> Node:
    """The document with `change` made to every value that the language knows, from the outside inwards."""
    node = change(node, field)
    match node, field.kind:
        case Mapping(items=pairs, span=span), "map":
            known = below(field)
            return Mapping(
                tuple(
                    (key, map_typed(value, known[key.text], change) if key.text in known else value)
                    for key, value in pairs
                ),
                span,
            )
        case Mapping(items=pairs, span=span), "values" if each := field.each:
            return Mapping(tuple((key, map_typed(value, each, change)) for key, value in pairs), span)
        case Sequence(items=items, span=span), "list" if each := field.each:
            return Sequence(tuple(map_typed(item, each, change) for item in items), span)
        case _:
            return node


def field_at(field: Field, path: SpecPath) -> Field | None:
    """The field at `path`, or None if the language has none there."""
    found: Field | None = field
    for step in path:
        if found is None:
            return None
        found = below(found).get(str(step)) if found.kind == "map" else found.each
    return found


def is_null(node: Node | None) -> bool:
    """Whether it is `null`, or nothing behind a key."""
    return isinstance(node, Scalar) and node.value is None


def name_of(node: Node) -> str | None:
    """The name of a thing, if it has one that could be."""
    name = node.get("name") if isinstance(node, Mapping) else None
    return name.value if isinstance(name, Scalar) and isinstance(name.value, str) else None


def things(node: Sequence) -> dict[str, Node]:
    """The things of a list by their names, of two with one name the first."""
    found: dict[str, Node] = {}
    for item in node.items:
        if name := name_of(item):
            found.setdefault(name, item)
    return found


@cache
def has_varying(field: Field) -> bool:
    """Whether an environment may change something below this, although not the rest."""
    if field.varies:
        return True
    if field.each:
        return has_varying(field.each)
    return any(has_varying(each) for each in below(field).values())


def _field(annotation: Any) -> Field:
    """The field of a value of that type."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is JsonValue:
        return Field("json")
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return Field("map", annotation)
    if origin is Annotated:
        return _marked(_field(arguments[0]), arguments[1:])
    if origin is tuple:
        return Field("list", each=_field(arguments[0]))
    if origin is dict:
        return Field("values", each=_field(arguments[1]))
    if origin is Literal:
        return Field("scalar", words=tuple(map(str, arguments)))
    found = [_field(each) for each in arguments if each is not type(None)]
    return found[0] if len(found) == 1 else Field("scalar")


def _marked(field: Field, marks: Iterable[object]) -> Field:
    """The field with what its marks say."""
    for mark in marks:
        match mark:
            case Filled():
                field = field._replace(filled=True)
            case Choice():
                field = field._replace(choice=mark)
            case Later():
                field = field._replace(later=True)
            case LaterWords(words=words):
                field = field._replace(later_words=words)
            case Implied(names=names):
                field = field._replace(implied=names)
            case Same():
                field = field._replace(same=True)
            case Varies():
                field = field._replace(varies=True)
            case _:
                pass
    return field
