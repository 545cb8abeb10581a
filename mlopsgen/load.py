"""From nodes to the language: validate with pydantic, and say each fault at its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError

from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Rejected
from mlopsgen.source.node import Mapping, Node, Path, Scalar, Sequence, find, place, plain, walk
from mlopsgen.source.overlay import overlay
from mlopsgen.spec.pipeline import Pipeline
from mlopsgen.spec.reference import describe, fields, forms, submodel

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class Loaded(NamedTuple):
    """One environment of a pipeline: its merged nodes, and what they mean."""

    environment: str
    tree: Node
    pipeline: Pipeline


def environments(root: Node) -> dict[str, Node]:
    """Each environment's whole document: the base with its partial spec laid over it.

    Without any there is one, called `default`. Raises `Rejected` where a partial spec is no map.
    """
    spec = root.get("spec") if isinstance(root, Mapping) else None
    if not isinstance(root, Mapping) or not isinstance(spec, Mapping):
        return {"default": root}
    declared = spec.get("environments")
    base = Mapping(tuple(pair for pair in spec.items if pair[0].value != "environments"), spec.span)
    if declared is None or _is_null(declared):
        return {"default": _with_spec(root, base)}
    if not isinstance(declared, Mapping) or not declared.items:
        at = Label(place(root, ("spec", "environments")))
        message = "expected a map of environments, each with the part of `spec` that differs"
        raise Rejected([Diagnostic("E103", "error", message, (at,), "such as `dev: {}`")])
    faults = [
        Diagnostic("E103", "error", f"environment `{key.value}` is not a map", (Label(key.span),), "use {}")
        for key, part in declared.items
        if not isinstance(part, Mapping) and not _is_null(part)
    ]
    faults += [
        Diagnostic(
            "E101", "error", f"unknown key `{key.text}` in an environment", (Label(key.span),), "take it out"
        )
        for _, part in declared.items
        if isinstance(part, Mapping) and (key := part.key("environments"))
    ]
    faults += [fault for key, _ in declared.items for fault in _name(key)]
    faults += [fault for _, part in declared.items for fault in _twice(part)]
    if faults:
        raise Rejected(faults)
    return {
        str(key.value): _with_spec(root, overlay(base, part) if isinstance(part, Mapping) else base)
        for key, part in declared.items
    }


def load(root: Node) -> Pipeline:
    """The pipeline that `root` describes. Raises `Rejected` with everything that does not fit."""
    try:
        # Fields go by the names that the reference shows, and not by Python's as well.
        return Pipeline.model_validate(plain(without_nulls(root)), by_alias=True, by_name=False)
    except ValidationError as error:
        raise Rejected(_diagnostics(root, error.errors(include_url=False))) from None


def load_all(trees: Map[str, Node]) -> dict[str, Pipeline]:
    """The pipeline of each environment. A fault in the base is said once. Raises `Rejected`."""
    pipelines: dict[str, Pipeline] = {}
    faults: dict[Diagnostic, None] = {}
    for name, tree in trees.items():
        try:
            pipelines[name] = load(tree)
        except Rejected as rejected:
            faults |= dict.fromkeys(rejected.diagnostics)
    if faults:
        raise Rejected(faults)
    return pipelines


def _with_spec(root: Mapping, spec: Node) -> Mapping:
    return Mapping(
        tuple((key, spec if key.value == "spec" else value) for key, value in root.items), root.span
    )


def without_nulls(node: Node, model: type[BaseModel] | None = Pipeline) -> Node:
    """`key: null` is as good as no key, as in Kubernetes, except where `null` turns a default off.

    `model` is what the language knows of the map; a key that it does not know stays.
    """
    match node:
        case Mapping(items=pairs, span=span):
            below = _fields(model) if model else {}
            return Mapping(
                tuple(
                    (key, without_nulls(value, below.get(key.text, _UNKNOWN).model))
                    for key, value in pairs
                    if not _is_null(value) or (model is not None and below.get(key.text, _UNKNOWN).keeps_null)
                ),
                span,
            )
        case Sequence(items=items, span=span):
            return Sequence(tuple(without_nulls(item, model) for item in items), span)
        case _:
            return node


class _Field(NamedTuple):
    model: type[BaseModel] | None
    keeps_null: bool


_UNKNOWN = _Field(None, True)


@cache
def _fields(model: type[BaseModel]) -> dict[str, _Field]:
    return {
        field.alias or name: _Field(
            submodel(field.annotation),
            type(None) in get_args(field.annotation)
            and (field.default is not None or field.default_factory is not None),
        )
        for name, field in model.model_fields.items()
    }


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _twice(part: Node) -> Iterator[Diagnostic]:
    """Named things that one environment names twice: laid over the base, the second would be a new one."""
    for _, node in walk(part):
        seen: dict[str, Scalar] = {}
        for item in node.items if isinstance(node, Sequence) else ():
            name = item.get("name") if isinstance(item, Mapping) else None
            if not isinstance(name, Scalar) or seen.setdefault(name.text, name) is name:
                continue
            labels = (Label(name.span), Label(seen[name.text].span, "first given here"))
            yield Diagnostic("E204", "error", f"the name `{name.text}` is given twice", labels)


# Folders of the output beside those of the environments.
_FOLDERS = ("ci", "images")


def _name(key: Scalar) -> Iterator[Diagnostic]:
    text = key.text
    if not _NAME.fullmatch(text) or len(text) > 32:
        message = f"`{_short(text)}` cannot be the name of an environment"
        help_ = "use lowercase letters, digits and single hyphens, starting with a letter; at most 32"
        yield Diagnostic("E104", "error", message, (Label(key.span),), help_)
    elif text in _FOLDERS:
        message = f"`{text}` is a folder of the output, and cannot be the name of an environment"
        yield Diagnostic("E361", "error", message, (Label(key.span),), "choose another name")


_NAME = re.compile("[a-z](-?[a-z0-9])*")


def _diagnostics(root: Node, details: Iterable[ErrorDetails]) -> Iterator[Diagnostic]:
    for detail in details:
        path = tuple(step for step in detail["loc"] if step != "[key]")
        if detail["type"] == "too_short" and _length(root, path) >= detail["ctx"]["min_length"]:
            # pydantic does not count the items that have faults of their own.
            continue
        code, message, help_ = _explain(root, path, detail)
        yield Diagnostic(code, "error", message, (Label(_where(root, path, detail)),), help_)


def _length(root: Node, path: Path) -> int:
    node, _, taken = find(root, path)
    return len(node.items) if isinstance(node, Sequence) and taken == len(path) else 0


def _where(root: Node, path: Path, detail: ErrorDetails) -> Any:
    """The scalar that is wrong; the key that is too much; the thing that lacks something."""
    if detail["type"] == "missing":
        return place(root, path[:-1])
    if detail["type"] == "extra_forbidden" or "[key]" in detail["loc"]:
        parent, _, _ = find(root, path[:-1])
        key = parent.key(str(path[-1])) if isinstance(parent, Mapping) else None
        if key:
            return key.span
    return place(root, path)


def _explain(root: Node, path: Path, detail: ErrorDetails) -> tuple[str, str, str | None]:
    """Code, message and help for one of pydantic's errors."""
    # An item of a list goes by the list's name.
    name = next((step for step in reversed(path) if isinstance(step, str)), "the file")
    context = detail.get("ctx", {})
    node, _, taken = find(root, path)
    found = node if taken == len(path) else None
    match detail["type"]:
        case "extra_forbidden":
            known = fields(path[:-1])
            return "E101", f"unknown key `{name}`", _nearest(str(name), known, known)
        case "missing":
            at = ".".join(map(str, path[:-1])) or "the file"
            return "E102", f"`{name}` is missing in {_named(root, path[:-1], at)}", f"add `{name}:`"
        case "literal_error":
            choices = [word.strip("'") for word in context["expected"].replace(" or ", ", ").split(", ")]
            word = str(detail["input"])
            return "E106", f"`{word}` is not one of {', '.join(choices)}", _nearest(word, choices, ())
        case "string_pattern_mismatch":
            word, what = _short(str(detail["input"])), f"does not fit `{name}`"
            if "[key]" in detail["loc"]:
                what = f"cannot be a key of `{path[-2]}`"
            return "E104", f"`{word}` {what}", forms().get(context["pattern"]) or describe(path)
        case "value_error":
            return "E107", str(context.get("error", detail["msg"])), None
        case (
            "greater_than"
            | "greater_than_equal"
            | "less_than"
            | "less_than_equal"
            | "too_short"
            | "too_long"
            | "string_too_short"
            | "string_too_long"
        ) as kind:
            return "E105", f"`{name}`: {_range(kind, context)}", describe(path)
        case kind:
            what = f"`{name}`" if path else name
            return "E103", f"{what} should be {_expected(kind)}, not {_found(found)}", _quote(kind, found)


