"""How many tasks of a service run, how versions follow each other, and what tells that they are well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.aws.instance_types import find
from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.source.node import Path
from mlopsgen.spec.quantities import write_duration
from mlopsgen.spec.services import ReplicasSpec, ServiceSpec

MINUTE = 60
LONGEST_STEP = 24 * 60
"""Minutes (Amazon ECS API reference, CanaryConfiguration, LinearConfiguration, DeploymentConfiguration)."""
LEAST_LINEAR = 3
"""Percent (Amazon ECS API reference, LinearConfiguration)."""
BALANCED = ("requestsPerTarget", "latency")


def services(scene: Scene) -> Iterator[tuple[Path, ServiceSpec]]:
    """Every service with its path."""
    for index, each in enumerate(scene.site.spec.services):
        yield ("spec", "services", index), each


def _replicas(scene: Scene) -> Iterator[tuple[Path, ReplicasSpec]]:
    for path, service in services(scene):
        yield (*path, "replicas"), service.replicas
        for index, each in enumerate(service.scheduled_scaling):
            yield (*path, "scheduledScaling", index, "replicas"), each.replicas


@rule("E340")
def fewest_above_most(scene: Scene) -> Iterable[Finding]:
    """The fewest replicas are not more than the most."""
    for path, replicas in _replicas(scene):
        if replicas.max is not None and replicas.min > replicas.max:
            yield Finding(
                (*path, "min"),
                f"min {replicas.min} is above max {replicas.max}",
                f"say `max: {replicas.min}` or more",
                (((*path, "max"), "the most"),),
            )


@rule("E341")
def autoscaling_targets(scene: Scene) -> Iterable[Finding]:
    """A target in percent lies below a hundred."""
    for path, service in services(scene):
        for index, each in enumerate(service.autoscaling):
            if each.metric in ("cpu", "memory") and each.target > 100:
                yield Finding(
                    (*path, "autoscaling", index, "target"),
                    f"{each.metric} is measured in percent: {each.target:g} is never reached",
                    "say 70 or so: what is left takes the load until new tasks are up",
                )


@rule("E212")
def measure_of_a_load_balancer(scene: Scene) -> Iterable[Finding]:
    """Requests and latency are measured by a load balancer."""
    for path, service in services(scene):
        for index, each in enumerate(service.autoscaling):
            if each.metric in BALANCED and not service.ingress:
                yield Finding(
                    (*path, "autoscaling", index, "metric"),
                    f"`{each.metric}` is measured by a load balancer, and `{service.name}` has none",
                    "give it `ingress`, or scale on `cpu` or `memory`",
                )


@rule("E213")
def measured_twice(scene: Scene) -> Iterable[Finding]:
    """A measure has one target."""
    for path, service in services(scene):
        seen: dict[str, int] = {}
        for index, each in enumerate(service.autoscaling):
            first = seen.setdefault(each.metric, index)
            if first != index:
                yield Finding(
                    (*path, "autoscaling", index, "metric"),
                    f"`{each.metric}` has two targets",
                    "keep one of them",
                    (((*path, "autoscaling", first, "metric"), "first given here"),),
                )


@rule("W340")
def nowhere_to_scale(scene: Scene) -> Iterable[Finding]:
    """Scaling needs room between the fewest and the most tasks, and a task to begin with."""
    for path, service in services(scene):
        replicas = service.replicas
        if not service.autoscaling:
            continue
        most = replicas.max if replicas.max is not None else replicas.min
        later = [each.replicas for each in service.scheduled_scaling]
        room = [each for each in (replicas, *later) if each.max is not None and each.max > each.min]
        if not room and most <= replicas.min:
            yield Finding(
                (*path, "autoscaling"),
                f"`{service.name}` always has {replicas.min} tasks: there is nothing to scale",
                f"say `replicas: {{min: {replicas.min}, max: {max(2 * replicas.min, 2)}}}`",
            )
        if replicas.min == 0 and most > 0 and not any(each.min for each in later):
            yield Finding(
                (*path, "replicas", "min"),
                f"`{service.name}` can come down to no task, and nothing measures its way up again",
                "say `min: 1`, or raise it by the clock with `scheduledScaling`",
            )


@rule("W346")
def bounds_without_scaling(scene: Scene) -> Iterable[Finding]:
    """What may grow has something that makes it grow."""
    for path, service in services(scene):
        replicas = service.replicas
        scaled = service.autoscaling or service.scheduled_scaling
        if not scaled and replicas.max is not None and replicas.max > replicas.min:
            yield Finding(
                (*path, "replicas", "max"),
                f"nothing scales `{service.name}`: it always has {replicas.min} tasks",
                "say what to hold, such as `autoscaling: [{metric: cpu, target: 70}]`",
            )


@rule("E342")
def health_check_times(scene: Scene) -> Iterable[Finding]:
    """ECS's and the load balancer's ranges, and an answer that is due before the next question."""
    for path, service in services(scene):
        check = service.health_check
        at = (*path, "healthCheck")
        for field, value, least, most in (
            ("interval", check.interval, 5, 300),
            ("timeout", check.timeout, 2, 120),
            ("startPeriod", check.start_period, 0, 300),
        ):
            if not least <= value <= most:
                near = min(max(value, least), most)
                message = f"{field} is {write_duration(value)}; AWS takes {least}s to {most}s"
                yield Finding((*at, field), message, f"say `{near}s`")
        if check.timeout >= check.interval:
            field = "timeout" if "timeout" in check.model_fields_set else "interval"
            yield Finding(
                (*at, field),
                f"an answer may take {write_duration(check.timeout)}, but the next check comes after "
                f"{write_duration(check.interval)}",
                "give `timeout` less than `interval`",
            )


@rule("E211")
def shift_without_balancer(scene: Scene) -> Iterable[Finding]:
    """Traffic moves from version to version behind a load balancer."""
    for path, service in services(scene):
        strategy = service.deployment.strategy
        if strategy != "rolling" and not service.ingress:
            yield Finding(
                (*path, "deployment", "strategy"),
                f"`{strategy}` moves traffic behind a load balancer, and `{service.name}` has none",
                "give it `ingress`, or take `strategy: rolling`",
            )


@rule("E344")
def deployment_steps(scene: Scene) -> Iterable[Finding]:
    """ECS watches each step of a deployment for whole minutes, a day at most."""
    for path, service in services(scene):
        spec, at = service.deployment, (*path, "deployment")
        if spec.strategy == "rolling":
            continue
        times = {"bakeTime": spec.bake_time}
        if spec.strategy in ("canary", "linear"):
            times["stepTime"] = spec.step_time
        for field, seconds in times.items():
            if seconds % MINUTE or seconds > LONGEST_STEP * MINUTE:
                near = min(max(round(seconds / MINUTE), 1), LONGEST_STEP)
                message = (
                    f"{field} is {write_duration(seconds)}; ECS takes whole minutes, up to {LONGEST_STEP}m"
                )
                yield Finding((*at, field), message, f"say `{near}m`")
        if spec.strategy == "linear" and spec.percent < LEAST_LINEAR:
            message = f"steps of {spec.percent}%; ECS takes {LEAST_LINEAR}% and more for `linear`"
            yield Finding((*at, "percent"), message, f"say `percent: {LEAST_LINEAR}`")


@rule("E346")
def more_tasks_than_instances_hold(scene: Scene) -> Iterable[Finding]:
    """The instances have room for the tasks that always run."""
    for path, service in services(scene):
        held, by = _held(service)
        if held is not None and service.replicas.min > held:
            yield Finding(
                (*path, "replicas", "min"),
                f"{service.replicas.min} tasks, but by their {by} the instances hold {held}",
                "raise `maxInstances`, or take a larger type",
                (((*path, "compute", "ec2"), "these instances"),),
            )


@rule("E348")
def no_room_for_two_versions(scene: Scene) -> Iterable[Finding]:
    """Where traffic is shifted, old and new tasks all run at once."""
    for path, service in services(scene):
        held, _ = _held(service)
        fewest, shifts = service.replicas.min, service.deployment.strategy != "rolling"
        if shifts and held is not None and fewest <= held < 2 * fewest:
            yield Finding(
                (*path, "deployment", "strategy"),
                f"`{service.deployment.strategy}` starts {fewest} new tasks beside the old ones, but the "
                f"instances hold {held}",
                "raise `maxInstances`, or take `strategy: rolling`",
                (((*path, "compute", "ec2"), "these instances"),),
            )


@rule("W341")
def scales_beyond_the_instances(scene: Scene) -> Iterable[Finding]:
    """The instances have room for the most tasks that scaling can ask for."""
    for path, service in services(scene):
        held, by = _held(service)
        most = service.replicas.max or 0
        if held is not None and service.replicas.min <= held < most:
            yield Finding(
                (*path, "replicas", "max"),
                f"up to {most} tasks, but by their {by} the instances hold {held}",
                "raise `maxInstances`, or lower `replicas.max`",
                (((*path, "compute", "ec2"), "these instances"),),
            )


def _held(service: ServiceSpec) -> tuple[int | None, str]:
    """How many of its tasks all its instances hold, None if that is not known, and what bounds it."""
    spec = service.compute.ec2
    kind = find(spec.instance_type) if spec else None
    if not spec or not kind:
        return None, ""
    bounds = {
        "CPU": kind.cpu // max(service.resources.cpu, 1),
        "memory": kind.usable_memory // service.resources.memory,
        "network interfaces": kind.tasks,
    }
    if service.resources.gpu:
        bounds["GPUs"] = kind.gpus // service.resources.gpu
    by = min(bounds, key=lambda each: bounds[each])
    # Not one task on an instance: E314 says so.
    return (bounds[by] * spec.max_instances, by) if bounds[by] else (None, by)


PROVIDERS = 20
"""Of a cluster, Fargate's two among them (Amazon ECS developer guide, "Amazon ECS service quotas")."""


@rule("E347")
def too_many_providers(scene: Scene) -> Iterable[Finding]:
    """Each component on instances has a capacity provider, of which a cluster takes so many."""
    for section in ("trainers", "services"):
        on_instances = [
            index for index, each in enumerate(getattr(scene.site.spec, section)) if each.compute.ec2
        ]
        if len(on_instances) > PROVIDERS - 2:
            yield Finding(
                ("spec", section, on_instances[PROVIDERS - 2], "compute", "ec2"),
                f"a cluster takes {PROVIDERS - 2} capacity providers besides Fargate's, and "
                f"{len(on_instances)} {section} run on instances",
                "run some of them on Fargate, or split the pipeline in two",
            )


@rule("W342")
def alarm_without_measure(scene: Scene) -> Iterable[Finding]:
    """Whether tasks are missing is known through Container Insights alone."""
    monitoring = scene.site.spec.monitoring
    wanted = scene.site.spec.services and monitoring.alarms.missing_tasks
    if wanted and monitoring.container_insights == "disabled":
        yield Finding(
            ("spec", "monitoring", "containerInsights"),
            "without Container Insights no alarm tells that tasks are missing",
            "enable it, or say `alarms: {missingTasks: false}`",
        )
