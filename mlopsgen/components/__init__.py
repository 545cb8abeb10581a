"""One file per thing that can be declared; presence is registration."""

from __future__ import annotations

from functools import cache

from mlopsgen.components.base import Binding, Component, Site, total
from mlopsgen.discovery import modules
from mlopsgen.spec.workload import WorkloadSpec


@cache
def components() -> tuple[Component, ...]:
    """One of each component, in the order of their modules' names."""
    return tuple(
        kind()
        for module in modules(__name__, __path__[0])
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, Component)
        and kind.__module__ == module.__name__
        and kind is not Component
    )


def bind(site: Site, workload: WorkloadSpec, stack: str) -> Binding:
    """Everything that `workload` gets from all components because of what it names."""
    return total(*(component.bind(site, workload, stack) for component in components()))
