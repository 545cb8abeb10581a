"""Choices: keys of which exactly one stands in a map; where one is the default, `Either` puts it there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span
from mlopsgen.language.walk import Field, Place, choices
from mlopsgen.language.wording import called, error, one_of
from mlopsgen.source.node import Mapping, Node, place


def undecided(
    tree: Node, places: Iterable[Place], excuses: Collection[tuple[Span, str]]
) -> Iterator[Diagnostic]:
    """Maps in which a choice must stand and none does.

    `excuses` are maps, each with a key that it lacks because of another fault.
    """
    for at in places:
        group = choices(at.field) if at.field else {}
        built = [key for key, each in group.items() if not each.later]
        if not built or _default(group) or not _is_open(at.node, group):
            continue
        if not any((at.node.span, key) in excuses for key in group):
            message = f"{called(tree, at.path)} needs {one_of(built)}"
            help_ = f"add `{built[0]}:`" if len(built) == 1 else "add one of them"
            yield error("E113", message, help_, Label(place(tree, at.path)))


def _is_open(node: Node, group: dict[str, Field]) -> bool:
    return isinstance(node, Mapping) and not any(key.text in group for key, _ in node.items)


def _default(group: dict[str, Field]) -> str | None:
    return next((key for key, field in group.items() if field.choice and field.choice.default), None)
