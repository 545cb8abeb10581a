"""What a workload needs to be watched: where its metrics go, and the right of ECS to write its log."""

from __future__ import annotations

from mlopsgen.model.binding import Binding
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.policies import arn


def bind(site: Site, workload: Workload) -> Binding:
    """Its metrics' namespace and its log group. Metrics stand in log lines, so the program needs no right."""
    group = arn("logs", f"log-group:{site.log_group(workload.name)}:*")
    return Binding(
        environment=(("METRICS_NAMESPACE", site.metrics_namespace),),
        execution_grants=(Grant(("logs:CreateLogStream", "logs:PutLogEvents"), (group,), "write logs"),),
        services=("logs",),
    )
