"""Alarms of workloads: what is set for each, and those of everything that runs for ever."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from troposphere import cloudwatch

from mlopsgen.components.monitoring.spec import AlarmSpec
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Spec, camel
from mlopsgen.model.alarms import DEFAULT_ALARMS, Alarm, merged
from mlopsgen.model.plan import Declaration, FlowEdge
from mlopsgen.model.site import Site
from mlopsgen.model.values import Named
from mlopsgen.model.workload import Workload
from mlopsgen.parts import metrics
from mlopsgen.parts.resource import Scope, resource


class Setting(NamedTuple):
    """An alarm of a workload, and where it is set."""

    alarm: Alarm
    origin: SpecPath


def setting(site: Site, workload: Workload, name: str) -> Setting | None:
    """How the alarm `name` of a workload is set, by itself, for its kind or by default; None if it is off."""
    return setting_of(site, workload.kind.section, workload.spec.alarms, workload.origin, name)


def setting_of(site: Site, section: str, alarms: Spec, origin: SpecPath, name: str) -> Setting | None:
    """The same of anything that has `alarms`, at its place `origin` in the spec."""
    own: AlarmSpec = getattr(alarms, name)
    base: AlarmSpec = getattr(getattr(site.spec.monitoring.alarms, section), name)
    found = merged(own, base, DEFAULT_ALARMS[section][name])
    if not found.enabled:
        return None
    written = own.model_fields_set
    start = (*origin, "alarms") if written else ("spec", "monitoring", "alarms", section)
    return Setting(found, (*start, camel(name)))


def counts_tasks(site: Site) -> bool:
    """Whether CloudWatch knows how many tasks are wanted and run: Container Insights tells it."""
    return site.spec.monitoring.container_insights != "disabled"


def declare_alarms(
    scope: Scope, workload: Workload, alarms: Iterator[tuple[cloudwatch.Alarm, Setting]]
) -> Iterator[Declaration]:
    """The alarms, each at the place that sets it, and the arrow to whoever hears of them."""
    found = tuple(alarms)
    yield from (resource(scope.stack, body, each.origin) for body, each in found)
    if found:
        yield FlowEdge(workload.name, "topic:alarms", "alarms")


def usage_alarms(site: Site, workload: Workload) -> Iterator[tuple[cloudwatch.Alarm, Setting]]:
    """On what the tasks of an ECS service use, and on tasks that are missing."""
    service = Named(workload.stack, workload.name)
    own = (("ClusterName", site.cluster), ("ServiceName", service))
    for name, metric in (("cpu", "CPUUtilization"), ("memory", "MemoryUtilization")):
        if found := setting(site, workload, name):
            yield (
                metrics.alarm(
                    f"{name.capitalize()}Alarm",
                    f"{workload.name} uses {limit(found.alarm, '%')} of its {name}",
                    found.alarm,
                    # ECS reports every minute while a task runs; without any, MissingTasksAlarm speaks.
                    [metrics.query("used", "AWS/ECS", metric, own, "Average", returns=True)],
                ),
                found,
            )
    found = setting(site, workload, "missing_tasks")
    if found and counts_tasks(site):
        wanted, running = (
            metrics.query(word, "ECS/ContainerInsights", metric, own, "Average")
            for word, metric in (("wanted", "DesiredTaskCount"), ("running", "RunningTaskCount"))
        )
        missing = metrics.expression("missing", "wanted - FILL(running, 0)", "Missing tasks")
        yield (
            metrics.alarm(
                "MissingTasksAlarm",
                f"Fewer tasks of {workload.name} run than are wanted",
                found.alarm,
                [wanted, running, missing],
                threshold=0,
            ),
            found,
        )


def limit(alarm: Alarm, unit: str) -> str:
    """What an alarm rings at, in words: `more than 80%`."""
    if alarm.above is not None:
        return f"more than {alarm.above:g}{unit}"
    return f"less than {alarm.below:g}{unit}"
