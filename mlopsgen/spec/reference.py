"""The language's own reference, read from the docstrings under its fields.

pydantic could read them too, but reads each module's source whenever it is imported; here that happens only
when somebody asks.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import sys
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from typing import Any, get_args, get_origin

from pydantic import BaseModel

from mlopsgen.source.node import Path
from mlopsgen.spec.pipeline import Pipeline, PipelineSpec


@cache
def docstrings(model: type[BaseModel]) -> dict[str, str]:
    """The docstring under each field of `model` and of its bases, by attribute name."""
    result: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if not issubclass(base, BaseModel) or base is BaseModel:
            continue
        module = ast.parse(inspect.getsource(sys.modules[base.__module__]))
        body = next(
            (
                each.body
                for each in module.body
                if isinstance(each, ast.ClassDef) and each.name == base.__name__
            ),
            [],
        )
        for field, text in itertools.pairwise(body):
            match field, text:
                case (
                    ast.AnnAssign(target=ast.Name(id=name)),
                    ast.Expr(value=ast.Constant(value=str(docstring))),
                ):
                    result[name] = " ".join(docstring.split())
    return result


@cache
def forms() -> dict[str, str]:
    """What a text of each named form looks like, by the form's pattern: the docstring under its name."""
    result: dict[str, str] = {}
    for name, module in sorted(sys.modules.items()):
        if not name.startswith("mlopsgen.spec."):
            continue
        body = ast.parse(inspect.getsource(module)).body
        for assignment, text in pairwise(body):
            match assignment, text:
                case (
                    ast.Assign(targets=[ast.Name(id=alias)]),
                    ast.Expr(value=ast.Constant(value=str(docstring))),
                ):
                    for pattern in _patterns(getattr(module, alias)):
                        result[pattern] = " ".join(docstring.split())
    return result


def _patterns(annotation: Any) -> Iterator[str]:
    for field in get_args(annotation)[1:]:
        for each in getattr(field, "metadata", ()):
            if isinstance(pattern := getattr(each, "pattern", None), str):
                yield pattern


def describe(path: Path) -> str | None:
    """What the reference says of the field at `path`, or None if there is no such field."""
    names = tuple(step for step in path if isinstance(step, str))
    model = model_at(names[:-1])
    if not names or model is None:
        return None
    for name, field in model.model_fields.items():
        if (field.alias or name) == names[-1]:
            return docstrings(model).get(name)
    return None


def fields(path: Path) -> dict[str, type[BaseModel] | None]:
    """The keys that the language knows at `path`, each with the model below it if there is one."""
    model = model_at(path)
    if model is None:
        return {}
    return {field.alias or name: submodel(field.annotation) for name, field in model.model_fields.items()}


def model_at(path: Path) -> type[BaseModel] | None:
    """The model of the map at `path`; lists are stepped through."""
    model: type[BaseModel] | None = Pipeline
    steps = [step for step in path if not isinstance(step, int)]
    while steps and model is not None:
        step = steps.pop(0)
        if model is PipelineSpec and step == "environments":
            steps = steps[1:]
            continue
        found = {field.alias or name: field for name, field in model.model_fields.items()}.get(str(step))
        model = submodel(found.annotation) if found else None
    return model


def submodel(annotation: Any) -> type[BaseModel] | None:
    """The model inside a type such as `tuple[ServiceSpec, ...]` or `VpcSpec | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for each in get_args(annotation) if (found := submodel(each))), None)


def type_name(annotation: Any) -> str:
    """A type in the words of YAML: `string`, `list of PrefixSpec`, `one of manual, automatic`."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "null"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "map"
    if annotation in _WORDS:
        return _WORDS[annotation]
    if origin is tuple:
        return f"list of {_plural(type_name(arguments[0]))}"
    if origin is dict:
        return "map"
    if str(origin) == "typing.Literal":
        return "one of " + ", ".join(map(str, arguments))
    if str(origin) in ("typing.Union", "<class 'types.UnionType'>"):
        return " or ".join(type_name(each) for each in arguments if each is not type(None))
    if arguments:
        return type_name(arguments[0])
    return "anything"


_WORDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def _plural(word: str) -> str:
    return word + "s" if word in ("string", "integer", "number", "boolean", "map") else word
