"""Where things stand in the document, for rules that look at all of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.rules.registry import Scene

T = TypeVar("T")


def each(path: SpecPath, items: Iterable[T]) -> Iterator[tuple[SpecPath, T]]:
    """The items of the list at `path`, each with its place; by number, since two may have one name."""
    for index, item in enumerate(items):
        yield (*path, index), item


def workloads(scene: Scene) -> Iterator[tuple[SpecPath, WorkloadSpec]]:
    """Every job, service and worker with its place, as the file lists them."""
    spec = scene.site.spec
    yield from each(("spec", "jobs"), spec.jobs)
    yield from each(("spec", "services"), spec.services)
    yield from each(("spec", "workers"), spec.workers)
