"""Environments: each is a partial `spec` that changes what the base declares, and adds nothing to it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from collections.abc import Mapping as Map
from dataclasses import replace
from typing import NamedTuple

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span, SpecPath
from mlopsgen.language.walk import Field, Place, below, choices, is_null, map_typed, name_of, things
from mlopsgen.language.wording import error, short
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence, place

DEFAULT = "default"
"""The one environment of a pipeline that names none."""

# Folders of the output beside those of the environments.
_FOLDERS = ("ci", "images")

_NAME = re.compile("[a-z][a-z0-9]{0,15}")


class PipelineDocument(NamedTuple):
    """A file as it is written: the base, and each environment's part, as a document with a partial `spec`."""

    base: Node
    parts: dict[str, Node]
    faults: tuple[Diagnostic, ...]

    @property
    def environments(self) -> tuple[str, ...]:
        """Their names, in the order of the alphabet."""
        return tuple(sorted(self.parts)) or (DEFAULT,)


class Absent(NamedTuple):
    """A thing that the base declares, and that an environment does not have."""

    path: SpecPath
    """Where the base has it, with names: `("spec", "buckets", "data", "prefixes", "raw")`."""

    name: Span
    environments: Span
    """Where the base says which environments have it, or have what it is a part of."""


def document(root: Node) -> PipelineDocument:
    """The file taken apart. Keys of its first level that begin with `x-` are not read."""
    if not isinstance(root, Mapping):
        return PipelineDocument(root, {}, ())
    pairs = tuple(pair for pair in root.items if not pair[0].text.startswith("x-"))
    spec = root.get("spec")
    if not isinstance(spec, Mapping):
        return PipelineDocument(Mapping(pairs, root.span), {}, ())
    rest = Mapping(tuple(pair for pair in spec.items if pair[0].text != "environments"), spec.span)
    base = Mapping(tuple((key, rest if key.text == "spec" else value) for key, value in pairs), root.span)
    declared = spec.get("environments")
    if declared is None:
        return PipelineDocument(base, {}, ())
    if not isinstance(declared, Mapping) or not declared.items:
        return PipelineDocument(base, {}, (_no_map(root, declared),))
    heads = tuple(key for key, _ in pairs if key.text == "spec")
    parts: dict[str, Node] = {}
    faults: list[Diagnostic] = []
    for name, part in declared.items:
        faults += _name(name)
        if isinstance(part, Mapping):
            parts[name.text] = Mapping(tuple((head, part) for head in heads), part.span)
            continue
        parts[name.text] = Mapping((), name.span)
        if not is_null(part):
            message = f"environment `{short(name.text)}` should be a map: the part of `spec` that differs"
            help_ = f"if nothing does, write `{short(name.text)}: {{}}`"
            faults.append(error("E103", message, help_, Label(_place(name, part))))
    return PipelineDocument(base, parts, tuple(faults))


def _no_map(root: Node, declared: Node) -> Diagnostic:
    message = "`environments` should be a map: for each the part of `spec` that differs"
    names = declared.items if isinstance(declared, Sequence) else ()
    written = [each.text for each in names if isinstance(each, Scalar) and _NAME.fullmatch(each.text)]
    words = ", ".join(f"{name}: {{}}" for name in written or ["dev"])
    help_ = f"such as `environments: {{{words}}}`; without any leave the key out"
    return error("E103", message, help_, Label(place(root, ("spec", "environments"))))


def _place(key: Scalar, value: Node) -> Span:
    return value.span if isinstance(value, Scalar) else key.span


def _name(key: Scalar) -> Iterator[Diagnostic]:
    if not _NAME.fullmatch(key.text):
        message = f"`{short(key.text)}` cannot be the name of an environment"
        help_ = "use lowercase letters and digits, starting with a letter; at most 16"
        yield error("E104", message, help_, Label(key.span))
    elif key.text in _FOLDERS:
        message = f"`{key.text}` is a folder of the output, and cannot be the name of an environment"
        yield error("E361", message, "choose another name", Label(key.span))


def overlay(base: Node, part: Node, field: Field) -> Node:
    """`part` laid over `base`.

    Maps merge, and a choice takes the place of another; lists of named things merge by name; `null` takes
    away; everything else takes the place of what the base says. The part changes nothing that the base does
    not name: `written` has seen to it.
    """
    match base, part:
        case Mapping(), Mapping() if field.kind in ("map", "values"):
            return _maps(base, part, field)
        case Sequence(), Sequence() if field.named and field.each:
            changes = things(part)
            return Sequence(
                tuple(
                    overlay(item, changes.pop(name), field.each)
                    if (name := name_of(item)) in changes
                    else item
                    for item in base.items
                ),
                base.span,
            )
        case _:
            return part


def _maps(base: Mapping, part: Mapping, field: Field) -> Mapping:
    changes = {key.text: (key, value) for key, value in part.items}
    group = choices(field)
    chosen = {key for key, (_, value) in changes.items() if key in group and not is_null(value)}
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in base.items:
        change = changes.pop(key.text, None)
        if change is None:
            if not chosen or key.text not in group:
                pairs.append((key, value))
            continue
        new_key, new = change
        if is_null(new):
            continue
        if key.text == "name" and isinstance(value, Scalar) and isinstance(new, Scalar):
            # By it the two were found to be one thing; it is the base that names it.
            pairs.append((key, value))
            continue
        each = field.each if field.kind == "values" else below(field).get(key.text)
        kept = key if isinstance(value, Mapping | Sequence) and type(new) is type(value) else new_key
        pairs.append((kept, overlay(value, new, each) if each else new))
    pairs += (change for change in changes.values() if not is_null(change[1]))
    return Mapping(tuple(pairs), base.span)


