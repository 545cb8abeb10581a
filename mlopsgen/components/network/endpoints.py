"""Which of AWS's services tasks reach through endpoints, where there is no NAT."""

from __future__ import annotations

from mlopsgen.components.secrets.binding import service
from mlopsgen.model.site import Site
from mlopsgen.parts.network import vpc


def interface_services(site: Site) -> tuple[str, ...]:
    """What tasks call that has no gateway: images, logs, and what their secrets, volumes and instances need.

    Nothing where there is a NAT gateway, or the network is somebody else's. The list is ECS's own (Amazon ECS
    developer guide, "Amazon ECS interface VPC endpoints").
    """
    spec = vpc(site)
    if spec is None or spec.nat_gateways != "none":
        return ()
    secrets = {service(each) for workload in site.workloads for each in workload.spec.secrets.values()}
    needed = {"ecr.api", "ecr.dkr", "logs", *secrets}
    if secrets or site.owns_key:
        needed.add("kms")
    if any(workload.on_instances for workload in site.workloads):
        needed |= {"ecs", "ecs-agent", "ecs-telemetry"}
    volumes = {each.name for each in site.spec.volumes}
    if any(mount.name in volumes for workload in site.workloads for mount in workload.spec.volume_mounts):
        needed.add("elasticfilesystem")
    return tuple(sorted(needed))
