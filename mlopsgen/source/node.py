"""The tree that YAML becomes: every value keeps the place where it was written."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import NamedTuple, TypeAlias

from mlopsgen.diagnostics.span import Span, SpecPath

Plain: TypeAlias = bool | int | float | str | tuple["Plain", ...] | dict[str, "Plain"] | None
"""A document without its places, as the language's models take it."""


class Scalar(NamedTuple):
    """A string, number, boolean or null; `text` is what the author wrote."""

    value: bool | int | float | str | None
    span: Span
    text: str


class Sequence(NamedTuple):
    """A list."""

    items: tuple[Node, ...]
    span: Span


class _Pairs(NamedTuple):
    items: tuple[tuple[Scalar, Node], ...]
    span: Span


class Mapping(_Pairs):
    """A map in the order of the file; its keys are strings, and no key stands twice."""

    def get(self, key: str) -> Node | None:
        """The value under `key`, or None."""
        found = self._index.get(key)
        return found[1] if found else None

    def key(self, key: str) -> Scalar | None:
        """The key itself, with its place."""
        found = self._index.get(key)
        return found[0] if found else None

    @cached_property
    def _index(self) -> dict[str, tuple[Scalar, Node]]:
        # A file may have a hundred thousand keys in one map, each of which is looked up.
        return {pair[0].text: pair for pair in self.items}


Node: TypeAlias = Scalar | Sequence | Mapping


def plain(node: Node) -> Plain:
    """The value without its places."""
    match node:
        case Scalar(value=value):
            return value
        case Sequence(items=items):
            return tuple(plain(item) for item in items)
        case Mapping(items=pairs):
            return {str(key.value): plain(value) for key, value in pairs}


def find(root: Node, path: SpecPath) -> tuple[Node, Scalar | None, int]:
    """Follow `path` as far as it goes: the node reached, the key that led to it, the steps taken."""
    node, key, taken = root, None, 0
    for step in path:
        below: Node | None = None
        if isinstance(node, Mapping) and isinstance(step, str):
            below, found = node.get(step), node.key(step)
            key = found if below is not None else key
        elif isinstance(node, Sequence) and isinstance(step, int) and 0 <= step < len(node.items):
            below, key = node.items[step], None
        elif isinstance(node, Sequence) and isinstance(step, str):
            below, key = _called(node, step), None
        if below is None:
            break
        node, taken = below, taken + 1
    return node, key, taken


def _called(node: Sequence, name: str) -> Node | None:
    for item in node.items:
        word = item.get("name") if isinstance(item, Mapping) else None
        if isinstance(word, Scalar) and word.value == name:
            return item
    return None


def place(root: Node, path: SpecPath) -> Span:
    """Where to point for `path`: the scalar itself, or the key of a map or list (never a whole block)."""
    node, key, _ = find(root, path)
    if isinstance(node, Scalar):
        return node.span
    if key is not None:
        return key.span
    match node:
        case Mapping(items=((first, _), *_)):
            return first.span
        case Sequence(items=(Scalar(span=span), *_)):
            return span
        case _:
            return Span(
                node.span.file, node.span.line, node.span.column, node.span.line, node.span.column + 1
            )


def key_place(root: Node, path: SpecPath) -> Span:
    """Where the key at the end of `path` stands; as `place` if there is none."""
    _, key, taken = find(root, path)
    return key.span if key is not None and taken == len(path) else place(root, path)


def named(root: Node, path: SpecPath) -> SpecPath:
    """The path with the names of things in place of their indexes."""
    found: list[str | int] = []
    node: Node | None = root
    for step in path:
        word = step
        if isinstance(node, Sequence) and isinstance(step, int):
            node = node.items[step] if 0 <= step < len(node.items) else None
            word = _name(node) or step
        else:
            node = node.get(step) if isinstance(node, Mapping) and isinstance(step, str) else None
        found.append(word)
    return tuple(found)


def _name(node: Node | None) -> str | None:
    word = node.get("name") if isinstance(node, Mapping) else None
    return word.value if isinstance(word, Scalar) and isinstance(word.value, str) else None


def starts(root: Node) -> dict[tuple[int, int], SpecPath]:
    """The path, with names, of what begins at each line and column: of a map and its first key the key's."""
    found: dict[tuple[int, int], SpecPath] = {}
    waiting: list[tuple[SpecPath, Node]] = [((), root)]
    while waiting:
        path, node = waiting.pop()
        found.setdefault((node.span.line, node.span.column), path)
        match node:
            case Mapping(items=pairs):
                for key, value in pairs:
                    found[key.span.line, key.span.column] = (*path, key.text)
                    waiting.append(((*path, key.text), value))
            case Sequence(items=items):
                waiting += [((*path, _name(item) or index), item) for index, item in enumerate(items)]
    return found


def walk(node: Node, path: SpecPath = ()) -> Iterator[tuple[SpecPath, Node]]:
    """Every node with its path, parents first, in the order of the file."""
    yield path, node
    match node:
        case Mapping(items=pairs):
            for key, value in pairs:
                yield from walk(value, (*path, str(key.value)))
        case Sequence(items=items):
            for index, item in enumerate(items):
                yield from walk(item, (*path, index))
