"""The schemas of the language as pydantic compiled them; they change with the language alone.

Compiling them takes longer than all that is done with them. They are kept as plain data with places for the
classes and functions among it, which are kept by name: what is read runs nothing.
"""

from __future__ import annotations

import marshal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pydantic
from pydantic_core import SchemaSerializer, SchemaValidator, __version__

from mlopsgen.language.base import Spec
from mlopsgen.model import pipeline
from mlopsgen.startup.store import Stored

_complete: set[type[Spec]] = set()


def restore() -> None:
    """Give the models of the language their schemas, if they were kept."""
    if content := _stored().read():
        names, kept = marshal.loads(content)
        things = [_found(*name) for name in names]
        if None in things:
            return
        for number, schema, places in kept:
            for steps, thing in places:
                *way, last = steps
                at = schema
                for step in way:
                    at = at[step]
                at[last] = things[thing]
            _restore(things[number], schema)


def keep() -> None:
    """Keep the schemas of all models that were used, if some are new and all can be kept."""
    used = [each for each in _models(Spec) if each.__pydantic_complete__]
    if _complete.issuperset(used):
        return
    names: dict[tuple[str, str], int] = {}
    kept = []
    try:
        for each in used:
            places: list[tuple[tuple[Any, ...], int]] = []
            schema = _plain(each.__pydantic_core_schema__, (), places, names)
            kept.append((_number(each, names), schema, places))
    except _Unkeepable:
        return
    _stored().write(marshal.dumps((list(names), kept)))


class _Unkeepable(Exception):
    """Something that cannot be found again by a name."""


def _plain(value: Any, steps: tuple[Any, ...], places: list[Any], names: dict[tuple[str, str], int]) -> Any:
    """The value as lists and maps, with the place and number of each class and function in it."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case dict():
            return {key: _plain(each, (*steps, key), places, names) for key, each in value.items()}
        case list():
            return [_plain(each, (*steps, index), places, names) for index, each in enumerate(value)]
        case tuple():
            # A default, of plain values.
            inner: list[Any] = []
            kept = tuple(_plain(each, (), inner, names) for each in value)
            if inner:
                raise _Unkeepable(value)
            return kept
        case _:
            places.append((steps, _number(value, names)))
            return None


def _number(thing: Any, names: dict[tuple[str, str], int]) -> int:
    """The number of the thing's name, if it can be found again by that."""
    owner = getattr(thing, "__self__", None)
    if isinstance(owner, type):
        name = (owner.__module__, f"{owner.__qualname__}.{thing.__name__}")
    else:
        name = (str(getattr(thing, "__module__", "")), str(getattr(thing, "__qualname__", "")))
    if _found(*name) != thing:
        raise _Unkeepable(name)
    return names.setdefault(name, len(names))


def _found(module: str, name: str) -> Any:
    """What goes by this name, or None."""
    thing: Any = sys.modules.get(module)
    for step in name.split("."):
        thing = getattr(thing, step, None)
    return thing


def _restore(model: Any, schema: Any) -> None:
    """What pydantic does once it has compiled a schema (`complete_model_class`)."""
    model.__pydantic_core_schema__ = schema
    model.__pydantic_validator__ = SchemaValidator(schema)
    model.__pydantic_serializer__ = SchemaSerializer(schema)
    model.__pydantic_computed_fields__ = {}
    model.__pydantic_complete__ = True
    _complete.add(model)


def _models(model: type[Spec]) -> Iterator[type[Spec]]:
    for each in model.__subclasses__():
        yield each
        yield from _models(each)


def _stored() -> Stored:
    """They hold for this Python and this pydantic, while no source that they come from has changed.

    That is judged as Python judges compiled modules: by time and size.
    """
    package = Path(pipeline.__file__).parent.parent
    sources = [Path(pipeline.__file__), *package.glob("language/*.py"), *package.glob("components/*/spec.py")]
    found = [(str(each), each.stat()) for each in sorted(sources)]
    times = [(source, each.st_mtime_ns, each.st_size) for source, each in found]
    return Stored(__file__, pydantic.VERSION, __version__, times)
