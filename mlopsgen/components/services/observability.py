"""What is watched of each service: its alarms, and a dashboard from its callers down to its model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from troposphere import Ref, Sub, cloudwatch

from mlopsgen.components.base import Component, Site
from mlopsgen.components.services import group_key, target_groups
from mlopsgen.components.wiring import TOPIC_ARN, take
from mlopsgen.ecs import metrics
from mlopsgen.ecs.load_balancer import key
from mlopsgen.plan import Edge, Part, Resource
from mlopsgen.spec.services import ServiceSpec

ALARMS = ("spec", "monitoring", "alarms")
PARAMETERS = {"TargetGroup": "TargetGroupFullName", "AlternateTargetGroup": "AlternateTargetGroupFullName"}


def stack_of(service: ServiceSpec) -> str:
    """The stack of what is watched of one service."""
    return f"observability-{service.name}"


class Observability(Component):
    """One stack for each service; what makes a deployment roll back lives with the service itself."""

    def declare(self, site: Site) -> Iterator[Part]:
        for service in site.services:
            yield from _targets(site, service)
            yield from _alarms(site, service)
            if site.spec.monitoring.dashboard:
                yield _dashboard(site, service)


def _targets(site: Site, service: ServiceSpec) -> Iterator[Part]:
    """The names that the load balancer's metrics go by."""
    spec = site.spec.monitoring
    if not service.ingress or not (spec.dashboard or spec.alarms.unhealthy_tasks):
        return
    stack, scheme = stack_of(service), service.ingress.scheme
    what = "The load balancer, as metrics name it"
    yield take(site, stack, "LoadBalancerFullName", key(scheme, "load-balancer-full-name"), "String", what)[1]
    for group in target_groups(service):
        what = "A target group, as metrics name it"
        yield take(site, stack, PARAMETERS[group], group_key(service, group), "String", what)[1]


def _alarms(site: Site, service: ServiceSpec) -> Iterator[Part]:
    stack = stack_of(service)
    topic, parameter = take(site, stack, "TopicArn", TOPIC_ARN, "String", "Who hears of alarms")
    found = list(_alarm_bodies(site, service, topic))
    if found:
        yield parameter
        yield Edge(service.name, "topic:alarms", "alarms")
    yield from (Resource(stack, body.title, body, (*ALARMS, word)) for body, word in found)


def _alarm_bodies(site: Site, service: ServiceSpec, topic: Ref) -> Iterator[tuple[cloudwatch.Alarm, str]]:
    """Each alarm with the word of the spec that sets it."""
    spec = site.spec.monitoring.alarms
    own = (("ClusterName", site.cluster("serving")), ("ServiceName", service.name))
    for word, percent, name in (
        ("cpu", spec.cpu, "CPUUtilization"),
        ("memory", spec.memory, "MemoryUtilization"),
    ):
        if percent is not None:
            yield (
                metrics.alarm(
                    f"{word.capitalize()}Alarm",
                    f"{service.name} uses more than {percent:g}% of its {word}",
                    topic=topic,
                    threshold=percent,
                    periods=5,
                    # ECS reports every minute while a task runs; without any, MissingTasksAlarm speaks.
                    queries=[metrics.query("used", "AWS/ECS", name, own, "Average", returns=True)],
                ),
                word,
            )
    if spec.unhealthy_tasks and service.ingress:
        groups = [Ref(PARAMETERS[group]) for group in target_groups(service)]
        unhealthy = metrics.over_targets(
            "UnHealthyHostCount", "Maximum", Ref("LoadBalancerFullName"), groups, prefix="u"
        )
        sick = metrics.expression("unhealthy", metrics.added(unhealthy), "Unhealthy tasks")
        yield (
            metrics.alarm(
                "UnhealthyTasksAlarm",
                f"Tasks of {service.name} fail the load balancer's health check",
                topic=topic,
                threshold=0,
                periods=5,
                queries=[*unhealthy, sick],
            ),
            "unhealthyTasks",
        )
    if spec.missing_tasks and site.spec.monitoring.container_insights != "disabled":
        wanted, running = (
            metrics.query(word, "ECS/ContainerInsights", name, own, "Average")
            for word, name in (("wanted", "DesiredTaskCount"), ("running", "RunningTaskCount"))
        )
        yield (
            metrics.alarm(
                "MissingTasksAlarm",
                f"Fewer tasks of {service.name} run than are wanted",
                topic=topic,
                threshold=0,
                periods=10,
                queries=[
                    wanted,
                    running,
                    metrics.expression("missing", "wanted - FILL(running, 0)", "Missing tasks"),
                ],
            ),
            "missingTasks",
        )


