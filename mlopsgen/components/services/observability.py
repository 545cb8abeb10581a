"""What is watched of each service: its alarms, and a dashboard from its callers down to its models."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import cloudwatch

from mlopsgen.language.values import MINUTE
from mlopsgen.model.plan import Declaration, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Published
from mlopsgen.model.workload import Workload
from mlopsgen.parts import metrics
from mlopsgen.parts.alarms import Setting, declare_alarms, setting, usage_alarms
from mlopsgen.parts.balancers import balancer_name, target_group_names
from mlopsgen.parts.dashboard import HEIGHT, WIDTH, Line, dashboard, placeholder, usage_widgets, widget
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.task import phase_of

MEASURES = ("labels", "confidence", "tokens", "unknown")
"""Of drift, as docs/contracts.md names them."""

# By custom of the population stability index; drawn as the horizontal annotation of a metric widget
# (Amazon CloudWatch user guide, "Dashboard body structure and syntax").
MUCH_DRIFT: Body = {"horizontal": [{"label": "much", "value": 0.25}]}


def declare_observability(site: Site, service: Workload) -> Iterator[Declaration]:
    """A stack of its own; what sends a deployment back lives with the service itself."""
    stack = f"observability-{service.name}"
    yield StackDescription(stack, f"what is watched of service {service.name}", phase_of(site, service))
    scope = Scope(site, stack, ("spec", "monitoring", "dashboards"))
    yield from declare_alarms(scope, service, _alarms(site, service))
    if site.spec.monitoring.dashboards.enabled:
        rows, references = _widgets(site, service), [each for pair in _targets(service) for each in pair]
        body = dashboard(site.family(service.name), rows, dict.fromkeys(references))
        yield scope.resource(body)


def _targets(service: Workload) -> list[tuple[Published, Published]]:
    """All target groups of the service with their load balancers, as metrics in other stacks name them."""
    return [
        (balancer_name(route.spec.load_balancer), group)
        for route in service.routes
        for group in target_group_names(service, route)
    ]


def _alarms(site: Site, service: Workload) -> Iterator[tuple[cloudwatch.Alarm, Setting]]:
    yield from usage_alarms(site, service)
    found = setting(site, service, "unhealthy_tasks")
    if found and service.routes:
        unhealthy = metrics.over_targets("UnHealthyHostCount", "Maximum", _targets(service), "u")
        sick = metrics.expression("unhealthy", metrics.added(unhealthy), "Unhealthy tasks")
        yield (
            metrics.alarm(
                "UnhealthyTasksAlarm",
                f"Tasks of {service.name} fail the load balancer's health check",
                found.alarm,
                [*unhealthy, sick],
                threshold=0,
            ),
            found,
        )


def _widgets(site: Site, service: Workload) -> Iterator[dict[str, Body]]:
    """From the callers down: traffic, errors, latency; CPU, memory, tasks; and what the program says."""
    row = 0
    if service.routes:
        yield from _traffic(service)
        row += HEIGHT
    yield from usage_widgets(site.cluster, service.name, row)
    for model in sorted(service.spec.loads):
        yield from _model_widgets(site, model, row + HEIGHT)
        row += 2 * HEIGHT


def _traffic(service: Workload) -> Iterator[dict[str, Body]]:
    def lines(metric: str, stat: str, label: str) -> list[Line]:
        return [
            [
                metrics.BALANCERS,
                metric,
                "LoadBalancer",
                placeholder(balancer),
                "TargetGroup",
                placeholder(group),
                {"stat": stat, "label": label},
            ]
            for balancer, group in _targets(service)
        ]

    yield widget("Requests a minute", lines("RequestCount", "Sum", "requests"), (0, 0))
    errors = [
        *lines("HTTPCode_Target_5XX_Count", "Sum", "5xx"),
        *lines("HTTPCode_Target_4XX_Count", "Sum", "4xx"),
        *lines("TargetConnectionErrorCount", "Sum", "no connection"),
    ]
    yield widget("Errors a minute", errors, (WIDTH, 0))
    latency = [line for stat in ("p50", "p95", "p99") for line in lines("TargetResponseTime", stat, stat)]
    yield widget("Latency, seconds", latency, (2 * WIDTH, 0))


def _model_widgets(site: Site, model: str, row: int) -> Iterator[dict[str, Body]]:
    """What the program measures itself, as docs/contracts.md names it."""
    space = site.metrics_namespace

    def lines(metric: str, *stats: str) -> list[Line]:
        return [[space, metric, "Model", model, {"stat": stat, "label": stat}] for stat in stats]

    yield widget("Prediction time, ms", lines("PredictionLatency", "p50", "p99"), (0, row))
    yield widget("Waiting requests", lines("QueueDepth", "Average", "Maximum"), (WIDTH, row))
    yield widget("Confidence", lines("Confidence", "Average", "p10"), (2 * WIDTH, row))
    # Which labels there are, only the model knows.
    wanted = f'{{"{space}",Label,Model}} MetricName="PredictionShare" Model="{model}"'
    search = f"SEARCH('{wanted}', 'Average', {5 * MINUTE})"
    # `${!` is Fn::Sub's way to leave `${` to CloudWatch.
    shares = [[{"expression": search, "id": "shares", "label": "${!PROP('Dim.Label')}"}]]
    yield widget("Share of each label", shares, (0, row + HEIGHT), yAxis={"left": {"min": 0, "max": 1}})
    drift: list[Line] = [
        [space, "Drift", "Measure", each, "Model", model, {"stat": "Maximum", "label": each}]
        for each in MEASURES
    ]
    yield widget("Drift from the test texts", drift, (WIDTH, row + HEIGHT), annotations=MUCH_DRIFT)
