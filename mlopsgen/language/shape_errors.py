"""pydantic's errors in our words, each at its place."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span, SpecPath
from mlopsgen.language.meant import meant
from mlopsgen.language.reference import describe, form
from mlopsgen.language.value_hints import hint_for_value
from mlopsgen.language.walk import Field, below, field_at, root_field
from mlopsgen.language.wording import called, error, flow, last_key, one_of, quoted, short
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence, find, named, place

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def shape_errors(
    root: Node, model: type[BaseModel], details: Iterable[ErrorDetails], excuses: Collection[tuple[Span, str]]
) -> Iterator[Diagnostic]:
    """A diagnostic for each error, but for keys that are missing because of another fault."""
    for detail in details:
        path = tuple(step for step in detail["loc"] if step != "[key]")
        if detail["type"] == "missing" and _excused(root, path, excuses):
            continue
        if detail["type"] == "too_short" and _length(root, path) >= detail["ctx"]["min_length"]:
            # pydantic does not count the items that have faults of their own.
            continue
        if detail["type"] == "too_short" and (node := _at(root, path)) and (node.span, "") in excuses:
            continue
        code, message, help_ = _explained(root, model, path, detail)
        fault = error(code, message, help_, Label(_where(root, path, detail)))
        yield replace(fault, path=named(root, path))


def _excused(root: Node, path: SpecPath, excuses: Collection[tuple[Span, str]]) -> bool:
    node, _, _ = find(root, path[:-1])
    return (node.span, str(path[-1])) in excuses


def _length(root: Node, path: SpecPath) -> int:
    node = _at(root, path)
    return len(node.items) if isinstance(node, Sequence) else 0


def _at(root: Node, path: SpecPath) -> Node | None:
    node, _, taken = find(root, path)
    return node if taken == len(path) else None


def _where(root: Node, path: SpecPath, detail: ErrorDetails) -> Span:
    """The scalar or the key that is wrong; the thing that lacks something."""
    if detail["type"] == "missing":
        return place(root, path[:-1])
    if "[key]" in detail["loc"]:
        parent, _, _ = find(root, path[:-1])
        key = parent.key(str(path[-1])) if isinstance(parent, Mapping) else None
        if key:
            return key.span
    return place(root, path)


def _explained(
    root: Node, model: type[BaseModel], path: SpecPath, detail: ErrorDetails
) -> tuple[str, str, str | None]:
    """Code, message and help for one of pydantic's errors."""
    name, field = last_key(path), root_field(model)
    context = detail.get("ctx", {})
    node = _at(root, path)
    hint = hint_for_value(field, path, node) if node is not None and "[key]" not in detail["loc"] else None
    match detail["type"]:
        case "missing":
            return "E102", f"`{name}` is missing in {called(root, path[:-1])}", f"add `{name}:`"
        case "literal_error" if isinstance(node, Mapping | Sequence):
            words = _words(field_at(field, path), context)
            message = f"`{name}` should be a string, not {_found(node)}"
            return "E103", message, hint or f"write {one_of(words) if len(words) > 1 else f'`{words[0]}`'}"
        case "literal_error":
            words = _words(field_at(field, path), context)
            word = node.text if isinstance(node, Scalar) else str(detail["input"])
            close = closest(word, words)
            help_ = hint or (f"did you mean `{close}`?" if close else _unfilled(field, path, node))
            return "E106", f"`{short(word)}` is not one of {', '.join(words)}", help_
        case "string_pattern_mismatch":
            word, what = short(str(detail["input"])), f"does not fit `{name}`"
            if "[key]" in detail["loc"]:
                what = f"cannot be a key of `{path[-2]}`"
            said = form(model, path, context["pattern"])
            better = meant(path, str(detail["input"]), context["pattern"])
            if better:
                said = f"write `{better}`{': ' + said[0].lower() + said[1:] if said else ''}"
            help_ = hint or _unfilled(field, path, node) or _blank(str(detail["input"])) or said
            return "E104", f"`{word}` {what}", help_
        case "value_error":
            message = str(context.get("error", detail["msg"]))
            return "E107", message, hint or _unfilled(field, path, node)
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
            return (
                "E105",
                f"`{name}`: {_range(kind, context)}{_has(kind, node)}",
                hint or describe(model, path),
            )
        case kind:
            what = f"`{name}`" if path else name
            if item := bool(path) and isinstance(path[-1], int):
                what = f"an item of {what}"
            help_ = hint or _instead(kind, node, field_at(field, path), item)
            return "E103", f"{what} should be {_expected(kind)}, not {_found(node)}", help_


def _words(field: Field | None, context: dict[str, Any]) -> tuple[str, ...]:
    """The words of which one has to stand there."""
    if field and field.words:
        return field.words
    return tuple(word.strip("'") for word in str(context["expected"]).replace(" or ", ", ").split(", "))


def _unfilled(field: Field, path: SpecPath, node: Node | None) -> str | None:
    """That `${…}` has no meaning in a name or a quantity."""
    found = field_at(field, path)
    text = node.value if isinstance(node, Scalar) else None
    if found and not found.filled and isinstance(text, str) and "${" in text:
        return "`${…}` is filled in in texts, and not in keys, names and quantities"
    return None


def _blank(text: str) -> str | None:
    """What of white space in a value its author may not see."""
    if "\t" in text:
        return "there is a tab in it"
    if "\n" in text:
        return "there is a line break in it"
    if text != text.strip():
        return f"it {'begins' if text[:1] == ' ' else 'ends'} with a space"
    return None


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


def _has(kind: str, node: Node | None) -> str:
    """How long the text is that is too long."""
    return f", and has {len(node.text)}" if kind == "string_too_long" and isinstance(node, Scalar) else ""


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
            return f"the string `{short(text)}`"
        case Scalar(value=bool(), text=text):
            return f"`{text}`"
        case Scalar(text=text):
            return f"the number `{short(text)}`"
        case None:
            return "what stands here"


# What YAML 1.1 took for true and false.
_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def _instead(kind: str, node: Node | None, field: Field | None, item: bool) -> str | None:
    """The value as it should be written, in the author's own words."""
    match kind.partition("_")[0], node:
        case "string", Scalar(value=int() | float() | bool(), text=text):
            return f'put it in quotes: "{short(text)}"'
        case "string", Mapping(items=((Scalar(text=key), Scalar(text=text)),)) if item:
            return f'put it in quotes: "{short(key)}: {short(text)}"'
        case "tuple", Scalar():
            text = flow(node) or "…"
            return f"write a list: [{{name: {text}}}]" if field and field.named else f"write a list: [{text}]"
        case "tuple", Mapping(items=((key, Mapping()), *_)) if field and field.named:
            return f"write a list of named things: [{{name: {quoted(key.text)}, …}}]"
        case "model", Scalar(value=str()) if item and field and "name" in below(field):
            return f"write {{name: {flow(node) or '…'}}}"
        case "model", Scalar(value=bool(), text=text) if field and "enabled" in below(field):
            return f"write {{enabled: {text.lower()}}}"
        case "bool", Scalar(value=str(), text=text) if text.lower() in _BOOLEANS:
            return f"write {_BOOLEANS[text.lower()]}"
        case (("int" | "float"), Scalar(value=str(), text=text)):
            return "write it without quotes" if text.lstrip("-").isdigit() else None
        case "bool", Scalar(value=str(), text="true" | "false"):
            return "write it without quotes"
        case _:
            return None
