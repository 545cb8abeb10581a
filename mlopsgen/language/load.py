"""From nodes to the language: for each environment one merged tree, and the pipeline that it describes.

The base and each environment's part are examined as they are written; what is at fault is left out, so that
the rest can still be laid over each other, filled in and validated, and all faults are told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Generic, NamedTuple, TypeAlias, TypeVar

from pydantic import BaseModel, ValidationError

from mlopsgen.diagnostics.diagnostic import Diagnostic, Rejected
from mlopsgen.diagnostics.span import Span
from mlopsgen.language.choices import undecided
from mlopsgen.language.environments import (
    Absent,
    PipelineDocument,
    absent,
    document,
    gathered,
    has_limits,
    narrow,
    overlay,
    taken_away,
)
from mlopsgen.language.fill import fill
from mlopsgen.language.walk import Field, root_field, walk_typed
from mlopsgen.language.written import Found, Written, faults, without
from mlopsgen.source.node import Node, Sequence, find, plain, starts

M = TypeVar("M", bound=BaseModel)

Faults: TypeAlias = dict[str, tuple[Found, ...]]
"""What is wrong with each environment's part as it is written, and under no name with the base."""


class Loaded(NamedTuple, Generic[M]):
    """One environment of a pipeline: its merged nodes, and what they mean."""

    environment: str
    tree: Node
    """The base with the environment's part laid over it and all texts filled in; every place is kept."""

    pipeline: M
    absent: tuple[Absent, ...]
    """What the base declares and this environment does not have."""

    taken: tuple[Absent, ...] = ()
    """What the base declares and this environment takes away with `null`."""


class _Read(NamedTuple, Generic[M]):
    loaded: Loaded[M] | None
    faults: tuple[Diagnostic, ...]


def load(root: Node, model: type[M]) -> tuple[Loaded[M], ...]:
    """Every environment of the document, by name. Raises `Rejected` with everything that does not fit."""
    field, written = root_field(model), document(root)
    found = _examined(written, field)
    sound = _without_faults(written, found)
    excuses = frozenset(excuse for each in found.values() for fault in each for excuse in fault.excuses)
    excuses |= frozenset(_shortened(written, found))
    read = {name: _read(sound, name, model, excuses) for name in sound.environments}
    if faulty := _told(written, found, {name: each.faults for name, each in read.items()}):
        raise Rejected(_placed(root, faulty))
    return tuple(each.loaded for each in read.values() if each.loaded)


def _examined(written: PipelineDocument, field: Field) -> Faults:
    base = Written(written.base, field, written.environments)
    parts = {
        name: base._replace(root=part, environment=name, base=written.base)
        for name, part in written.parts.items()
    }
    return {name: tuple(faults(each)) for name, each in {"": base, **parts}.items()}


def _without_faults(written: PipelineDocument, found: Faults) -> PipelineDocument:
    gone = {name: [each.path for each in faults if each.path is not None] for name, faults in found.items()}
    parts = {name: without(part, gone[name]) for name, part in written.parts.items()}
    return written._replace(base=without(written.base, gone[""]), parts=parts)


def _shortened(written: PipelineDocument, found: Faults) -> Iterator[tuple[Span, str]]:
    """The lists that have lost items with faults of their own, and need not be told that they are short."""
    for name, faults_ in found.items():
        tree = written.parts[name] if name else written.base
        for each in faults_:
            held = find(tree, each.path[:-1])[0] if each.path else None
            if isinstance(held, Sequence):
                yield held.span, ""


def _read(
    written: PipelineDocument, environment: str, model: type[M], excuses: frozenset[tuple[Span, str]]
) -> _Read[M]:
    """One environment: laid over the base, narrowed to what it has, filled in, validated."""
    field, part = root_field(model), written.parts.get(environment)
    tree = written.base if part is None else overlay(written.base, part, field)
    places, missing = tuple(walk_typed(tree, field)), tuple[Absent, ...]()
    if has_limits(places):
        missing, tree = absent(tree, field, environment), narrow(tree, field, environment)
        places = tuple(walk_typed(tree, field))
    open_ = tuple(undecided(tree, places, excuses))
    filling = fill(tree, field, places, environment)
    try:
        pipeline = model.model_validate(plain(filling.tree), by_alias=True, by_name=False)
    except ValidationError as error:
        # Only who made a mistake waits for it.
        from mlopsgen.language.shape_errors import shape_errors

        wrong = shape_errors(filling.tree, model, error.errors(include_url=False), excuses)
        rest = tuple(each for each in wrong if each.labels[0].span not in filling.unsettled)
        return _Read(None, (*open_, *filling.faults, *rest))
    taken = () if part is None else tuple(taken_away(written.base, part, field))
    return _Read(Loaded(environment, filling.tree, pipeline, missing, taken), (*open_, *filling.faults))


def _told(
    written: PipelineDocument, found: Faults, read: dict[str, tuple[Diagnostic, ...]]
) -> tuple[Diagnostic, ...]:
    """All faults, each once: those of the base, and those of environments with their names."""
    common = [replace(each.diagnostic, environments=written.environments) for each in found[""]]
    particular = [
        replace(each.diagnostic, environments=(name,))
        for name, faults in found.items()
        for each in faults
        if each.particular
    ]
    each_in = {
        name: (*(fault.diagnostic for fault in found.get(name, ()) if not fault.particular), *later)
        for name, later in read.items()
    }
    return (*written.faults, *common, *particular, *gathered(each_in, written.parts))


def _placed(root: Node, faults: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """The faults with their paths in the merged document: of those that say none, of what they point to."""
    places = starts(root)
    for each in faults:
        span = each.labels[0].span
        path = each.path or places.get((span.line, span.column), ())
        if path[:2] == ("spec", "environments") and len(path) > 2:
            each, path = replace(each, environments=(str(path[2]),)), ("spec", *path[3:])
        yield replace(each, path=path)
