"""The language's own reference, read from the models and from the docstrings under their fields.

pydantic could read the docstrings too, but reads each module's source whenever it is imported; here that
happens only when somebody asks. `root` is the model of the whole file.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import pairwise
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language import base, values
from mlopsgen.language.base import Called, Choice, Filled, Later
from mlopsgen.language.values import Unit


def key(name: str, field: FieldInfo) -> str:
    """How the file spells a field's name."""
    return field.alias or name


def bare(annotation: Any, marks: tuple[object, ...] = ()) -> tuple[Any, tuple[object, ...]]:
    """A type without what `Annotated` and `None` put around it, and all its marks.

    What a `Field` inside it says counts as marks, each by itself: `Annotated[int, Field(ge=1)] | None` is
    `int` with that bound.
    """
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return bare(inner, (*marks, *_flat(more)))
    if get_origin(annotation) in (Union, UnionType):
        others = [each for each in get_args(annotation) if each is not type(None)]
        if len(others) == 1:
            return bare(others[0], marks)
    return annotation, marks


def _flat(marks: Iterable[object]) -> Iterator[object]:
    for each in marks:
        yield from each.metadata if isinstance(each, FieldInfo) else (each,)


def typed(field: FieldInfo) -> tuple[Any, tuple[object, ...]]:
    """A field's type and all its marks, as `bare` gives them."""
    return bare(field.annotation, tuple(field.metadata))


def is_later(field: FieldInfo) -> bool:
    """Whether the key is reserved and not built yet."""
    return any(isinstance(each, Later) for each in field.metadata)


def is_choice(field: FieldInfo) -> bool:
    """Whether the key is one of several of which one stands in its map."""
    return any(isinstance(each, Choice) for each in field.metadata)


def models(root: type[BaseModel]) -> dict[str, type[BaseModel]]:
    """`root` and every model below it, by name, parents first."""
    found = {root.__name__: root}
    waiting = [root]
    while waiting:
        for field in waiting.pop(0).model_fields.values():
            below = submodel(field.annotation)
            if below is not None and below.__name__ not in found:
                found[below.__name__] = below
                waiting.append(below)
    return found


@cache
def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field of `model` and of its bases, by attribute name."""
    result: dict[str, str] = {}
    for each in reversed(model.__mro__):
        if issubclass(each, BaseModel) and each is not BaseModel:
            result |= _documented(each.__module__).get(each.__name__, {})
    return result


@cache
def _documented(module: str) -> dict[str, dict[str, str]]:
    """The docstring under each attribute of each class of a module."""
    return {
        each.name: {
            name.id: " ".join(text.split())
            for attribute, said in pairwise(each.body)
            if isinstance(attribute, ast.AnnAssign) and isinstance(name := attribute.target, ast.Name)
            if (text := _text(said)) is not None
        }
        for each in _parsed(module).body
        if isinstance(each, ast.ClassDef)
    }


@cache
def _parsed(module: str) -> ast.Module:
    return ast.parse(inspect.getsource(sys.modules[module]))


def _text(statement: ast.stmt) -> str | None:
    match statement:
        case ast.Expr(value=ast.Constant(value=str(text))):
            return text
        case _:
            return None


def form(root: type[BaseModel], path: SpecPath, pattern: str) -> str | None:
    """What a text of the field at `path` looks like, by what its type's name says of `pattern`.

    Fields of two types may have one pattern, so that the pattern alone does not tell whose it is.
    """
    found = _owner(root, path)
    return form_of(root, *found, pattern) if found else None


def form_of(root: type[BaseModel], model: type[BaseModel], field: str, pattern: str) -> str | None:
    """The same of the attribute `field` of a `model`."""
    for alias, module in _named_types(model, field):
        if pattern in _patterns(getattr(sys.modules[module], alias, None)):
            written = {each.__module__ for each in models(root).values()}
            for each in (module, base.__name__, values.__name__, *sorted(written)):
                if text := _aliases(each).get(alias):
                    return text
    return docstrings(model).get(field)


def _owner(root: type[BaseModel], path: SpecPath) -> tuple[type[BaseModel], str] | None:
    """The field at `path`, with its model; of what a map of any keys holds, the map's."""
    names = tuple(step for step in path if isinstance(step, str))
    if not names:
        return None
    model = model_at(root, names[:-1])
    for name, field in model.model_fields.items() if model else ():
        if model and key(name, field) == names[-1]:
            return model, name
    above = _owner(root, names[:-1])
    if above and get_origin(typed(above[0].model_fields[above[1]])[0]) is dict:
        return above
    return None


