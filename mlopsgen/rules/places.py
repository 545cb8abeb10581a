"""Where things stand in the document, for rules that look at all of a kind."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeVar

from mlopsgen.components.services.spec import ServiceSpec
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.components.workloads.spec import SecretSpec, WorkloadSpec
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.model.workload import Workload
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


def services(scene: Scene) -> Iterator[tuple[SpecPath, ServiceSpec, Workload]]:
    """Every service with its place, its spec, and what is decided about it, as the file lists them."""
    resolved = {id(service.spec): service for service in scene.site.services}
    for path, spec in each(("spec", "services"), scene.site.spec.services):
        yield path, spec, resolved[id(spec)]


def running(scene: Scene) -> Iterator[tuple[SpecPath, ServiceSpec | WorkerSpec, Workload]]:
    """Every service and worker in the same way: what runs for ever."""
    yield from services(scene)
    resolved = {id(worker.spec): worker for worker in scene.site.workers}
    for path, spec in each(("spec", "workers"), scene.site.spec.workers):
        yield path, spec, resolved[id(spec)]


def secrets(scene: Scene) -> Iterator[tuple[SpecPath, SecretSpec]]:
    """Every secret, with the place of its name or ARN."""
    for path, workload in workloads(scene):
        for name, secret in workload.secrets.items():
            yield (*path, "secrets", name, *_reference(secret)), secret


def _reference(secret: SecretSpec) -> tuple[str, ...]:
    if secret.secret_key_ref:
        return ("secretKeyRef", "name")
    return ("parameter",) if secret.parameter is not None else ("secret",)
