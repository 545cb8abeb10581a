"""Parts of a pipeline laid over a small one: what the examples of the catalogue are read by."""

from __future__ import annotations

from mlopsgen.source.node import Mapping, Node, Scalar, Sequence


def overlay(base: Node, patch: Node) -> Node:
    """`patch` laid over `base`: maps merge, lists of named things merge by `name`.

    Every other value of `patch` takes the place of the one in `base`, and a thing that `base` lacks is added.
    """
    match base, patch:
        case Mapping(), Mapping():
            return _maps(base, patch)
        case Sequence(), Sequence() if _named(base) and _named(patch):
            return _lists(base, patch)
        case _:
            return patch


def _maps(base: Mapping, patch: Mapping) -> Mapping:
    changes = {key.value: (key, value) for key, value in patch.items}
    pairs: list[tuple[Scalar, Node]] = []
    for key, value in base.items:
        if key.value not in changes:
            pairs.append((key, value))
            continue
        new_key, new = changes.pop(key.value)
        if key.value == "name" and isinstance(value, Scalar) and _same(value, new):
            # By it the two were found to be one thing; it is the base that names it.
            pairs.append((key, value))
            continue
        kept = key if isinstance(value, Mapping | Sequence) and type(new) is type(value) else new_key
        pairs.append((kept, overlay(value, new)))
    pairs += changes.values()
    return Mapping(tuple(pairs), base.span)


def _lists(base: Sequence, patch: Sequence) -> Sequence:
    changes: dict[str | None, Node] = {}
    # A name that the environment gives twice stays twice, for a rule to find.
    twice = [item for item in patch.items if changes.setdefault(_name(item), item) is not item]
    items = [
        overlay(item, changes.pop(_name(item))) if _name(item) in changes else item for item in base.items
    ]
    return Sequence((*items, *changes.values(), *twice), base.span)


def _same(value: Scalar, new: Node) -> bool:
    return isinstance(new, Scalar) and new.value == value.value


def _named(node: Sequence) -> bool:
    return bool(node.items) and all(_name(item) is not None for item in node.items)


def _name(node: Node) -> str | None:
    name = node.get("name") if isinstance(node, Mapping) else None
    return name.value if isinstance(name, Scalar) and isinstance(name.value, str) else None
