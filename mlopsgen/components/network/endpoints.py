"""Which of AWS's services tasks reach through endpoints, where there is no NAT."""

from __future__ import annotations

from mlopsgen.model.binding import Bindings
from mlopsgen.model.site import Site
from mlopsgen.parts.network import vpc

S3 = "s3"
"""S3 by an interface, beside its gateway: the addresses behind the gateway are the internet's, which a group
without a way there keeps its tasks from. With layers of images, every task needs it."""


def interface_services(site: Site, bindings: Bindings) -> tuple[str, ...]:
    """What workloads call that has no gateway, and what their key and instances need.

    Behind NAT that is what those call which reach nothing else; nothing where the network is somebody else's.
    What instances need is ECS's own list (Amazon ECS developer guide, "Amazon ECS interface VPC endpoints").
    """
    spec = vpc(site)
    if spec is None:
        return ()
    alone = spec.nat_gateways == "none"
    reach = [each for each in site.workloads if alone or each.enclosed]
    needed = {service for each in reach for service in bindings[each.name].services}
    if needed and site.owns_key:
        needed.add("kms")
    if any(each.enclosed for each in reach):
        needed.add(S3)
    if alone and any(workload.on_instances for workload in site.workloads):
        needed |= {"ecs", "ecs-agent", "ecs-telemetry"}
    return tuple(sorted(needed))