def _range(kind: str, context: dict[str, Any]) -> str:
    match kind:
        case "greater_than":
            return f"must be more than {context['gt']:g}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:g}"
        case "less_than":
            return f"must be less than {context['lt']:g}"
        case "less_than_equal":
            return f"must be at most {context['le']:g}"
        case "too_short" | "string_too_short":
            return f"needs at least {_count(context['min_length'], kind)}"
        case _:
            return f"takes at most {_count(context['max_length'], kind)}"


def _count(number: int, kind: str) -> str:
    what = "character" if kind.startswith("string") else "item"
    return f"{number} {what}{'s' * (number != 1)}"


def _expected(kind: str) -> str:
    words = {
        "bool": "true or false",
        "dict": "a map",
        "float": "a number",
        "int": "a whole number",
        "model": "a map",
        "string": "a string",
        "tuple": "a list",
    }
    return words.get(kind.partition("_")[0], "something else")


def _found(node: Node | None) -> str:
    match node:
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=str(), text=text):
            return f"the string `{_short(text)}`"
        case Scalar(value=bool(), text=text):
            return f"`{text}`, true or false"
        case Scalar(text=text):
            return f"the number `{_short(text)}`"
        case None:
            return "what stands here"


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."


def _quote(kind: str, node: Node | None) -> str | None:
    match kind.partition("_")[0], node:
        case "string", Scalar(value=int() | float() | bool(), text=text):
            return f'put it in quotes: "{_short(text)}"'
        case "tuple", Scalar(text=text):
            return f"write a list: [{_short(text)}]"
        case (("int" | "float" | "bool"), Scalar(value=str(), text=text)):
            return "write it without quotes" if text.lstrip("-").isdigit() else None
        case _:
            return None


def _named(root: Node, path: Path, fallback: str) -> str:
    """`spec.services[sentiment-api]` rather than `spec.services.0`."""
    words: list[str] = []
    for index, step in enumerate(path):
        if isinstance(step, int):
            item, _, _ = find(root, path[: index + 1])
            name = item.get("name") if isinstance(item, Mapping) else None
            words.append(f"[{name.text if isinstance(name, Scalar) else step}]")
        else:
            words.append(f".{step}" if words else str(step))
    return f"`{''.join(words)}`" if words else fallback


def _nearest(word: str, known: Iterable[str], listed: Iterable[str]) -> str | None:
    if close := closest(word, known):
        return f"did you mean `{close}`?"
    names = sorted(listed)
    return f"there are: {', '.join(names)}" if names else None
