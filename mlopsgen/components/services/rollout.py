"""How a new version of a service takes over: in which steps, and what sends it back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from troposphere import Ref, cloudwatch, ecs

from mlopsgen.components.services.routing import targets_of
from mlopsgen.components.services.spec import ServiceSpec
from mlopsgen.language.values import MINUTE
from mlopsgen.model.plan import Declaration, Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.model.workload import Route, Workload
from mlopsgen.parts import metrics
from mlopsgen.parts.alarms import Setting, limit, setting
from mlopsgen.parts.balancers import balancer_name, listener_arn, listener_rules
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import Role, declare_role, trust_service
from mlopsgen.parts.service import rolling

ERROR_RATE, LATENCY = "ErrorRateAlarm", "LatencyAlarm"

STRATEGIES = {"blueGreen": "BLUE_GREEN", "canary": "CANARY", "linear": "LINEAR"}


class Watch(NamedTuple):
    """What is watched of what callers of a service see, and what of it sends a deployment back."""

    error_rate: Setting | None = None
    latency: Setting | None = None
    returns: tuple[str, ...] = ()
    """Logical ids of alarms."""


def watch(site: Site, service: Workload) -> Watch:
    """What is watched of the routes of a service; nothing without one.

    A model may take longer than the default for latency, so that alarm sends a deployment back only where the
    service sets it itself.
    """
    spec = service_spec(service)
    if not service.routes:
        return Watch()
    error_rate, latency = setting(site, service, "error_rate"), setting(site, service, "latency")
    kinds = [ERROR_RATE] if error_rate else []
    if latency and spec.alarms.latency.model_fields_set:
        kinds.append(LATENCY)
    if spec.deployment.rollback.on_alarms is False:
        kinds = []
    returns = (_alarm_id(route, kind) for kind in kinds for route in service.routes)
    return Watch(error_rate, latency, tuple(returns))


def _subject(service: Workload, route: Route) -> str:
    return service.name if len(service.routes) == 1 else f"route {route.name} of {service.name}"


def _alarm_id(route: Route, kind: str) -> str:
    return f"{route.logical_id}{kind}"


def service_spec(service: Workload) -> ServiceSpec:
    """The spec of a workload that is a service."""
    assert isinstance(service.spec, ServiceSpec)
    return service.spec


def deployment(service: Workload, watched: Watch) -> ecs.DeploymentConfiguration:
    """The steps of a deployment, and what sends it back."""
    spec = service_spec(service).deployment
    if service.strategy == "rolling":
        configuration = rolling(service, on_failure=spec.rollback.on_failure)
    else:
        configuration = _shifting(service)
    if watched.returns:
        configuration.Alarms = ecs.DeploymentAlarms(
            AlarmNames=[Ref(name) for name in watched.returns], Enable=True, Rollback=True
        )
    return configuration


def _shifting(service: Workload) -> ecs.DeploymentConfiguration:
    spec = service_spec(service).deployment
    minimum, maximum = service.room
    shift = spec.canary or spec.linear
    steps: dict[str, Body] = {}
    if shift:
        share, minutes = metrics.plain_number(shift.share), shift.step_time // MINUTE
        if spec.canary:
            steps["CanaryConfiguration"] = ecs.CanaryConfiguration(
                CanaryPercent=share, CanaryBakeTimeInMinutes=minutes
            )
        else:
            steps["LinearConfiguration"] = ecs.LinearConfiguration(
                StepPercent=share, StepBakeTimeInMinutes=minutes
            )
    kept = shift or spec.blue_green
    assert kept is not None
    return ecs.DeploymentConfiguration(
        Strategy=STRATEGIES[service.strategy],
        MinimumHealthyPercent=minimum,
        MaximumPercent=maximum,
        BakeTimeInMinutes=kept.bake_time // MINUTE,
        **steps,
    )


def route_alarms(site: Site, service: Workload, watched: Watch) -> Iterator[tuple[cloudwatch.Alarm, Setting]]:
    """Errors and latency as callers see them, of each route: an alarm can look at ten metrics and no more
    (Amazon CloudWatch user guide, "CloudWatch service quotas").

    They name the load balancer's dimensions: the service's own would make it wait for its own alarm.
    """
    for route in service.routes:
        if watched.error_rate:
            yield _error_rate(site, service, route, watched.error_rate), watched.error_rate
        if watched.latency:
            yield _latency(service, route, watched.latency), watched.latency


def _error_rate(site: Site, service: Workload, route: Route, found: Setting) -> cloudwatch.Alarm:
    """5xx of the program, and of the load balancer in its place, in percent of all requests.

    Elastic Load Balancing counts its own 5xx for a whole load balancer (its user guide, "CloudWatch metrics
    for your Application Load Balancer"). Where services share one, a neighbour's would ring here and send
    back a sound deployment, so there the connections that failed count, which it knows of each target group.
    """
    behind, balancer = targets_of(route), route.spec.load_balancer
    errors = metrics.over_targets("HTTPCode_Target_5XX_Count", "Sum", behind, "e")
    requests = metrics.over_targets("RequestCount", "Sum", behind, "r")
    if site.balancer(balancer).users == (service.name,):
        whole = (("LoadBalancer", balancer_name(balancer)),)
        unanswered = [metrics.query("b1", metrics.BALANCERS, "HTTPCode_ELB_5XX_Count", whole, "Sum")]
        # A request for which there was no task is counted there alone.
        total = metrics.added([*requests, *unanswered])
    else:
        unanswered = metrics.over_targets("TargetConnectionErrorCount", "Sum", behind, "c")
        total = metrics.added(requests)
    failed = metrics.added([*errors, *unanswered])
    rate = f"IF({total} > 0, 100 * ({failed}) / ({total}), 0)"
    return metrics.alarm(
        _alarm_id(route, ERROR_RATE),
        f"{_subject(service, route)} answers {limit(found.alarm, '%')} of requests with 5xx",
        found.alarm,
        [*errors, *requests, *unanswered, metrics.expression("rate", rate, "5xx in percent")],
    )


def _latency(service: Workload, route: Route, found: Setting) -> cloudwatch.Alarm:
    times = metrics.over_targets("TargetResponseTime", "p99", targets_of(route), "t")
    worst = f"MAX([{', '.join(metrics.names(times))}])"
    alarm = found.alarm
    return metrics.alarm(
        _alarm_id(route, LATENCY),
        f"The slowest hundredth of answers of {_subject(service, route)} takes {limit(alarm, ' ms')}",
        alarm._replace(above=_seconds(alarm.above), below=_seconds(alarm.below)),
        [*times, metrics.expression("worst", worst, "p99 in seconds")],
    )


def _seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def declare_infrastructure_role(scope: Scope, service: Workload) -> tuple[Declaration, ...]:
    """The role with which ECS moves traffic between target groups; nothing if it does not."""
    if not service.shifts:
        return ()
    groups = tuple(Ref(group) for route in service.routes for group in route.target_groups)
    rules = tuple(Ref(rule.logical_id) for route in service.routes for rule in listener_rules(service, route))
    balancers = sorted({route.spec.load_balancer for route in service.routes})
    return declare_role(
        scope.at("deployment"),
        Role(
            logical_id="InfrastructureRole",
            name=f"{service.name}: ECS, to move traffic",
            kind="service",
            trust=trust_service("ecs.amazonaws.com", scope.site),
            grants=(
                Grant(
                    ("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"),
                    groups,
                    "register tasks",
                ),
                Grant(
                    ("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"),
                    (*rules, *(listener_arn(each) for each in balancers)),
                    "move traffic",
                ),
                Grant(
                    (
                        "elasticloadbalancing:DescribeListeners",
                        "elasticloadbalancing:DescribeRules",
                        "elasticloadbalancing:DescribeTargetGroups",
                        "elasticloadbalancing:DescribeTargetHealth",
                    ),
                    ("*",),
                    "see the load balancer",
                    reason="Elastic Load Balancing's Describe actions know no resources",
                ),
            ),
            description=f"Lets ECS move the traffic of {service.name} to a new version",
        ),
    )
