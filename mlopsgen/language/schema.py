"""The language as JSON Schema 2020-12, for editors and other programs.

It is made from the models and their docstrings, so it cannot differ from what the compiler accepts. Each map
has up to three definitions: as it stands in the base; as an environment changes it, where nothing is required
and `null` takes away; and, below a key that is the same everywhere, with the few keys that an environment may
change nevertheless.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.language.base import Choice, Filled, Item, Same, Varies
from mlopsgen.language.reference import bare, docstrings, is_later, key, models, submodel, typed
from mlopsgen.language.values import Unit
from mlopsgen.language.writing import shown_default

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def schema(root: type[BaseModel]) -> Schema:
    """The JSON Schema of a file whose model is `root`."""
    definitions: dict[str, Schema] = {}
    for name, model in models(root).items():
        for view in (_BASE, _PART, _SAME):
            definitions[view.prefix + name] = _map(model, view)
    whole = _map(root, _BASE)
    return {
        "$schema": DIALECT,
        "title": root.__name__,
        **whole,
        # Anchors are declared below such keys; nothing else reads them.
        "patternProperties": {"^x-": {}},
        "$defs": {name: definitions[name] for name in sorted(_reachable(whole, definitions))},
    }


class _View(NamedTuple):
    """Where a map stands: in the base, in an environment, or there below what is the same everywhere."""

    prefix: str
    partial: bool
    same: bool = False


_BASE = _View("", partial=False)
_PART = _View("Partial", partial=True)
_SAME = _View("Varying", partial=True, same=True)


def _map(model: type[BaseModel], view: _View) -> Schema:
    """The definition of a map."""
    documented = docstrings(model)
    properties: Schema = {}
    required: list[str] = []
    for name, field in model.model_fields.items():
        word, text = key(name, field), documented.get(name, "")
        is_name = issubclass(model, Item) and name == "name"
        if view.partial and name == "environments":
            # An environment has none of its own, and which ones have a thing is said where it is declared.
            continue
        if field.is_required() and (is_name or not view.partial):
            required.append(word)
        if is_later(field):
            properties[word] = _refused(f"Not yet: {text}", "It is reserved, and not built yet.")
        elif view.partial and not is_name and not _changes(field, view):
            properties[word] = _refused(f"{text} The same in all environments.", "It is the same everywhere.")
        else:
            value = _property(model, name, field, text, view)
            properties[word] = _nullable(value) if _may_go(field, view) else value
    return {
        "description": " ".join((model.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **_choices(model, view),
    }


def _property(model: type[BaseModel], name: str, field: FieldInfo, text: str, view: _View) -> Schema:
    kind, marks = typed(field)
    if name == "environments" and get_origin(kind) is dict:
        value = _type(kind, marks, view)
        (pattern,) = value["patternProperties"]
        value["patternProperties"] = {pattern: _nullable({"$ref": f"{_REF}{_PART.prefix}{model.__name__}"})}
        value["minProperties"] = 1
    else:
        below = _SAME if view.partial and any(isinstance(each, Same) for each in field.metadata) else view
        value = _type(kind, marks, below)
    result = {"description": text, "markdownDescription": text, **value}
    if "pattern" in value:
        result.setdefault("patternErrorMessage", text)
    if not view.partial and (said := shown_default(field)) is not None:
        result["default"] = said
    return result


def _changes(field: FieldInfo, view: _View) -> bool:
    """Whether an environment may say something at this key, or below it."""
    if not view.same and not any(isinstance(each, Same) for each in field.metadata):
        return True
    return any(isinstance(each, Varies) for each in field.metadata) or _has_varying(
        submodel(field.annotation)
    )


def _has_varying(model: type[BaseModel] | None) -> bool:
    return model is not None and any(_changes(field, _SAME) for field in model.model_fields.values())


def _may_go(field: FieldInfo, view: _View) -> bool:
    """Whether an environment may take away what the base says at this key."""
    marks = field.metadata
    if any(isinstance(each, Varies) for each in marks):
        return view.partial
    same = view.same or any(isinstance(each, Same) for each in marks)
    return view.partial and not same and not field.is_required()


def _type(kind: Any, marks: tuple[object, ...], view: _View) -> Schema:
    """The schema of a type with its marks."""
    unit = next((each for each in marks if isinstance(each, Unit)), None)
    origin, arguments = get_origin(kind), get_args(kind)
    if unit:
        return _quantity(unit)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {"$ref": f"{_REF}{view.prefix}{kind.__name__}"}
    if origin is Literal:
        return {"type": "string", "enum": list(arguments)}
    if origin is tuple:
        item, item_marks = bare(arguments[0])
        # A list whose things have no names takes the place of the base's, so its items stay whole.
        merges = isinstance(item, type) and issubclass(item, Item)
        items = _type(item, item_marks, view if merges else _BASE)
        return {"type": "array", "items": items, **_lengths(marks, "Items")}
    if origin is dict:
        words, word_marks = bare(arguments[0])
        value = _type(*bare(arguments[1]), view)
        named = _type(words, word_marks, _BASE)
        return {
            "type": "object",
            "patternProperties": {named.pop("pattern"): _nullable(value) if view.partial else value},
            "propertyNames": named,
            "additionalProperties": False,
            **_lengths(marks, "Properties"),
        }
    if kind is str:
        return _string(marks)
    if kind in _KINDS:
        return {"type": _KINDS[kind], **_limits(marks)}
    # What JSON can say.
    return {}


_KINDS = {bool: "boolean", int: "integer", float: "number"}


def _quantity(unit: Unit) -> Schema:
    *others, last = unit.examples
    numbers: Schema = {"exclusiveMinimum": 0} if unit.numbers else {}
    return {
        "type": ["string", "number"] if numbers else "string",
        "pattern": unit.pattern,
        "patternErrorMessage": f"Write it as {', '.join(others)} or {last}.",
        "examples": list(unit.examples),
        **numbers,
    }


def _string(marks: tuple[object, ...]) -> Schema:
    pattern = _first(marks, "pattern")
    if any(isinstance(each, Filled) for each in marks):
        # What `${…}` becomes is known to the compiler alone.
        return {"type": "string", **({"pattern": rf"({pattern})|\$\{{"} if pattern else {})}
    return {"type": "string", **({"pattern": pattern} if pattern else {}), **_lengths(marks, "Length")}


def _lengths(marks: tuple[object, ...], what: str) -> Schema:
    return _said({f"min{what}": _first(marks, "min_length"), f"max{what}": _first(marks, "max_length")})


def _limits(marks: tuple[object, ...]) -> Schema:
    return _said(
        {
            "minimum": _first(marks, "ge"),
            "exclusiveMinimum": _first(marks, "gt"),
            "maximum": _first(marks, "le"),
            "exclusiveMaximum": _first(marks, "lt"),
        }
    )


def _first(marks: tuple[object, ...], name: str) -> Any:
    return next((found for each in marks if (found := getattr(each, name, None)) is not None), None)


def _said(limits: Schema) -> Schema:
    return {word: limit for word, limit in limits.items() if limit is not None}


def _refused(text: str, message: str) -> Schema:
    """A key that is known and that nobody may write."""
    return {
        "description": text,
        "markdownDescription": text,
        "not": {},
        "errorMessage": message,
        "doNotSuggest": True,
    }


def _choices(model: type[BaseModel], view: _View) -> Schema:
    """Exactly one of a map's choices stands; where one is the default, or in an environment, at most one."""
    marked = {
        key(name, field): mark
        for name, field in model.model_fields.items()
        for mark in field.metadata
        if isinstance(mark, Choice) and not is_later(field)
    }
    if not marked:
        return {}
    if not view.partial and not any(mark.default for mark in marked.values()):
        return {"oneOf": [{"required": [word]} for word in marked]}
    stands = {"not": {"type": "null"}}
    pairs = [
        {"required": list(pair), "properties": dict.fromkeys(pair, stands)}
        for pair in combinations(marked, 2)
    ]
    return {"not": {"anyOf": pairs}} if pairs else {}


def _nullable(value: Schema) -> Schema:
    """The same schema, which accepts `null` too."""
    match value:
        case {"$ref": ref, **others}:
            return {**others, "anyOf": [{"$ref": ref}, {"type": "null"}]}
        case {"enum": list(words), **others}:
            return {**others, "type": ["string", "null"], "enum": [*words, None]}
        case {"type": str(kind)}:
            return value | {"type": [kind, "null"]}
        case {"type": list(kinds)}:
            return value | {"type": [*kinds, "null"]}
        case _:
            return value


def _reachable(root: Schema, definitions: dict[str, Schema]) -> set[str]:
    found: set[str] = set()
    waiting = [*_references(root)]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting.extend(_references(definitions[name]))
    return found


def _references(value: Any) -> Iterator[str]:
    match value:
        case dict():
            if isinstance(ref := value.get("$ref"), str):
                yield ref.removeprefix(_REF)
            for each in value.values():
                yield from _references(each)
        case list():
            for each in value:
                yield from _references(each)
