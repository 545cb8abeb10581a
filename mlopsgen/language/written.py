"""What is wrong with a document as it is written: with the base, or with an environment's part beside it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.span import Span, SpecPath
from mlopsgen.language import nulls
from mlopsgen.language.base import Item
from mlopsgen.language.dynamic_references import dynamic_reference, is_dynamic_reference
from mlopsgen.language.environments import DEFAULT, elsewhere
from mlopsgen.language.fill import BUILT_IN, RESERVED, VARIABLES
from mlopsgen.language.walk import (
    Field,
    Place,
    below,
    choices,
    field_at,
    has_varying,
    is_null,
    name_of,
    things,
    walk_typed,
)
from mlopsgen.language.wording import called, error, flow, last_key, listed, noun, one_of, short
from mlopsgen.source.node import Mapping, Node, Scalar, Sequence, place, walk


class Found(NamedTuple):
    """A fault, and what is left out of the document so that nothing else is said of it."""

    diagnostic: Diagnostic
    path: SpecPath | None = None
    excuses: tuple[tuple[Span, str], ...] = ()
    """Maps, each with a key that it may lack in consequence."""

    particular: bool = False
    """Whether the message says by itself which environment it is about."""


class Written(NamedTuple):
    """The base, or the part of an environment beside the base."""

    root: Node
    field: Field
    environments: tuple[str, ...]
    environment: str = ""
    """None for the base."""

    base: Node | None = None


def faults(written: Written) -> Iterator[Found]:
    """Everything wrong with it that can be seen before environments are laid over the base."""
    done: set[SpecPath] = set()
    for at in walk_typed(written.root, written.field, beside=written.base):
        if at.path in done or at.path[:-1] in done:
            done.add(at.path)
            continue
        for found in _faults(at, written):
            yield found
            if found.path is not None:
                done.add(found.path)
    for path, node in walk(written.root):
        if isinstance(node, Scalar) and is_dynamic_reference(node.value):
            yield Found(dynamic_reference(node.span), path or None)


def without(root: Node, paths: Iterable[SpecPath]) -> Node:
    """The document without what stands at `paths`."""
    gone: dict[str | int, list[SpecPath]] = {}
    for path in paths:
        gone.setdefault(path[0], []).append(path[1:])
    if not gone:
        return root
    match root:
        case Mapping(items=pairs, span=span):
            kept = [(key, value, gone.get(key.text, [])) for key, value in pairs]
            return Mapping(
                tuple((key, without(value, more)) for key, value, more in kept if () not in more), span
            )
        case Sequence(items=items, span=span):
            each = [(item, gone.get(index, [])) for index, item in enumerate(items)]
            return Sequence(tuple(without(item, more) for item, more in each if () not in more), span)
        case _:
            return root


def _faults(at: Place, written: Written) -> Iterator[Found]:
    """Those of one place; the first that says it all alone."""
    field, key = at.field, at.key
    if key and key.text == "environments" and (_is_item(at.owner) or at.path == ("spec", "environments")):
        yield from _which(at, written) if not written.environment else _in_a_part(at, written)
    elif key and field is None:
        yield _unknown(at, key, written)
    elif key and field and field.later:
        yield _not_yet(at, key)
    elif field is None:
        return
    elif key and at.same and written.environment and (is_null(at.node) or not has_varying(field)):
        yield _same(at, key, written)
    elif is_null(at.node):
        yield from _null(at, field, written)
    elif key and at.path[:-1] == VARIABLES and key.text in (*BUILT_IN, *RESERVED):
        yield _taken(at, key)
    elif isinstance(at.node, Scalar) and at.node.value in field.later_words:
        yield _not_yet_word(at, at.node, field)
    elif isinstance(at.node, Mapping) and field.kind == "map":
        yield from _two_choices(at.path, at.node, field, written)
    elif isinstance(at.node, Sequence) and field.named:
        yield from _things(at, at.node, written)


def _is_item(owner: Field) -> bool:
    return owner.model is not None and issubclass(owner.model, Item)


def _unknown(at: Place, key: Scalar, written: Written) -> Found:
    help_, instead = _meant(at, key, written)
    fault = error("E101", f"unknown key `{short(key.text)}`", help_, Label(key.span))
    return Found(fault, at.path, tuple((node.span, instead) for node in at.around) if instead else ())


def _meant(at: Place, key: Scalar, written: Written) -> tuple[str | None, str]:
    """What the author of an unknown key may have meant, and the key that then takes its place."""
    # Only who made a mistake waits for it.
    from mlopsgen.language.hints import hint_for_key

    known, word = below(at.owner), key.text
    if hint := hint_for_key(written.field, at.path, at.node):
        return hint.text, hint.instead
    if word.startswith("x-"):
        return "keys of one's own stand at the first level of the file", ""
    inside = [key for key, field in known.items() if word in below(field)] if len(at.path) == 1 else []
    if inside:
        return f"`{word}` stands inside {one_of(inside)}", ""
    for depth in range(len(at.path) - 2, -1, -1):
        outer = field_at(written.field, at.path[:depth])
        if outer and word in below(outer) and word not in ("name", "environments"):
            return f"{called(written.root, at.path[:depth])} has such a key: is it indented too far?", ""
    if close := closest(word, known):
        return f"did you mean `{close}`?{' It is not built yet' if known[close].later else ''}", close
    built = [each for each, field in known.items() if not field.later]
    return (f"there are: {listed(built, 40)}" if built else None), ""


def _not_yet(at: Place, key: Scalar) -> Found:
    help_ = "the language has reserved it for a later version: leave it out until then"
    fault = error("E108", f"`{key.text}` is not built yet", help_, Label(key.span))
    return Found(fault, at.path, tuple((node.span, key.text) for node in at.around))


def _not_yet_word(at: Place, node: Scalar, field: Field) -> Found:
    key = last_key(at.path)
    built = one_of(word for word in field.words if word not in field.later_words)
    help_ = f"the language has reserved it for a later version: until then `{key}` is {built}"
    fault = error("E108", f"`{node.text}` is not built yet", help_, Label(node.span))
    return Found(fault, at.path, tuple((each.span, key) for each in at.around))


def _same(at: Place, key: Scalar, written: Written) -> Found:
    labels = [Label(key.span)]
    if at.beside is not None and written.base is not None:
        labels.append(Label(place(written.base, _by_names(at.path, written.root)), "the base's"))
    message = f"environment `{written.environment}` changes `{key.text}`, which is the same in all of them"
    help_ = "one build and one workflow serve them all: say it in the base"
    return Found(error("E114", message, help_, *labels), at.path, particular=True)


def _null(at: Place, field: Field, written: Written) -> Iterator[Found]:
    excuses = tuple((node.span, last_key(at.path)) for node in at.around)
    if at.key is None:
        what = noun(last_key(at.path)) if at.owner.named and written.environment else ""
        help_ = (
            f"the base says which environments have a {what}: `environments: [..]`" if what else "take it out"
        )
        message = f"an item of `{last_key(at.path)}` has no value"
        yield Found(error("E109", message, help_, Label(at.node.span)), at.path)
    elif not written.environment:
        if field.kind != "json":
            message, help_ = nulls.in_base(at.key, at.node, field, at.owner)
            yield Found(error("E109", message, help_, Label(nulls.where(at.key, at.node))), at.path, excuses)
    elif refused := nulls.in_part(at):
        message, help_ = refused
        yield Found(error("E109", message, help_, Label(nulls.where(at.key, at.node))), at.path)


def _taken(at: Place, key: Scalar) -> Found:
    what = "is filled in by itself" if key.text in BUILT_IN else "is kept by the language"
    message = f"`{key.text}` cannot be the name of a variable: `${{{key.text}}}` {what}"
    return Found(error("E117", message, "choose another name", Label(key.span)), at.path)


def _two_choices(path: SpecPath, node: Mapping, field: Field, written: Written) -> Iterator[Found]:
    group = {key for key, each in choices(field).items() if not each.later}
    given = [key for key, value in node.items if key.text in group and not is_null(value)]
    for key in given[1:]:
        message = f"`{key.text}` and `{given[0].text}` stand side by side in {called(written.root, path)}"
        labels = Label(key.span), Label(given[0].span, "given already")
        yield Found(error("E113", message, "keep one of them", *labels), (*path, key.text))


def _things(at: Place, node: Sequence, written: Written) -> Iterator[Found]:
    """Names that stand twice; in an environment's part also things that it does not have."""
    if written.environment and at.beside is not None and not isinstance(at.beside, Sequence):
        return
    known = things(at.beside) if isinstance(at.beside, Sequence) else {}
    seen: dict[str, Scalar] = {}
    for index, item in enumerate(node.items):
        name = item.get("name") if isinstance(item, Mapping) else None
        path = (*at.path, index)
        if isinstance(name, Scalar) and isinstance(name.value, str):
            if seen.setdefault(name.value, name) is not name:
                yield _twice(path, name, seen[name.value], at, written)
            elif written.environment:
                yield from _changed(path, name, known, at, written)
        elif written.environment and not is_null(item):
            yield Found(_nameless(item, name, at, path, written), path)


