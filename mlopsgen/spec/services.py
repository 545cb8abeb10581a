"""`spec.services`: what answers requests."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import AbsolutePath, Arn, Cidr, Name, Spec
from mlopsgen.spec.quantities import Duration
from mlopsgen.spec.trainers import Cron, Timezone
from mlopsgen.spec.workload import WorkloadSpec


class HealthCheckSpec(Spec):
    """How the load balancer and ECS tell whether a task can serve."""

    path: AbsolutePath = "/health"
    """Answered with 200 when the task can serve."""

    interval: Duration = 15
    """Time between two checks, 5s to 300s."""

    timeout: Duration = 5
    """How long an answer may take; less than `interval`."""

    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    """Good answers in a row until a task gets traffic."""

    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 3
    """Bad answers in a row until a task is replaced."""

    start_period: Duration = 60
    """How long a new task may take before bad answers count; at most 300s."""


class ReplicasSpec(Spec):
    """How many tasks run."""

    min: Annotated[int, Field(ge=0, le=5000)] = 2
    """The fewest. Two or more survive the loss of a zone."""

    max: Annotated[int, Field(ge=1, le=5000)] | None = None
    """The most; without it, as many as `min`."""


class AutoscalingSpec(Spec):
    """A measure to hold near a target by starting and stopping tasks."""

    metric: Literal["cpu", "memory", "requestsPerTarget", "latency"]
    """`cpu` and `memory` in percent of the reservation, `requestsPerTarget` a minute, `latency` as the p95 in milliseconds."""

    target: Annotated[float, Field(gt=0)]
    """The value to hold, in the metric's unit."""

    scale_out_cooldown: Duration = 60
    """The least time between two steps up."""

    scale_in_cooldown: Duration = 300
    """The least time between two steps down."""


class ScheduledScalingSpec(Spec):
    """A change of the replicas by the clock."""

    name: Name
    """Its name, unique in the service."""

    cron: Cron
    """Five fields as in crontab: minute, hour, day of month, month, day of week."""

    timezone: Timezone = "UTC"
    """The time zone that `cron` is read in."""

    replicas: ReplicasSpec
    """The bounds from then on."""


class IngressSpec(Spec):
    """How requests reach the service: services with the same scheme share a load balancer."""

    scheme: Literal["internet-facing", "internal"] = "internal"
    """Who can reach the load balancer."""

    host: Annotated[str, Field(pattern=r"^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)+$", max_length=128)] | None = None
    """Only requests for this host name."""

    path: Annotated[str, Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=100)] = "/"
    """Only requests below this path."""

    certificate: Arn | None = None
    """An ACM certificate: the load balancer then speaks HTTPS and sends HTTP there."""

    allow_from: tuple[Cidr, ...] = ()
    """Ranges that may connect; by default everybody if `internet-facing`, the VPC if `internal`."""

    idle_timeout: Duration = 60
    """How long a connection may be silent, 1s to 4000s."""


class RollbackSpec(Spec):
    """What sends a deployment back to the version before it."""

    on_failure: bool = True
    """New tasks that do not become healthy (the deployment circuit breaker)."""

    on_alarms: bool = True
    """Errors or latency above the alarms' thresholds while the deployment runs."""


class DeploymentSpec(Spec):
    """How a new version takes over."""

    strategy: Literal["rolling", "blueGreen", "canary", "linear"] = "rolling"
    """`rolling` replaces tasks in turn; the others start the new version beside the old and move traffic all at once, in two steps, or in even steps. They need `ingress`."""

    percent: Annotated[int, Field(ge=1, le=99)] = 10
    """The share of traffic in the first step of `canary`, or in each step of `linear`."""

    step_time: Duration = 300
    """How long a step of `canary` or `linear` is watched."""

    bake_time: Duration = 600
    """How long the old version is kept after all traffic has moved, for all but `rolling`."""

    rollback: RollbackSpec = Field(default_factory=RollbackSpec)
    """What sends a deployment back."""


class ServiceSpec(WorkloadSpec):
    """A container that answers requests, in as many copies as needed."""

    serves: Name | None = None
    """The model that it loads."""

    port: Annotated[int, Field(ge=1024, le=65535)] = 8080
    """The port that it listens on."""

    health_check: HealthCheckSpec = Field(default_factory=HealthCheckSpec)
    """How to tell that a task can serve."""

    replicas: ReplicasSpec = Field(default_factory=ReplicasSpec)
    """How many tasks run."""

    autoscaling: tuple[AutoscalingSpec, ...] = ()
    """Measures to hold between `replicas.min` and `replicas.max`."""

    scheduled_scaling: tuple[ScheduledScalingSpec, ...] = ()
    """Changes of the replicas by the clock."""

    ingress: IngressSpec | None = None
    """How requests reach it; without one, only other tasks in the network can."""

    deployment: DeploymentSpec = Field(default_factory=DeploymentSpec)
    """How a new version takes over."""