def taken_away(base: Node, part: Node, field: Field, path: SpecPath = ()) -> Iterator[Absent]:
    """The things of lists that the base declares and the part takes away with `null`."""
    match base, part, field.kind:
        case Mapping(), Mapping(items=pairs), "map":
            for key, value in pairs:
                below_, own = below(field).get(key.text), base.get(key.text)
                if below_ is None or own is None:
                    continue
                if is_null(value) and isinstance(own, Sequence) and below_.named:
                    for item in own.items:
                        name = item.get("name") if isinstance(item, Mapping) else None
                        if isinstance(name, Scalar):
                            yield Absent((*path, key.text, name.text), name.span, key.span)
                else:
                    yield from taken_away(own, value, below_, (*path, key.text))
        case Sequence(), Sequence(items=items), "list" if field.named and field.each:
            owned = things(base)
            for item in items:
                if (name_ := name_of(item)) in owned:
                    yield from taken_away(owned[name_ or ""], item, field.each, (*path, name_ or ""))
        case _:
            return


def has_limits(places: Iterable[Place]) -> bool:
    """Whether there is anything that says which environments have it."""
    return any(at.key is not None and at.key.text == "environments" for at in places)


def narrow(tree: Node, field: Field, environment: str) -> Node:
    """The tree without the things that the environment does not have, and without the key that says so."""

    def change(node: Node, field: Field) -> Node:
        match node:
            case Mapping(items=pairs) if field.kind == "map":
                kept = (_present(pair, below(field), environment) for pair in pairs)
                return Mapping(tuple(pair for pair in kept if pair), node.span)
            case _:
                return node

    return map_typed(tree, field, change)


def _present(
    pair: tuple[Scalar, Node], known: Map[str, Field], environment: str
) -> tuple[Scalar, Node] | None:
    """A key with its list of things, without those that are elsewhere; None if it is not to stay."""
    key, value = pair
    field = known.get(key.text)
    if not isinstance(value, Sequence) or field is None or not field.named:
        return pair
    items = tuple(_without_filter(item) for item in value.items if not elsewhere(item, environment))
    if value.items and not items and not field.required:
        # As if the key had been left out: an empty list would be another statement.
        return None
    return key, Sequence(items, value.span)


def _without_filter(item: Node) -> Node:
    if not isinstance(item, Mapping) or item.key("environments") is None:
        return item
    return Mapping(tuple(pair for pair in item.items if pair[0].text != "environments"), item.span)


def elsewhere(item: Node, environment: str) -> bool:
    """Whether the base says that other environments have the thing, and this one not."""
    names = item.get("environments") if isinstance(item, Mapping) else None
    return isinstance(names, Sequence) and environment not in [
        name.value for name in names.items if isinstance(name, Scalar)
    ]


def absent(tree: Node, field: Field, environment: str) -> tuple[Absent, ...]:
    """What is declared and the environment does not have, with all that is in it."""
    return tuple(_absent(tree, field, environment, (), None))


def _absent(
    node: Node, field: Field, environment: str, path: SpecPath, since: Span | None
) -> Iterator[Absent]:
    match node:
        case Mapping(items=pairs) if field.kind == "map":
            known = below(field)
            for key, value in pairs:
                if key.text in known:
                    yield from _absent(value, known[key.text], environment, (*path, key.text), since)
        case Sequence(items=items) if field.named and field.each:
            for item in items:
                name = item.get("name") if isinstance(item, Mapping) else None
                limits = item.key("environments") if isinstance(item, Mapping) else None
                if not isinstance(name, Scalar):
                    continue
                here = since or (limits.span if limits and elsewhere(item, environment) else None)
                if here:
                    yield Absent((*path, name.text), name.span, here)
                yield from _absent(item, field.each, environment, (*path, name.text), here)
        case _:
            return


def gathered(found: Map[str, tuple[Diagnostic, ...]], parts: Map[str, Node]) -> tuple[Diagnostic, ...]:
    """What was found in each environment, each once, as `told` has it."""
    return tuple(told(found, parts).values())


def told(found: Map[str, tuple[Diagnostic, ...]], parts: Map[str, Node]) -> dict[Diagnostic, Diagnostic]:
    """What was found in each environment, and how each is told.

    What all have in common is the base's fault. All else names the environments that have it, and so does
    what stands in an environment's part.
    """
    where: dict[Diagnostic, list[str]] = {}
    for environment, diagnostics in sorted(found.items()):
        for each in dict.fromkeys(diagnostics):
            where.setdefault(each, []).append(environment)

    def everywhere(each: Diagnostic, names: list[str]) -> bool:
        return len(names) == len(found) and not _inside(each, parts)

    return {
        each: replace(each if everywhere(each, names) else _naming(each, names), environments=tuple(names))
        for each, names in where.items()
    }


def _inside(diagnostic: Diagnostic, parts: Map[str, Node]) -> bool:
    """Whether its place, or another that is shown with it, is in one of the environments' parts."""
    spans = [part.span for part in parts.values()]
    return any(
        (span.line, span.column) <= (at.line, at.column) < (span.end_line, span.end_column)
        for at in (label.span for label in diagnostic.labels)
        for span in spans
    )


def _naming(diagnostic: Diagnostic, names: list[str]) -> Diagnostic:
    *others, last = (f"`{short(name)}`" for name in names)
    where = f"environments {', '.join(others)} and {last}" if others else f"environment {last}"
    return replace(diagnostic, message=f"{diagnostic.message}, in {where}")