def _twice(path: SpecPath, name: Scalar, first: Scalar, at: Place, written: Written) -> Found:
    message = f"the name `{short(name.text)}` stands twice in {called(written.root, at.path)}"
    labels = Label(name.span), Label(first.span, "first given here")
    help_ = None if written.environment else "what differs between environments stands in `spec.environments`"
    # The base's second one is examined nevertheless.
    return Found(error("E115", message, help_, *labels), path if written.environment else None)


def _changed(
    path: SpecPath, name: Scalar, known: dict[str, Node], at: Place, written: Written
) -> Iterator[Found]:
    """A thing that the base does not have, or not in this environment."""
    what, environment = noun(last_key(at.path)), written.environment
    base = known.get(name.text)
    if base is None:
        inside = f" in {called(written.root, at.path[:-1])}" if len(at.path) > 2 else ""
        close = closest(name.text, known)
        here = f"a {what} for {environment} alone stands in the base with `environments: [{environment}]`"
        help_ = f"did you mean `{close}`? {here[0].upper()}{here[1:]}" if close else here
        if at.field and name.text in at.field.implied:
            help_ = (
                f"it is there without being declared: declare it in the base to change it for {environment}"
            )
        thing = f"{what} `{short(name.text)}`{inside}"
        message = f"the base has no {thing} for environment `{environment}` to change"
        yield Found(error("E110", message, help_, Label(name.span)), path, particular=True)
    elif elsewhere(base, environment):
        key = base.key("environments") if isinstance(base, Mapping) else None
        labels = [Label(name.span), *([Label(key.span, f"the {what} is there alone")] if key else [])]
        message = f"environment `{environment}` does not have the {what} `{short(name.text)}` that it changes"
        help_ = f"take it out here, or add `{environment}` to its `environments`"
        yield Found(error("E111", message, help_, *labels), path, particular=True)


