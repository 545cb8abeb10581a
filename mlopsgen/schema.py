"""The language as JSON Schema 2020-12, for editors and other programs.

It is made from the models and their docstrings, so it cannot differ from what the compiler accepts, with two
additions: `null` stands for "not given" wherever a key may be left out, and an environment, which is a part
of `spec`, has definitions of its own in which nothing is required.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from pydantic import BaseModel

from mlopsgen.spec.pipeline import Pipeline, PipelineSpec
from mlopsgen.spec.reference import docstrings, submodel
from mlopsgen.spec.written import default, key

Schema: TypeAlias = dict[str, Any]

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"
_PARTIAL = "Partial"


def schema() -> Schema:
    """The JSON Schema of `pipeline.yaml`."""
    raw = Pipeline.model_json_schema()
    known = dict(_models(Pipeline))
    whole = {
        name: _whole(raw["$defs"][name], model) for name, model in known.items() if model is not Pipeline
    }
    parts = {
        _PARTIAL + name: _partial(whole[name], model, whole)
        for name, model in _models(PipelineSpec)
        if name in whole
    }
    environments = whole["PipelineSpec"]["properties"]["environments"]
    environments["minProperties"] = 1
    for pattern in environments["patternProperties"]:
        environments["patternProperties"][pattern] = _nullable({"$ref": f"{_REF}{_PARTIAL}PipelineSpec"})
    definitions = whole | parts
    root = _whole(raw, Pipeline)
    used = _reachable(root, definitions)
    return {
        "$schema": DIALECT,
        "title": "mlopsgen.io/v1 Pipeline",
        **root,
        "$defs": {name: definitions[name] for name in sorted(used)},
    }


def _models(model: type[BaseModel]) -> Iterator[tuple[str, type[BaseModel]]]:
    """`model` and every model below it, by name, each once."""
    found = {model.__name__: model}
    waiting = [model]
    while waiting:
        for field in waiting.pop().model_fields.values():
            below = submodel(field.annotation)
            if below is not None and below.__name__ not in found:
                found[below.__name__] = below
                waiting.append(below)
    yield from found.items()


def _whole(raw: Schema, model: type[BaseModel]) -> Schema:
    """The definition of a map in the base document."""
    required = raw.get("required", [])
    documented = docstrings(model)
    properties: Schema = {}
    for name, field in model.model_fields.items():
        word = key(name, field)
        value = _closed(raw["properties"][word])
        text = documented.get(name, "")
        properties[word] = {"description": text, "markdownDescription": text}
        properties[word] |= value if word in required else _nullable(value)
        if "pattern" in value:
            properties[word].setdefault("patternErrorMessage", text)
        if (said := default(field)) not in (None, [], {}):
            properties[word]["default"] = said
    return {
        "description": " ".join((model.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


def _partial(whole: Schema, model: type[BaseModel], all_: dict[str, Schema]) -> Schema:
    """The definition of the same map in an environment: `null` deletes, and only `name` is needed."""
    properties = {
        word: _inner(value, all_) if word == "name" else _nullable(_inner(value, all_))
        for word, value in whole["properties"].items()
        if not (model is PipelineSpec and word == "environments")
    }
    for value in properties.values():
        value.pop("default", None)
    required = [word for word in whole["required"] if word == "name"]
    return whole | {"properties": properties, "required": required}


def _inner(value: Any, all_: dict[str, Schema], *, item: bool = False) -> Any:
    """The same schema with references to partial definitions.

    A list whose things have no names replaces the base's list, so its items stay whole.
    """
    match value:
        case {"$ref": str(ref)}:
            name = ref.removeprefix(_REF)
            merges = not item or "name" in all_[name]["required"]
            return value | {"$ref": f"{_REF}{_PARTIAL}{name}"} if name in all_ and merges else value
        case dict():
            return {word: _inner(each, all_, item=word == "items") for word, each in value.items()}
        case list():
            return [_inner(each, all_) for each in value]
        case _:
            return value


def _closed(raw: Any) -> Any:
    """The schema without pydantic's titles and defaults, and closed where keys have a pattern."""
    match raw:
        case dict():
            result = {word: _closed(each) for word, each in raw.items() if word not in ("title", "default")}
            if "patternProperties" in result:
                result["additionalProperties"] = False
                keys = result["patternProperties"]
                result["patternProperties"] = {pattern: _nullable(each) for pattern, each in keys.items()}
            if result.get("$ref") == f"{_REF}JsonValue":
                del result["$ref"]
            if isinstance(choices := result.pop("anyOf", None), list):
                # An optional field, the only kind of union that the language has.
                (only,) = (each for each in choices if each != {"type": "null"})
                result |= _nullable(only)
            return result
        case list():
            return [_closed(each) for each in raw]
        case _:
            return raw


def _nullable(value: Schema) -> Schema:
    """The same schema, which accepts null too."""
    match value:
        case {"$ref": ref, **others}:
            return {**others, "anyOf": [{"$ref": ref}, {"type": "null"}]}
        case {"enum": list(words), **others} if None not in words:
            return {**others, "type": ["string", "null"], "enum": [*words, None]}
        case {"type": str(kind)} if kind != "null":
            return value | {"type": [kind, "null"]}
        case {"type": list(kinds)} if "null" not in kinds:
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
