"""From values back to what a file would say: camelCase keys, and quantities with their units."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mlopsgen.spec.quantities import (
    parse_cpu,
    parse_duration,
    parse_latency,
    parse_memory,
    write_cpu,
    write_duration,
    write_latency,
    write_memory,
)

_WRITERS: dict[object, Callable[[int], str]] = {
    parse_cpu: write_cpu,
    parse_duration: write_duration,
    parse_latency: write_latency,
    parse_memory: write_memory,
}


def key(name: str, field: FieldInfo) -> str:
    """How the file spells a field's name."""
    return field.alias or name


def default(field: FieldInfo) -> Any:
    """A field's default as a file would say it; `None` if it has none, or if that is nothing at all."""
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else written(value, field)


def written(value: Any, field: FieldInfo) -> Any:
    """The value of a field as a file would say it, without what is the default below it."""
    match value:
        case BaseModel():
            return {
                key(name, each): said
                for name, each in type(value).model_fields.items()
                if (said := written(getattr(value, name), each)) != default(each)
            }
        case tuple():
            return [written(item, field) for item in value]
        case int() if not isinstance(value, bool) and (writer := _writer(field)):
            return writer(value)
        case _:
            return value


def _writer(field: FieldInfo) -> Callable[[int], str] | None:
    validators = (each.func for each in metadata(field) if isinstance(each, BeforeValidator))
    return next((_WRITERS[each] for each in validators if each in _WRITERS), None)


def metadata(field: FieldInfo) -> Iterator[object]:
    """What a field's type is annotated with, that of an optional one too."""
    yield from field.metadata
    for each in get_args(field.annotation):
        yield from getattr(each, "__metadata__", ())
