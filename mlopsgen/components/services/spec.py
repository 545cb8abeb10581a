"""`spec.services`: containers that answer requests."""

from typing import Annotated

from pydantic import Field

from mlopsgen.components.monitoring.spec import ServiceAlarmsSpec
from mlopsgen.components.workloads.spec import (
    HealthCheckSpec,
    PortSpec,
    ReplicasSpec,
    RollingSpec,
    WorkloadSpec,
)
from mlopsgen.language.base import Choice, Either, Implied, Item, Name, NotYet, Spec
from mlopsgen.language.values import Duration, HostName, Percent, RequestPath


class RouteSpec(Item):
    """A way in from a load balancer: which requests reach which port."""

    load_balancer: Name = "internal"
    """The balancer."""

    hosts: tuple[HostName, ...] = ()
    """By default every host; `*.example.com` too; the longest match wins."""

    paths: Annotated[tuple[RequestPath, ...], Field(min_length=1)] = ("/",)
    """And all below each. The program sees the whole path; where there is one alone, `BASE_PATH` says which."""

    port: Name | None = None
    """Of any container of the task, by default the main one."""

    strip_path: NotYet = None
    """The program sees paths without theirs; else, with one path, it is told (`BASE_PATH`)."""

    headers: NotYet = None
    """Only requests with them."""

    allow_from: NotYet = None
    """Ranges alone, inside the balancer's."""

    login: NotYet = None
    """Who may use it: `oidc`, `cognito` or `jwt`."""

    split: NotYet = None
    """Shares for other services, of what comes by this route; the rest is its own, until it is changed."""

    stickiness: NotYet = None
    """A cookie of the balancer; Streamlit and Gradio need it from two tasks on."""

    drain_timeout: NotYet = None
    """How long a task that goes may still answer, by default `stopTimeout`."""

    priority: Annotated[int, Field(ge=1, le=50000)] | None = None
    """By default stable: by what it matches, then by the names of service and route. Neighbours never move it; should two come to the same number, an error asks for it here."""

    health_check: NotYet = None
    """Of this route's target group, by default the workload's."""

    listener_port: NotYet = None
    """On a network balancer, which takes no `hosts`, `paths` and `login`; by default `port`."""


class BlueGreenSpec(Spec):
    """Old and new side by side, all traffic at once."""

    bake_time: Duration = 600
    """How long the old version is kept afterwards."""


class ShiftSpec(Spec):
    """Old and new side by side, and traffic in steps. The sum of all times is at most 33h."""

    share: Percent = 10
    """The first step of `canary` (0.1% to 99.9%), or each step of `linear` (from 3%)."""

    step_time: Duration = 300
    """How long a step is watched, in whole minutes."""

    bake_time: Duration = 600
    """How long the old version is kept afterwards, in whole minutes."""

    @property
    def waits(self) -> int:
        """How often `linear` waits: not after the step that completes it."""
        return -(-1000 // round(self.share * 10)) - 1


class RollbackSpec(Spec):
    """What sends a deployment back to the version before it."""

    on_failure: bool = True
    """Tasks that do not become healthy. ECS does it for `rolling` alone; with the others the version before goes on answering until a person stops the deployment (docs/deploying.md)."""

    on_alarms: bool | None = None
    """`errorRate`; and `latency` where the service's own `alarms.latency` stands, since a model may take longer than the default. By default `true` with a route, else `false`; refused when it is written and there is neither."""

    alarms: NotYet = None
    """Further ones, of `monitoring.ownAlarms`."""


class DeploymentSpec(Either):
    """How a new version takes over."""

    rolling: Annotated[RollingSpec | None, Choice(default=True)] = None
    """New tasks take the place of old ones in turn."""

    blue_green: Annotated[BlueGreenSpec | None, Choice()] = None
    """Old and new side by side, all traffic at once. Needs a route."""

    canary: Annotated[ShiftSpec | None, Choice()] = None
    """In two steps. Needs a route."""

    linear: Annotated[ShiftSpec | None, Choice()] = None
    """In even steps. Needs a route."""

    rollback: RollbackSpec = Field(default_factory=RollbackSpec)
    """What sends a deployment back."""

    @property
    def shift_seconds(self) -> int:
        """How long traffic takes to move, and the old version is kept afterwards; 0 for `rolling`."""
        shift = self.canary or self.linear
        if shift is None:
            return self.blue_green.bake_time if self.blue_green else 0
        return (1 if self.canary else shift.waits) * shift.step_time + shift.bake_time


def _ports() -> tuple[PortSpec, ...]:
    return (PortSpec(name="http", port=8080),)


class ServiceSpec(WorkloadSpec):
    """A container that answers requests, in as many copies as needed."""

    ports: Annotated[tuple[PortSpec, ...], Implied(("http",)), Field(min_length=1)] = Field(
        default_factory=_ports
    )
    """The ports that it listens on. The first is the main one (`PORT`)."""

    health_check: HealthCheckSpec = Field(default_factory=HealthCheckSpec)
    """How to tell whether a task is well."""

    stop_timeout: Duration = 30
    """Time between SIGTERM and SIGKILL, at most 120s."""

    replicas: ReplicasSpec = Field(default_factory=ReplicasSpec)
    """How many tasks run."""

    ingress: tuple[RouteSpec, ...] = ()
    """Ways in from load balancers. Without one only `calls` reach it."""

    deployment: DeploymentSpec = Field(default_factory=DeploymentSpec)
    """How a new version takes over."""

    alarms: ServiceAlarmsSpec = Field(default_factory=ServiceAlarmsSpec)
    """Its own, before `monitoring.alarms.services`, key by key."""