def _nameless(item: Node, name: Node | None, at: Place, path: SpecPath, written: Written) -> Diagnostic:
    list_ = last_key(at.path)
    if not isinstance(item, Mapping):
        message = f"an item of `{list_}` should be a map"
        help_ = (
            f"write `{{name: {flow(item)}, …}}`, and what is to change" if isinstance(item, Scalar) else None
        )
        return error("E103", message, help_, Label(place(item, ())))
    if name is None:
        message = f"`name` is missing in {called(written.root, path)}"
        return error(
            "E102", message, f"say which {noun(list_)} it changes: add `name:`", Label(place(item, ()))
        )
    help_ = "write the name of what is to be changed"
    if isinstance(name, Scalar) and name.value is not None:
        help_ = f'put it in quotes: "{short(name.text)}"'
    return error("E103", "`name` should be a string", help_, Label(place(item, ("name",))))


def _in_a_part(at: Place, written: Written) -> Iterator[Found]:
    if at.key is None:
        return
    message = f"`environments` stands in the base alone, and not in environment `{written.environment}`"
    labels = [Label(at.key.span)]
    help_ = "take it out"
    if len(at.path) > 2:
        labels += [Label(key.span, "the base's") for each in at.around[1:] if (key := _key(each))]
        help_ = f"say in the base where the {noun(last_key(at.path[:-1]))} is"
    yield Found(error("E112", message, help_, *labels), at.path, particular=True)


def _key(node: Node) -> Scalar | None:
    return node.key("environments") if isinstance(node, Mapping) else None


def _which(at: Place, written: Written) -> Iterator[Found]:
    """The environments that have a thing: at least one, and each of them declared."""
    if at.key is None:
        return
    thing = f"{noun(last_key(at.path[:-1]))} `{short(name_of(at.around[0]) or '')}`"
    if is_null(at.node):
        yield from _null(at, Field("list"), written)
    elif not isinstance(at.node, Sequence):
        text = flow(at.node) if isinstance(at.node, Scalar) else None
        help_ = f"write a list: [{text}]" if text else None
        label = Label(at.node.span if isinstance(at.node, Scalar) else at.key.span)
        yield Found(error("E103", "`environments` should be a list of names", help_, label), at.path)
    elif not at.node.items:
        message, help_ = f"the {thing} is in no environment", "leave the key out for all of them"
        yield Found(error("E112", message, help_, Label(at.key.span)), at.path)
    else:
        for name in at.node.items:
            if not isinstance(name, Scalar) or not isinstance(name.value, str):
                fault = error(
                    "E103", "a name of `environments` should be a string", None, Label(place(name, ()))
                )
                yield Found(fault, at.path)
            elif name.value not in written.environments:
                close = closest(name.value, written.environments)
                help_ = f"did you mean `{close}`?" if close else f"there are: {listed(written.environments)}"
                if written.environments == (DEFAULT,):
                    help_ = "`spec.environments` names them; without any there is `default` alone"
                message = f"there is no environment `{short(name.value)}`"
                yield Found(error("E112", message, help_, Label(name.span)), at.path)


def _by_names(path: SpecPath, root: Node) -> SpecPath:
    """The path with names of things in place of indexes, as another document has them."""
    found: list[str | int] = []
    node: Node | None = root
    for step in path:
        match node, step:
            case Sequence(items=items), int():
                node = items[step]
                found.append(name_of(node) or step)
            case Mapping(), str():
                node = node.get(step)
                found.append(step)
            case _:
                found.append(step)
    return tuple(found)
