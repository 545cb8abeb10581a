"""`null`: in an environment it takes away what the base says; in the base there is nothing to take away."""

from __future__ import annotations

from mlopsgen.diagnostics.span import Span
from mlopsgen.language.walk import Field, Place, below, choices, is_null
from mlopsgen.language.wording import one_of
from mlopsgen.source.node import Mapping, Node, Scalar


def where(key: Scalar, node: Node) -> Span:
    """The `null` itself, or the key that has nothing behind it."""
    return node.span if isinstance(node, Scalar) and node.text else key.span


def in_base(key: Scalar, node: Node, field: Field, owner: Field) -> tuple[str, str]:
    """The fault of a `null` in the base, and what to write."""
    word, written = key.text, isinstance(node, Scalar) and node.text
    message = f"`{word}: {written}` takes nothing away in the base" if written else f"`{word}` has no value"
    return message, _rather(word, field, owner)


def in_part(at: Place) -> tuple[str, str] | None:
    """The fault of a `null` in an environment that takes nothing away, or what must not be taken away."""
    if at.key is None or at.field is None:
        return None
    word = at.key.text
    if at.beside is None:
        rather = _rather(word, at.field, at.owner)
        return f"`{word}: null` takes nothing away", f"the base says nothing of it: {rather}"
    message = f"`{word}` cannot be taken away"
    if at.field.required:
        return message, "it has no default: write another value, or leave the key out"
    if at.field.choice and not _decided(at):
        others = one_of(key for key, field in choices(at.owner).items() if not field.later)
        return message, f"nothing takes its place: write {others}"
    return None


def _decided(at: Place) -> bool:
    """Whether a choice stands in the map once the environment is laid over the base."""
    group = choices(at.owner)
    part, *base = ({key.text: is_null(value) for key, value in _pairs(node)} for node in at.around)
    taken = {word for word, null in part.items() if null}
    given = {word for each in (part, *base) for word, null in each.items() if not null}
    return bool((given - taken) & set(group)) or any(
        each.choice and each.choice.default for each in group.values()
    )


def _pairs(node: Node) -> tuple[tuple[Scalar, Node], ...]:
    return node.items if isinstance(node, Mapping) else ()


def _rather(word: str, field: Field, owner: Field) -> str:
    """What to write in place of a `null`."""
    known = below(field)
    if field.required:
        return f"`{word}` has no default: write a value"
    if "enabled" in known:
        return f"leave the key out, or turn it off: `{word}: {{enabled: false}}`"
    if field.kind == "map" and field.bare and not any(each.required for each in known.values()):
        return f"leave the key out, or write `{word}: {{}}` for one with all its defaults"
    if field.kind == "list" and field.bare and not field.named:
        return f"leave the key out, or write `{word}: []` for none at all"
    if owner.kind == "values" and field.kind == "scalar":
        return f'leave the key out, or write `{word}: ""` for an empty text'
    return "leave the key out"
