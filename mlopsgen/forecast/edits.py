"""What was edited: where two documents differ, and the documents between them that have some of the edits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from mlopsgen.diagnostics.diagnostic import shown
from mlopsgen.diagnostics.span import Span, SpecPath
from mlopsgen.source import node
from mlopsgen.source.node import Node, Plain, Scalar, Sequence, place, plain

LONGEST = 40
"""Characters of a value, told in one line with another."""


class Edit(NamedTuple):
    """One place where two documents differ."""

    path: SpecPath
    """With the names of things, as the document has it: a part of an environment lies below
    `spec.environments.NAME`."""
    before: Node | None
    """None if it was not there."""
    after: Node | None
    """None if it is there no longer."""
    key: Span | None = None
    """Where the key stands, of what is there now; of what is gone, where it stood."""
    near: Span | None = None
    """Of what is gone, the next place that the document still has."""

    @property
    def name(self) -> str:
        """The path as people write it, without the section that all have in common."""
        steps = self.path[1:] if self.path[:1] == ("spec",) and len(self.path) > 1 else self.path
        return ".".join(map(str, steps))

    @property
    def title(self) -> str:
        """Such as `services.api.port: 8080 -> 9090`."""
        if self.before is None:
            return f"{self.name}: added{_brief(self.after)}"
        if self.after is None:
            return f"{self.name}: removed{_brief(self.before)}"
        if (names := _renamed(self)) is not None:
            return f"{'.'.join(self.name.split('.')[:-1])}: {names[0]} renamed to {names[1]}"
        old, new = _value(self.before), _value(self.after)
        if old is None or new is None:
            return f"{self.name}: changed"
        return f"{self.name}: {old} -> {new}"

    @property
    def old_value(self) -> Plain:
        """The value before, as JSON has it; null if there was none."""
        return plain(self.before) if self.before is not None else None

    @property
    def new_value(self) -> Plain:
        """The value after, as JSON has it; null if there is none."""
        return plain(self.after) if self.after is not None else None

    @property
    def span(self) -> Span:
        """Where to look: in the document as it is now, or as it was if it is gone."""
        found = self.after if self.after is not None else self.before
        assert found is not None
        return self.key or found.span

    @property
    def shown(self) -> Span:
        """A place in the document as it is now, where an editor or a pull request can show it."""
        return self.near or self.span

    @property
    def gone(self) -> bool:
        """Whether its place is one of the document before."""
        return self.after is None

    @property
    def environment(self) -> str | None:
        """The one environment that it is about, if it stands in the part of one."""
        return str(self.path[2]) if self.path[:2] == ("spec", "environments") and len(self.path) > 2 else None


def edits(old: Node, new: Node) -> tuple[Edit, ...]:
    """Where they differ, innermost, in the order of the new document; what is gone comes last in its map."""
    return tuple(_edits(old, new, (), None))


def mixed(old: Node, new: Node, chosen: Iterable[Edit]) -> Node:
    """The old document with some of the edits that lead to the new one."""
    return _mixed(old, new, (), frozenset(each.path for each in chosen))


def groups(found: Iterable[Edit]) -> tuple[tuple[Edit, ...], ...]:
    """The edits, those together that make sense only together: another name, and what refers to it."""
    found = tuple(found)
    renamed: dict[tuple[str, str], list[Edit]] = {
        words: [] for each in found if (words := _renamed(each)) is not None
    }
    single: list[tuple[Edit, ...]] = []
    for each in found:
        words = next((words for words in renamed if _follows(each, *words)), None)
        if words is None:
            single.append((each,))
        else:
            renamed[words].append(each)
    return (*(tuple(each) for each in renamed.values()), *single)


def _edits(old: Node, new: Node, path: SpecPath, key: Span | None) -> Iterator[Edit]:
    if plain(old) == plain(new):
        return
    if isinstance(old, node.Mapping) and isinstance(new, node.Mapping):
        for word, value in new.items:
            if _unread(path, word.text):
                continue
            before = old.get(word.text)
            if before is None:
                yield Edit((*path, word.text), None, value, word.span)
            else:
                yield from _edits(before, value, (*path, word.text), word.span)
        for word, value in old.items:
            if new.get(word.text) is None and not _unread(path, word.text):
                yield Edit((*path, word.text), value, None, word.span, key or place(new, ()))
        return
    before_, after_ = _named(old), _named(new)
    if before_ is None or after_ is None or not _same_order(before_, after_):
        yield Edit(path, old, new, key)
        return
    came_from = _renames(before_, after_)
    for name, item in after_.items():
        if name in before_:
            yield from _edits(before_[name], item, (*path, name), _name_span(item))
        elif name in came_from:
            yield Edit((*path, name), before_[came_from[name]], item, _name_span(item))
        else:
            yield Edit((*path, name), None, item, _name_span(item))
    for name, item in before_.items():
        if name not in after_ and name not in came_from.values():
            yield Edit((*path, name), item, None, _name_span(item), key or place(new, ()))


def _mixed(old: Node, new: Node, path: SpecPath, chosen: frozenset[SpecPath]) -> Node:
    if path in chosen:
        return new
    if isinstance(old, node.Mapping) and isinstance(new, node.Mapping):
        pairs = []
        for word, value in new.items:
            at = (*path, word.text)
            before = old.get(word.text)
            if before is not None:
                pairs.append((word, _mixed(before, value, at, chosen)))
            elif at in chosen or _unread(path, word.text):
                pairs.append((word, value))
        pairs += [
            pair
            for pair in old.items
            if new.get(pair[0].text) is None and (*path, pair[0].text) not in chosen
        ]
        return node.Mapping(tuple(pairs), new.span)
    before_, after_ = _named(old), _named(new)
    if before_ is None or after_ is None or not _same_order(before_, after_):
        return old
    came_from = _renames(before_, after_)
    found: list[tuple[str, Node]] = []
    for name, item in after_.items():
        if name in before_:
            found.append((name, _mixed(before_[name], item, (*path, name), chosen)))
        elif (*path, name) in chosen:
            found.append((came_from.get(name, name), item))
        elif name in came_from:
            found.append((came_from[name], before_[came_from[name]]))
    last = ""
    for name, item in before_.items():
        if name not in after_ and name not in came_from.values() and (*path, name) not in chosen:
            place_ = next((number for number, each in enumerate(found, 1) if each[0] == last), 0)
            found.insert(place_, (name, item))
        last = name
    return Sequence(tuple(item for _, item in found), new.span)


def _same_order(old: Mapping[str, node.Mapping], new: Mapping[str, node.Mapping]) -> bool:
    """Whether what both have stands in one order, which may mean something."""
    return [each for each in old if each in new] == [each for each in new if each in old]


def _unread(path: SpecPath, key: str) -> bool:
    """Whether it stands at the first level, and is there for other tools or to be repeated."""
    return not path and key.startswith("x-")


def _named(found: Node) -> Mapping[str, node.Mapping] | None:
    """The items of a list of named things, by name; None if it is none."""
    if not isinstance(found, Sequence):
        return None
    items: dict[str, node.Mapping] = {}
    for item in found.items:
        name = _name(item)
        if name is None or name in items or not isinstance(item, node.Mapping):
            return None
        items[name] = item
    return items


def _name(item: Node | None) -> str | None:
    word = item.get("name") if isinstance(item, node.Mapping) else None
    return word.value if isinstance(word, Scalar) and isinstance(word.value, str) else None


def _name_span(item: node.Mapping) -> Span:
    word = item.get("name")
    return word.span if word else item.span


def _renames(old: Mapping[str, node.Mapping], new: Mapping[str, node.Mapping]) -> dict[str, str]:
    """The new names of things that are otherwise as they were, each with the old name."""
    gone = [name for name in old if name not in new]
    found: dict[str, str] = {}
    for name in new:
        if name not in old:
            same = next((each for each in gone if _but_name(old[each]) == _but_name(new[name])), None)
            if same is not None:
                gone.remove(same)
                found[name] = same
    return found


def _but_name(item: node.Mapping) -> dict[str, Plain]:
    return {key.text: plain(value) for key, value in item.items if key.text != "name"}


def _renamed(edit: Edit) -> tuple[str, str] | None:
    """The old name and the new one, if it gives something another name."""
    old, new = _name(edit.before), _name(edit.after)
    return (old, new) if old is not None and new is not None and old != new else None


def _follows(edit: Edit, old: str, new: str) -> bool:
    """Whether the one name stands before where the other stands after."""
    return any(
        before != after and isinstance(before, str) and before.replace(old, new) == after
        for before, after in _scalars(edit.before, edit.after)
    )


def _scalars(old: Node | None, new: Node | None) -> Iterator[tuple[object, object]]:
    if isinstance(old, Scalar) and isinstance(new, Scalar):
        yield old.value, new.value
    elif isinstance(old, Sequence) and isinstance(new, Sequence) and len(old.items) == len(new.items):
        for before, after in zip(old.items, new.items, strict=True):
            yield from _scalars(before, after)
    elif isinstance(old, node.Mapping) and isinstance(new, node.Mapping):
        for key, value in old.items:
            yield from _scalars(value, new.get(key.text))


def _value(found: Node) -> str | None:
    """A short value as it is written; None if it takes more than a part of a line."""
    if isinstance(found, Scalar):
        text = "null" if found.value is None else found.text
    elif isinstance(found, Sequence) and all(isinstance(each, Scalar) for each in found.items):
        text = f"[{', '.join(each.text for each in found.items if isinstance(each, Scalar))}]"
    else:
        return None
    return shown(text) if len(text) <= LONGEST else None


def _brief(found: Node | None) -> str:
    text = _value(found) if found is not None else None
    return f" ({text})" if text else ""
