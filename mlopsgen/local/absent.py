"""What the pipeline has on AWS and a laptop has not, said once at the start of a run."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload


def absent(site: Site) -> Iterator[str]:
    """A sentence for each, in the order of the spec's sections."""
    for pool in site.pools:
        if pool.spec.ec2 and pool.users:
            yield f"pool {pool.name}, {' or '.join(pool.spec.ec2.instance_types)}: all runs on this machine"
    mounted = {each.name for workload in site.workloads for each in workload.spec.volume_mounts}
    if mounted:
        yield (
            f"volume {', '.join(sorted(mounted))}: a folder; `env`, `command` and `args` that name its path "
            "are pointed there, what stands in a program's own code needs --containers"
        )
    for balancer in site.balancers:
        if balancer.secure:
            yield f"HTTPS of balancer {balancer.name}: plain HTTP"
    for queue in site.spec.queues:
        if queue.existing:
            yield f"queue {queue.name} of {queue.existing.arn}: nothing makes it here"
    for workload in site.workloads:
        yield from _of(workload)
    yield "alarms and dashboards"


def _of(workload: Workload) -> Iterator[str]:
    name, spec = workload.name, workload.spec
    if gpu := spec.resources.gpu:
        yield f"{gpu} GPU{'s' * (gpu > 1)} of {name}: as many as programs find on this machine"
    if workload.scales:
        replicas = workload.replicas
        least = max(replicas.min, replicas.metrics.backlog is not None) if replicas else 1
        yield f"scaling of {name}: {least} all the time"
    if workload.shifts:
        yield f"{workload.strategy} deployment of {name}: rolling"
    if len(workload.ports) > 1:
        others = ", ".join(f"{each.port} ({each.name})" for each in workload.ports[1:])
        yield f"an address for each task of {name}: one task alone, since port {others} cannot be moved"
    if spec.egress:
        yield f"egress of {name}: what this machine reaches"
    for route in workload.routes:
        if route.port.app_protocol not in ("http", "http2"):
            yield f"route {route.name} of {name}: {route.port.app_protocol} has no balancer here"
    if isinstance(spec, JobSpec):
        for each in spec.triggers:
            yield f"trigger {each.name} of {name}: by hand, with `mlopsgen local trigger {each.name}`"
