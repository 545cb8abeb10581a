"""An environment is a partial spec laid over the base; every value remembers the line it came from."""

from __future__ import annotations

from mlopsgen.source.node import Mapping, Node, Scalar, Sequence


def overlay(base: Node, patch: Node) -> Node:
    """`patch` laid over `base`: maps merge, lists of named things merge by `name`, `null` deletes.

    Every other value of `patch` takes the place of the one in `base`.
    """
    match base, patch:
        case Mapping(), Mapping():
            return _maps(base, patch)
        case Sequence(), Sequence() if _named(base) and _named(patch):
            return _lists(base, patch)
        case _:
            return _strip(patch)


def _maps(base: Mapping, patch: Mapping) -> Mapping:
    changes = {key.value: (key, value) for key, value in patch.items}
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in base.items:
        if key.value not in changes:
            pairs.append((key, value))
            continue
        new_key, new = changes.pop(key.value)
        if isinstance(new, Scalar) and new.value is None:
            continue
        kept = key if isinstance(value, Mapping | Sequence) and type(new) is type(value) else new_key
        pairs.append((kept, overlay(value, new)))
    pairs += [
        (key, _strip(value))
        for key, value in changes.values()
        if not (isinstance(value, Scalar) and value.value is None)
    ]
    return Mapping(tuple(pairs), base.span)


def _lists(base: Sequence, patch: Sequence) -> Sequence:
    changes = {_name(item): item for item in patch.items}
    items = [
        overlay(item, changes.pop(_name(item))) if _name(item) in changes else item for item in base.items
    ]
    return Sequence((*items, *(_strip(item) for item in changes.values())), base.span)


def _strip(node: Node) -> Node:
    return node


def _named(node: Sequence) -> bool:
    return bool(node.items) and all(_name(item) is not None for item in node.items)


def _name(node: Node) -> str | None:
    name = node.get("name") if isinstance(node, Mapping) else None
    return name.value if isinstance(name, Scalar) and isinstance(name.value, str) else None
