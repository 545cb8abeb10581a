"""`null`: in an environment it takes away what the base says; in the base there is nothing to take away."""

from __future__ import annotations

from mlopsgen.language.walk import Field, Place, below, choices, is_null
from mlopsgen.language.wording import one_of
from mlopsgen.source.node import Mapping, Node, Scalar, Span


def where(key: Scalar, node: Node) -> Span:
    """The `null` itself, or the key that has nothing behind it."""
    return node.span if isinstance(node, Scalar) and node.text else key.span


def in_base(key: Scalar, node: Node, field: Field, owner: Field) -> tuple[str, str]:
    """The fault of a `null` in the base, and what to write."""
    written = isinstance(node, Scalar) and node.text
    message = (
        f"`{key.text}: {written}` takes nothing away in the base" if written else f"`{key.text}` has no value"
    )
    return message, _rather(key, field, owner)


def in_part(at: Place) -> tuple[str, str] | None:
    """The fault of a `null` in an environment that takes nothing away, or what must not be taken away."""
    if at.key is None or at.field is None:
        return None
    word = at.key.text
    if at.beside is None:
        return f"`{word}: null` takes nothing away: the base says nothing of it", _rather(
            at.key, at.field, at.owner
        )
    if at.field.required:
        return (
            f"`{word}` cannot be taken away: it has no default",
            "write another value, or leave the key out",
        )
    group = choices(at.owner)
    given = {
        key.text
        for each in at.around
        if isinstance(each, Mapping)
        for key, value in each.items
        if not is_null(value)
    }
    others = [key for key, field in group.items() if not field.later]
    if word in group and not any(each.choice and each.choice.default for each in group.values()):
        taken = {key.text for key, value in _pairs(at.around[0]) if is_null(value)}
        if not (given - taken) & set(group):
            return f"`{word}` cannot be taken away: nothing takes its place", f"write {one_of(others)}"
    return None


def _pairs(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    return node.items if isinstance(node, Mapping) else ()


def _rather(key: Scalar, field: Field, owner: Field) -> str:
    """What to write in place of a `null`."""
    word, known = key.text, below(field)
    if field.required:
        return f"write a value: `{word}` has no default"
    if "enabled" in known:
        return f"leave the key out, or turn it off: `{word}: {{enabled: false}}`"
    if field.kind == "map" and field.bare and not any(each.required for each in known.values()):
        return f"leave the key out, or write `{word}: {{}}` for one with all its defaults"
    if field.kind == "list" and field.bare and not field.named:
        return f"leave the key out, or write `{word}: []` for none at all"
    if owner.kind == "values" and field.kind == "scalar":
        return f'leave the key out, or write `{word}: ""` for an empty text'
    return "leave the key out"
