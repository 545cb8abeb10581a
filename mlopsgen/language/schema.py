"""The language as JSON Schema 2020-12, for editors and other programs.

It is made from the models and their docstrings, so it cannot differ from what the compiler accepts. Each map
has up to three definitions: as it stands in the base; as an environment changes it, where nothing is required
and `null` takes away; and, below a key that is the same everywhere, with the few keys that an environment may
change nevertheless.

`errorMessage`, `patternErrorMessage`, `markdownDescription` and `doNotSuggest` are words of the YAML language
server. Where a plainer schema would do, the one that stands here is the one whose message it lets us write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations
from typing import Any, Literal, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mlopsgen.diagnostics.span import Span, SpecPath
from mlopsgen.language.base import Choice, Filled, Item, LaterWords, Same, Varies
from mlopsgen.language.hints import KEYS, hint_for_key
from mlopsgen.language.hints import typed as typed_at
from mlopsgen.language.reference import bare, docstrings, form_of, is_later, key, models, submodel, typed
from mlopsgen.language.values import Unit
from mlopsgen.language.walk import Field, below, root_field
from mlopsgen.language.writing import shown_default
from mlopsgen.source.node import Mapping as MappingNode

Schema: TypeAlias = dict[str, Any]
_Say: TypeAlias = Callable[[str], str | None]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def schema(root: type[BaseModel]) -> Schema:
    """The JSON Schema of a file whose model is `root`."""
    words = _Words(root, _foreign(root))
    definitions: dict[str, Schema] = {}
    for name, model in models(root).items():
        for view in (_BASE, _PART, _SAME):
            definitions[view.prefix + name] = _map(model, view, words)
    whole = _map(root, _BASE, words)
    return {
        "$schema": DIALECT,
        **whole,
        "title": root.__name__,
        # Anchors are declared below such keys; nothing else reads them.
        "patternProperties": {"^x-": {}},
        "$defs": {name: definitions[name] for name in sorted(_reachable(whole, definitions))},
    }


class _Words(NamedTuple):
    """What messages are made of."""

    root: type[BaseModel]
    """The model of the whole file."""

    foreign: Mapping[str, Mapping[str, str]]
    """By the name of a map: the words that other tools have for its keys, and what to write instead."""


def _foreign(root: type[BaseModel]) -> dict[str, dict[str, str]]:
    """The hints of each map that hold wherever it may stand."""
    found: dict[str, dict[str, str]] = {}
    field = root_field(root)
    for path, model in _places(field):
        at = typed_at(field, path)[1]
        known = [words for where, words in KEYS if re.fullmatch(where, at)]
        hints = {
            word: hint.text
            for words in known
            for word in words
            if (hint := hint_for_key(field, (*path, word), _NOTHING))
        }
        others = found.get(model.__name__, hints)
        found[model.__name__] = dict(sorted(hints.items() & others.items()))
    return found


_FOREIGN = "A word of another tool."

_NOTHING = MappingNode((), Span("", 0, 0, 0, 0))
"""What the author may have written: hints that would repeat it say `..`."""


def _places(field: Field, path: SpecPath = ()) -> Iterator[tuple[SpecPath, type[BaseModel]]]:
    """Every map of the language, wherever it may stand."""
    if field.kind == "map" and field.model and not field.later:
        yield path, field.model
        for word, each in below(field).items():
            yield from _places(each, (*path, word))
    elif field.each and not field.later:
        yield from _places(field.each, (*path, 0 if field.kind == "list" else "NAME"))


class _View(NamedTuple):
    """Where a map stands: in the base, in an environment, or there below what is the same everywhere."""

    prefix: str
    partial: bool
    same: bool = False


_BASE = _View("", partial=False)
_PART = _View("Partial", partial=True)
_SAME = _View("Varying", partial=True, same=True)


def _map(model: type[BaseModel], view: _View, words: _Words) -> Schema:
    """The definition of a map."""
    documented = docstrings(model)
    properties: Schema = {}
    required: list[str] = []
    for name, field in model.model_fields.items():
        word, text = key(name, field), documented.get(name, "")
        is_name = issubclass(model, Item) and name == "name"
        if view.partial and name == "environments":
            # An environment has none of its own, and which ones have a thing is said where it is declared.
            properties[word] = _refused(
                text,
                "An environment has none: say it where the thing is declared, outside of `environments`.",
            )
            continue
        if field.is_required() and (is_name or not view.partial):
            required.append(word)
        if is_later(field):
            properties[word] = _refused(
                f"Not yet: {text}", f"`{word}` is reserved, and not built yet: {text}"
            )
        elif view.partial and not is_name and not _changes(field, view):
            properties[word] = _refused(
                f"{text} The same in all environments.",
                f"`{word}` is the same in all environments: say it outside of `environments`.",
            )
        else:
            value = _property(model, name, field, text, view, words)
            properties[word] = _nullable(value) if _may_go(field, view) else value
    for word, hint in words.foreign.get(model.__name__, {}).items():
        if word not in properties:
            # In an environment the same, said once: twice would make the schema a third longer.
            properties[word] = (
                {"description": _FOREIGN, "$ref": f"{_REF}{model.__name__}/properties/{word}"}
                if view.partial
                else _refused(_FOREIGN, f"There is no `{word}` here: {hint}.")
            )
    return {
        "title": f"{model.__name__.removesuffix('Spec')} map",
        "description": " ".join((model.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
        **_choices(model, view),
    }


def _property(
    model: type[BaseModel], name: str, field: FieldInfo, text: str, view: _View, words: _Words
) -> Schema:
    kind, marks = typed(field)

    def say(pattern: str) -> str | None:
        return form_of(words.root, model, name, pattern)

    if name == "environments" and get_origin(kind) is dict:
        value = _type(kind, marks, view, say)
        (pattern,) = value["patternProperties"]
        value["patternProperties"] = {pattern: _nullable({"$ref": f"{_REF}{_PART.prefix}{model.__name__}"})}
        value["minProperties"] = 1
    else:
        same = view.partial and any(isinstance(each, Same) for each in field.metadata)
        value = _type(kind, marks, _SAME if same else view, say)
    result = {"description": text, "markdownDescription": text, **value}
    if "pattern" in value:
        result.setdefault("patternErrorMessage", text)
    if not view.partial and (said := shown_default(field)) is not None:
        # The language server would insert a list of maps as `[object Object]`, and inserts no example.
        maps = isinstance(said, list) and any(isinstance(each, dict) for each in said)
        result |= {"examples": [said]} if maps else {"default": said}
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


def _type(kind: Any, marks: tuple[object, ...], view: _View, say: _Say) -> Schema:
    """The schema of a type with its marks; `say` says what a text of a pattern looks like."""
    unit = next((each for each in marks if isinstance(each, Unit)), None)
    origin, arguments = get_origin(kind), get_args(kind)
    if unit:
        return _quantity(unit)
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return {"$ref": f"{_REF}{view.prefix}{kind.__name__}"}
    if origin is Literal:
        return _enum(arguments, marks)
    if origin is tuple:
        item, item_marks = bare(arguments[0])
        # A list whose things have no names takes the place of the base's, so its items stay whole.
        merges = isinstance(item, type) and issubclass(item, Item)
        items = _type(item, item_marks, view if merges else _BASE, say)
        said = "Write a list: `[…]`, or items that begin with `- `."
        return {"type": "array", "items": items, "errorMessage": said, **_lengths(marks, "Items")}
    if origin is dict:
        named, named_marks = bare(arguments[0])
        value = _type(*bare(arguments[1]), view, say)
        names = _type(named, named_marks, _BASE, say)
        # That other keys are refused is said by their form, which has a message of its own.
        return {
            "type": "object",
            "patternProperties": {names["pattern"]: _nullable(value) if view.partial else value},
            "propertyNames": names,
            **_lengths(marks, "Properties"),
        }
    if kind is str:
        return _string(marks, say)
    if kind in _KINDS:
        name, said = _KINDS[kind]
        return {"type": name, "errorMessage": said, **_limits(marks)}
    # What JSON can say.
    return {}


_KINDS = {
    bool: ("boolean", "Write `true` or `false`, without quotes."),
    int: ("integer", "Write a whole number, without quotes."),
    float: ("number", "Write a number, without quotes."),
}


def _enum(values: tuple[object, ...], marks: tuple[object, ...]) -> Schema:
    found: Schema = {"type": "string", "enum": list(values)}
    if later := [word for each in marks if isinstance(each, LaterWords) for word in each.words]:
        *others, last = (f"`{each}`" for each in values)
        reserved = ", ".join(f"`{word}`" for word in later)
        found["errorMessage"] = f"Write {', '.join(others)} or {last}; {reserved} is not built yet."
    return found


def _quantity(unit: Unit) -> Schema:
    *others, last = unit.examples
    numbers: Schema = {"exclusiveMinimum": 0} if unit.numbers else {}
    return {
        "type": ["string", "number"] if numbers else "string",
        "pattern": unit.pattern,
        "errorMessage": f"Write it as {', '.join(others)} or {last}.",
        "patternErrorMessage": f"Write it as {', '.join(others)} or {last}.",
        "examples": list(unit.examples),
        **numbers,
    }


def _string(marks: tuple[object, ...], say: _Say) -> Schema:
    found: Schema = {"type": "string", "errorMessage": "Write text; a number goes in quotes."}
    if pattern := _first(marks, "pattern"):
        # What `${…}` becomes is known to the compiler alone.
        filled = any(isinstance(each, Filled) for each in marks)
        found["pattern"] = rf"({pattern})|\$\{{" if filled else pattern
        if form := say(pattern):
            found["patternErrorMessage"] = form
    if not any(isinstance(each, Filled) for each in marks):
        found |= _lengths(marks, "Length")
    return found


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
    return {"description": text, "doNotSuggest": True, **_never(message)}


def _never(message: str) -> Schema:
    """What no value fits, and what is said of it: for `not` the language server has words of its own."""
    return {"type": "object", "required": ["-"], "properties": {"-": False}, "errorMessage": message}


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
    result: Schema = {}
    names = [f"`{word}`" for word in marked]
    if not view.partial and not any(mark.default for mark in marked.values()):
        said = (
            f"One of {', '.join(names)} has to stand here." if len(names) > 1 else f"{names[0]} is missing."
        )
        result["anyOf"] = [{"required": [word], "errorMessage": said} for word in marked]
    stands = {"not": {"type": "null"}}
    if pairs := list(combinations(marked, 2)):
        result["allOf"] = [
            {
                "if": {"required": list(pair), "properties": dict.fromkeys(pair, stands)},
                "then": {"properties": {pair[1]: _never(f"It cannot stand beside `{pair[0]}`: choose one.")}},
            }
            for pair in pairs
        ]
    return result


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
                yield ref.removeprefix(_REF).partition("/")[0]
            for each in value.values():
                yield from _references(each)
        case list():
            for each in value:
                yield from _references(each)
