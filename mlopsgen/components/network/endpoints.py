"""Which of AWS's services tasks reach through endpoints, where there is no NAT."""

from __future__ import annotations

from mlopsgen.model.binding import Bindings
from mlopsgen.model.site import Site
from mlopsgen.parts.network import vpc


def interface_services(site: Site, bindings: Bindings) -> tuple[str, ...]:
    """What workloads call that has no gateway, and what their key and instances need.

    Nothing where there is a NAT gateway, or the network is somebody else's. What instances need is ECS's own
    list (Amazon ECS developer guide, "Amazon ECS interface VPC endpoints").
    """
    spec = vpc(site)
    if spec is None or spec.nat_gateways != "none":
        return ()
    needed = {service for binding in bindings.values() for service in binding.services}
    if needed and site.owns_key:
        needed.add("kms")
    if any(workload.on_instances for workload in site.workloads):
        needed |= {"ecs", "ecs-agent", "ecs-telemetry"}
    return tuple(sorted(needed))
