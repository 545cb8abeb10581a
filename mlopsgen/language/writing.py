"""From values back to what a file would say: camelCase keys, and values with their units."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from mlopsgen.language.base import Choice
from mlopsgen.language.reference import bare, is_choice, key, typed
from mlopsgen.language.values import Unit


def default(field: FieldInfo) -> Any:
    """A field's default as a file would say it; `None` if it has none, or if that is nothing at all.

    That of a choice which holds when none stands is `{}`.
    """
    if any(isinstance(each, Choice) and each.default for each in field.metadata):
        return {}
    value = field.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else written(value, field)


def shown_default(field: FieldInfo) -> Any:
    """A field's default as a file would say it, or None where there is none worth saying."""
    value = None if field.is_required() else default(field)
    return None if value == [] or (value == {} and not is_choice(field)) else value


def written(value: Any, field: FieldInfo) -> Any:
    """The value of a field as a file would say it, without what is the default below it."""
    return _written(value, *typed(field))


def _written(value: Any, kind: Any, marks: tuple[object, ...]) -> Any:
    match value:
        case BaseModel():
            return {
                key(name, each): said
                for name, each in type(value).model_fields.items()
                if (said := written(getattr(value, name), each)) is not None
                # Who reads it sees what was chosen, even if it is the default.
                and (said != default(each) or is_choice(each))
            }
        case tuple() if get_origin(kind) is tuple:
            return [_written(item, *bare(get_args(kind)[0])) for item in value]
        case dict() if get_origin(kind) is dict:
            return {word: _written(item, *bare(get_args(kind)[1])) for word, item in value.items()}
        case None:
            return None
        case _:
            unit = next((each for each in marks if isinstance(each, Unit)), None)
            return unit.write(value) if unit else value
