"""What a workload gets because of its `permissions`: those rights, and room for them in the boundary."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.workloads.spec import PermissionSpec
from mlopsgen.model.binding import Binding, Contribution
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site, by_name
from mlopsgen.model.workload import Workload


def bind(site: Site, workload: Workload) -> Binding:
    """Each permission as it stands, for the program alone."""
    grants = tuple(_grants(by_name(workload.spec.permissions)))
    return Binding(
        grants=grants,
        contributions=tuple(Contribution("boundary", each) for each in grants),
    )


def _grants(permissions: tuple[PermissionSpec, ...]) -> Iterator[Grant]:
    for each in permissions:
        yield Grant(each.actions, each.resources, f"permission {each.name}", reason=each.reason)