def _named_types(model: type[BaseModel], field: str) -> Iterator[tuple[str, str]]:
    """The names in a field's annotation, with the module that writes it."""
    for each in model.__mro__:
        for node in _parsed(each.__module__).body if issubclass(each, BaseModel) else ():
            if isinstance(node, ast.ClassDef) and node.name == each.__name__:
                for said in node.body:
                    if isinstance(said, ast.AnnAssign) and ast.unparse(said.target) == field:
                        names = (n for n in ast.walk(said.annotation) if isinstance(n, ast.Name))
                        yield from ((name.id, each.__module__) for name in names)


@cache
def _aliases(module: str) -> dict[str, str]:
    """The docstring under each name that a module gives to a type."""
    return {
        assignment.targets[0].id: " ".join(text.split())
        for assignment, said in pairwise(_parsed(module).body)
        if isinstance(assignment, ast.Assign)
        and isinstance(assignment.targets[0], ast.Name)
        and (text := _text(said)) is not None
    }


def _patterns(annotation: Any) -> tuple[str, ...]:
    _, marks = bare(annotation)
    return tuple(pattern for each in marks if isinstance(pattern := getattr(each, "pattern", None), str))


def describe(root: type[BaseModel], path: SpecPath) -> str | None:
    """What the reference says of the field at `path`, or None if there is no such field."""
    found = _owner(root, path)
    return docstrings(found[0]).get(found[1]) if found else None


def fields(root: type[BaseModel], path: SpecPath) -> dict[str, type[BaseModel] | None]:
    """The keys that the language knows at `path`, each with the model below it if there is one.

    Those that are reserved are among them.
    """
    model = model_at(root, path)
    if model is None:
        return {}
    return {key(name, field): submodel(field.annotation) for name, field in model.model_fields.items()}


def model_at(root: type[BaseModel], path: SpecPath) -> type[BaseModel] | None:
    """The model of the map at `path`, or None if no map of known keys is there.

    Numbers step through lists and, as everywhere, names of things may do so too; the key of a map of maps and
    the name of an environment are stepped through likewise.
    """
    model: type[BaseModel] | None = root
    environment = named = False
    for step in path:
        if model is None or isinstance(step, int):
            continue
        found = {key(name, field): field for name, field in model.model_fields.items()}
        if environment or (named and step not in found):
            environment = named = False
            continue
        if step not in found:
            return None
        kind, _ = typed(found[step])
        named = get_origin(kind) in (dict, tuple)
        environment = step == "environments" and get_origin(kind) is dict
        # An environment is a part of the very map that it stands in.
        model = model if environment else submodel(kind)
    return model


def submodel(annotation: Any) -> type[BaseModel] | None:
    """The model inside a type such as `tuple[ServiceSpec, ...]` or `VpcSpec | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := submodel(each))), None)


def type_name(annotation: Any, marks: tuple[object, ...] = ()) -> str:
    """A type in the words of the reference: `text`, `list of name`, `one of manual, automatic`."""
    annotation, marks = bare(annotation, marks)
    for each in marks:
        if isinstance(each, Called | Unit):
            return each.word
        if isinstance(each, Filled):
            return "text"
    origin, arguments = get_origin(annotation), get_args(annotation)
    if submodel(annotation) is annotation:
        return "map"
    if origin is tuple:
        return f"list of {_plural(type_name(arguments[0]))}"
    if origin is dict:
        return f"map of {_plural(type_name(arguments[1]))}"
    if origin is Literal:
        return "one of " + ", ".join(map(str, arguments))
    return _WORDS[annotation]


_WORDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _plural(word: str) -> str:
    return "maps" if word == "map" else word


def bounds(field: FieldInfo) -> str | None:
    """The bounds of a number, or of a list's length: `1024 to 65535`, `at least 1`, `more than 0`."""
    kind, marks = typed(field)
    if any(isinstance(each, Called | Unit | Filled) for each in marks):
        return None
    low, high = _bound(marks, "ge"), _bound(marks, "le")
    above, below = _bound(marks, "gt"), _bound(marks, "lt")
    what = ""
    if kind is str or get_origin(kind) in (tuple, dict):
        low, high = _bound(marks, "min_length"), _bound(marks, "max_length")
        what = " characters" if kind is str else " items"
    if low is not None and high is not None:
        return f"{low} to {high}{what}"
    words = (("at least", low), ("more than", above), ("at most", high), ("less than", below))
    said = [
        f"{word} {bound}{what if bound != '1' else what[:-1]}" for word, bound in words if bound is not None
    ]
    return ", ".join(said) or None


def _bound(marks: tuple[object, ...], name: str) -> str | None:
    found = next((bound for each in marks if (bound := getattr(each, name, None)) is not None), None)
    return None if found is None else f"{found:g}" if isinstance(found, float) else str(found)