def _dashboard(site: Site, service: ServiceSpec) -> Resource:
    body = cloudwatch.Dashboard(
        "Dashboard",
        DashboardName=site.family(service.name),
        DashboardBody=Sub(json.dumps({"widgets": list(_widgets(site, service))}, sort_keys=True, indent=1)),
    )
    return Resource(stack_of(service), "Dashboard", body, ("spec", "monitoring", "dashboard"))


def _widgets(site: Site, service: ServiceSpec) -> Iterator[dict[str, Any]]:
    """From the callers down: traffic, errors, latency; CPU, memory, tasks; and what the program says."""
    row = 0
    if service.ingress:
        groups = [f"${{{PARAMETERS[group]}}}" for group in target_groups(service)]

        def targets(name: str, stat: str, label: str) -> list[Any]:
            return [
                [
                    "AWS/ApplicationELB",
                    name,
                    "LoadBalancer",
                    "${LoadBalancerFullName}",
                    "TargetGroup",
                    group,
                    {"stat": stat, "label": label},
                ]
                for group in groups
            ]

        yield metrics.widget("Requests a minute", targets("RequestCount", "Sum", "requests"), (0, row))
        errors = [
            *targets("HTTPCode_Target_5XX_Count", "Sum", "5xx"),
            *targets("HTTPCode_Target_4XX_Count", "Sum", "4xx"),
        ]
        yield metrics.widget("Errors a minute", errors, (8, row))
        latency = [
            line for stat in ("p50", "p95", "p99") for line in targets("TargetResponseTime", stat, stat)
        ]
        yield metrics.widget("Latency, seconds", latency, (16, row))
        row += 6
    own = ["ClusterName", site.cluster("serving"), "ServiceName", service.name]
    for column, name, title in ((0, "CPUUtilization", "CPU, %"), (8, "MemoryUtilization", "Memory, %")):
        lines = [["AWS/ECS", name, *own, {"stat": stat}] for stat in ("Average", "Maximum")]
        yield metrics.widget(title, lines, (column, row), yAxis={"left": {"min": 0, "max": 100}})
    counts = [
        ["ECS/ContainerInsights", name, *own, {"stat": "Average", "label": label}]
        for name, label in (("DesiredTaskCount", "wanted"), ("RunningTaskCount", "running"))
    ]
    yield metrics.widget("Tasks", counts, (16, row), yAxis={"left": {"min": 0}})
    if service.serves:
        yield from _model_widgets(site, service.serves, row + 6)


def _model_widgets(site: Site, model: str, row: int) -> Iterator[dict[str, Any]]:
    """What the program measures itself, as docs/contracts.md names it."""
    space = site.metrics_namespace

    def lines(name: str, *stats: str) -> list[Any]:
        return [[space, name, "Model", model, {"stat": stat, "label": stat}] for stat in stats]

    yield metrics.widget("Prediction time, ms", lines("PredictionLatency", "p50", "p99"), (0, row))
    yield metrics.widget("Waiting requests", lines("QueueDepth", "Average", "Maximum"), (8, row))
    yield metrics.widget("Confidence", lines("Confidence", "Average", "p10"), (16, row))
    # A drift shows here first; which labels there are, only the model knows.
    wanted = f'{{"{space}",Label,Model}} MetricName="PredictionShare" Model="{model}"'
    search = f"SEARCH('{wanted}', 'Average', {5 * metrics.MINUTE})"
    # `${!` is Fn::Sub's way to leave `${` to CloudWatch.
    shares = [[{"expression": search, "id": "shares", "label": "${!PROP('Dim.Label')}"}]]
    yield metrics.widget("Share of each label", shares, (0, row + 6), yAxis={"left": {"min": 0, "max": 1}})
