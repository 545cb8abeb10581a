"""`${…}` in texts: filled in while compiling, so that what is written to files is literal."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeGuard

from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span, SpecPath
from mlopsgen.language.dynamic_references import dynamic_reference, is_dynamic_reference
from mlopsgen.language.walk import Field, Place, map_typed
from mlopsgen.language.wording import error, listed, short
from mlopsgen.source.node import Mapping, Node, Scalar, find, place

BUILT_IN = ("account", "environment", "pipeline", "region")
"""What every text can name."""

RESERVED = ("calls", "exports")
"""What begins names that are not built yet: `calls.NAME`, `calls.NAME.PORT`, `exports.NAME`."""

VARIABLES = ("spec", "variables")

# Where the document says what the built-in names stand for.
_SOURCES = {
    "account": ("spec", "aws", "account"),
    "pipeline": ("metadata", "name"),
    "region": ("spec", "aws", "region"),
}

# `$$` before a brace is a dollar; a name ends at the next brace, and never on another line.
_TOKEN = re.compile(r"\$\$\{|\$\{([^{}\n]*)(\}?)")


class Filling(NamedTuple):
    """A document with its texts filled in."""

    tree: Node
    faults: tuple[Diagnostic, ...]
    unsettled: frozenset[Span]
    """Texts that are not what they should be, since something that they name is at fault."""


class Values(NamedTuple):
    """What `${…}` stands for in one environment."""

    known: dict[str, str]
    faulty: frozenset[str]
    """Names whose values are at fault, of which nothing more is said."""

    complete: bool
    """Whether there are no other names: not where `variables` is no map."""


def fill(tree: Node, field: Field, places: Iterable[Place], environment: str) -> Filling:
    """The document with all texts filled in. Their places stay, and what their author wrote."""
    texts = [(at.path, at.node) for at in places if _to_fill(at.node, at.field)]
    if not texts:
        return Filling(tree, (), frozenset())
    values = _values(tree, environment)

    def change(node: Node, field: Field) -> Node:
        return node._replace(value=_filled(node, values)) if _to_fill(node, field) else node

    faults = tuple(fault for path, text in texts for fault in _faults(path, text, tree, values))
    unsettled = {text.span for path, text in texts if _unsettled(path, text, values)}
    return Filling(map_typed(tree, field, change), faults, frozenset(unsettled))


def escaped(tree: Node, field: Field) -> Node:
    """The document with its texts written so that they are filled in to what they are now."""

    def change(node: Node, field: Field) -> Node:
        return node._replace(value=str(node.value).replace("${", "$${")) if _to_fill(node, field) else node

    return map_typed(tree, field, change)


def _to_fill(node: Node, field: Field | None) -> TypeGuard[Scalar]:
    return bool(
        field
        and field.filled
        and isinstance(node, Scalar)
        and isinstance(node.value, str)
        and "${" in node.value
    )


def _values(tree: Node, environment: str) -> Values:
    written = _at(tree, VARIABLES)
    pairs = written.items if isinstance(written, Mapping) else ()
    variables = {key.text: value.value for key, value in pairs if isinstance(value, Scalar)}
    known = {name: text.replace("$${", "${") for name, text in variables.items() if isinstance(text, str)}
    given = {name: _at(tree, path) for name, path in _SOURCES.items()}
    known |= {name: node.text for name, node in given.items() if isinstance(node, Scalar)}
    faulty = {key.text for key, value in pairs if not isinstance(value, Scalar) or not _plain(value)}
    faulty |= {name for name, node in given.items() if name not in known and (node or name != "account")}
    return Values(
        known | {"environment": environment},
        frozenset(faulty),
        written is None or isinstance(written, Mapping),
    )


def _plain(value: Scalar) -> bool:
    """Whether it is a variable's value as it should be: a text that names no other."""
    return isinstance(value.value, str) and not any(
        found[0] != "$${" for found in _TOKEN.finditer(value.value)
    )


def _at(tree: Node, path: SpecPath) -> Node | None:
    node, _, taken = find(tree, path)
    return node if taken == len(path) else None


def _filled(text: Scalar, values: Values) -> str:
    def filled(found: re.Match[str]) -> str:
        return "${" if found[0] == "$${" else values.known.get(found[1], found[0])

    return _TOKEN.sub(filled, str(text.value))


def _names(text: Scalar) -> Iterator[tuple[str, bool]]:
    """What the text names, and whether the name is closed."""
    for found in _TOKEN.finditer(str(text.value)):
        if found[0] != "$${":
            yield found[1], bool(found[2])


def _unsettled(path: SpecPath, text: Scalar, values: Values) -> bool:
    nested = path[:2] == VARIABLES
    return any(nested or name not in values.known or name in values.faulty for name, _ in _names(text))


def _faults(path: SpecPath, text: Scalar, tree: Node, values: Values) -> Iterator[Diagnostic]:
    for name, closed in dict.fromkeys(_names(text)):
        if not closed:
            help_ = "write `${NAME}`, or `$${` for the characters themselves"
            yield error("E116", "`${` is not closed", help_, Label(text.span))
        else:
            yield from _of_name(name, path, Label(text.span), tree, values)
    if is_dynamic_reference(_filled(text, values)):
        yield dynamic_reference(text.span)


def _of_name(name: str, path: SpecPath, here: Label, tree: Node, values: Values) -> Iterator[Diagnostic]:
    """Why a name cannot be filled in."""
    word = f"`${{{short(name)}}}`"
    kept = f"write `$${{{short(name)}}}` for the characters themselves"
    unknown = name not in values.known and name not in values.faulty
    if path[:2] == VARIABLES:
        help_ = f"variables are not nested: write the value out, or {kept}"
        yield error("E116", f"{word} cannot stand in the value of a variable", help_, here)
    elif name.partition(".")[0] in RESERVED:
        help_ = f"the language has reserved it for a later version; {kept}"
        yield error("E108", f"{word} is not built yet", help_, here)
    elif name == "account" and unknown:
        aws = Label(place(tree, ("spec", "aws")), "`account` is missing here")
        help_ = 'add it to `spec.aws`: `account: "…"`, with its twelve digits'
        yield error("E116", f"{word} is not known", help_, here, aws)
    elif unknown and values.complete:
        known = {*values.known, *BUILT_IN}
        close = closest(name, known)
        meant = f"did you mean `${{{close}}}`? Else {kept}"
        help_ = meant if close else f"{kept}; there are: {listed(known)}"
        yield error("E116", f"there is no {word}" if name else "`${}` names nothing", help_, here)
