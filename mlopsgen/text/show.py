"""A tree as YAML, every value beside the place that it came from."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from mlopsgen.diagnostics.span import Span
from mlopsgen.source.node import Mapping, Node, Scalar
from mlopsgen.source.node import Sequence as List
from mlopsgen.text.yaml import scalar

Origin = Callable[[Span], str]
"""What to say of the place of a value."""

# Quantities with their unit and addresses are strings without quotes in YAML 1.1 as in 1.2.
_QUANTITY = re.compile(
    r"[1-9][0-9]*(ms|[smhd]|[MGT]i)|[0-9]+(\.[0-9]+)?(%|/[sm])|[0-9]{1,3}(\.[0-9]{1,3}){3}(/[0-9]{1,2})?"
)

# Comments stand in one column, but not further right than this.
_COLUMN = 64


def show(root: Node, origin: Origin) -> str:
    """The tree as YAML that reads back the same, each scalar with a comment that says its origin."""
    lines = list(_node("", root, "", origin, root.span))
    column = min(max((len(text) for text, comment in lines if comment), default=0), _COLUMN)
    return "".join(f"{text:{column}}  # {comment}\n" if comment else f"{text}\n" for text, comment in lines)


def _node(head: str, node: Node, indent: str, origin: Origin, key: Span) -> Iterator[tuple[str, str]]:
    """Lines and their comments; `head` stands before the value, `key` is the place of an empty one."""
    before = f"{head} " if head else ""
    match node:
        case Scalar():
            yield before + _scalar(node), origin(node.span)
        case Mapping(items=()):
            yield f"{before}{{}}", origin(key)
        case List(items=()):
            yield f"{before}[]", origin(key)
        case Mapping(items=pairs):
            if head:
                yield head, ""
            for name, value in pairs:
                below = indent + "  "
                yield from _node(f"{indent}{scalar(name.text)}:", value, below, origin, name.span)
        case List(items=items):
            if head:
                yield head, ""
            for item in items:
                yield from _item(item, indent, origin)


def _item(item: Node, indent: str, origin: Origin) -> Sequence[tuple[str, str]]:
    """The lines of one item of a list, the first of them after a dash."""
    lines = list(_node("", item, "", origin, item.span))
    return [
        (f"{indent}{'- ' if number == 0 else '  '}{text}", comment)
        for number, (text, comment) in enumerate(lines)
    ]


def _scalar(node: Scalar) -> str:
    """On one line; a number as its author wrote it."""
    match node.value:
        case str(text) if _QUANTITY.fullmatch(text):
            return text
        case bool() | None | str():
            return scalar(node.value)
        case _:
            return node.text
