"""How many tasks run: between two bounds, by measures and by the clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from troposphere import Join, Ref, applicationautoscaling

from mlopsgen.aws.cron import to_eventbridge
from mlopsgen.components.workloads.spec import ReplicaScheduleSpec, ReplicasSpec
from mlopsgen.language.values import MINUTE
from mlopsgen.model.plan import Declaration
from mlopsgen.model.site import Site, by_name
from mlopsgen.model.values import Body
from mlopsgen.model.workload import Workload
from mlopsgen.parts.metrics import BALANCERS, Dimensions, Targets, of_targets, plain_number
from mlopsgen.parts.resource import Scope

USAGE = {"cpu": "ECSServiceAverageCPUUtilization", "memory": "ECSServiceAverageMemoryUtilization"}


def declare_scaling(
    scope: Scope, workload: Workload, targets: Sequence[Targets] = ()
) -> Iterator[Declaration]:
    """The scalable target, its policies and its schedules; nothing if the number of tasks is fixed.

    `targets` are the target groups of its routes, for what is measured there.
    """
    replicas = workload.replicas
    if replicas is None or not workload.scales:
        return
    scope = scope.at("replicas")
    yield scope.resource(_target(scope.site, workload, replicas))
    if not opens(replicas):
        return
    for name, policy in _policies(replicas, targets):
        yield scope.at("metrics", name).resource(policy)


def bounds(replicas: ReplicasSpec) -> tuple[tuple[int, int], ...]:
    """(fewest, most) as they are at first, and as each schedule leaves them if it is the first to come."""
    most = replicas.min if replicas.max is None else replicas.max
    later = (
        (replicas.min if each.min is None else each.min, most if each.max is None else each.max)
        for each in by_name(replicas.schedules)
    )
    return ((replicas.min, most), *later)


def opens(replicas: ReplicasSpec) -> bool:
    """Whether there is ever something between the fewest and the most: else metrics rest."""
    return any(fewest < most for fewest, most in bounds(replicas))


def _target(site: Site, workload: Workload, replicas: ReplicasSpec) -> applicationautoscaling.ScalableTarget:
    target = applicationautoscaling.ScalableTarget(
        "ScalableTarget",
        ServiceNamespace="ecs",
        ScalableDimension="ecs:service:DesiredCount",
        ResourceId=f"service/{site.cluster}/{workload.name}",
        MinCapacity=replicas.min,
        MaxCapacity=workload.most,
        DependsOn="Service",
    )
    if replicas.schedules:
        target.ScheduledActions = [_scheduled(each) for each in by_name(replicas.schedules)]
    return target


def _scheduled(schedule: ReplicaScheduleSpec) -> applicationautoscaling.ScheduledAction:
    changed = {"MinCapacity": schedule.min, "MaxCapacity": schedule.max}
    return applicationautoscaling.ScheduledAction(
        ScheduledActionName=schedule.name,
        Schedule=to_eventbridge(schedule.cron),
        Timezone=schedule.time_zone,
        ScalableTargetAction=applicationautoscaling.ScalableTargetAction(
            **{name: value for name, value in changed.items() if value is not None}
        ),
    )


def _policies(
    replicas: ReplicasSpec, targets: Sequence[Targets]
) -> Iterator[tuple[str, applicationautoscaling.ScalingPolicy]]:
    """A policy for each measure, by its word in the spec."""
    wanted = replicas.metrics
    for name, percent in (("cpu", wanted.cpu), ("memory", wanted.memory)):
        if percent is not None:
            yield name, _policy(name, replicas, percent, _predefined(USAGE[name]))
    if wanted.requests is not None:
        # Both kinds of measure count the requests of a minute.
        yield (
            "requests",
            _policy("requests", replicas, round(wanted.requests * MINUTE, 3), _requests(targets)),
        )
    if wanted.latency is not None:
        # CloudWatch has response times in seconds.
        measure = _measured("TargetResponseTime", "p95", "MAX", targets)
        yield "latency", _policy("latency", replicas, wanted.latency / 1000, measure)


def _policy(
    name: str, replicas: ReplicasSpec, target: float, measure: dict[str, Body]
) -> applicationautoscaling.ScalingPolicy:
    return applicationautoscaling.ScalingPolicy(
        f"{name.capitalize()}ScalingPolicy",
        PolicyName=name,
        PolicyType="TargetTrackingScaling",
        ScalingTargetId=Ref("ScalableTarget"),
        TargetTrackingScalingPolicyConfiguration=(
            applicationautoscaling.TargetTrackingScalingPolicyConfiguration(
                TargetValue=plain_number(target),
                ScaleInCooldown=replicas.cooldown.in_,
                ScaleOutCooldown=replicas.cooldown.out,
                **measure,
            )
        ),
    )


def _predefined(kind: str, **more: Body) -> dict[str, Body]:
    specification = applicationautoscaling.PredefinedMetricSpecification(PredefinedMetricType=kind, **more)
    return {"PredefinedMetricSpecification": specification}


def _requests(targets: Sequence[Targets]) -> dict[str, Body]:
    """The requests of a task in a minute.

    AWS's own measure knows one target group. Of several, the sum is right: each task is in all of them, or,
    where traffic shifts, as many are in the one as in the other.
    """
    if len(targets) == 1:
        return _predefined("ALBRequestCountPerTarget", ResourceLabel=Join("/", list(targets[0])))
    return _measured("RequestCountPerTarget", "Sum", "SUM", targets)


def _measured(metric: str, stat: str, together: str, targets: Sequence[Targets]) -> dict[str, Body]:
    """A metric of target groups; of several, what `together` makes of those that have data."""
    single = len(targets) == 1
    queries = [
        applicationautoscaling.TargetTrackingMetricDataQuery(
            Id=f"m{number}",
            ReturnData=single,
            MetricStat=applicationautoscaling.TargetTrackingMetricStat(
                Metric=applicationautoscaling.TargetTrackingMetric(
                    Namespace=BALANCERS, MetricName=metric, Dimensions=_dimensions(of_targets(each))
                ),
                Stat=stat,
            ),
        )
        for number, each in enumerate(targets, start=1)
    ]
    if not single:
        words = ", ".join(each.Id for each in queries)
        queries.append(
            applicationautoscaling.TargetTrackingMetricDataQuery(
                Id="all", Expression=f"{together}([{words}])", ReturnData=True
            )
        )
    specification = applicationautoscaling.CustomizedMetricSpecification(Metrics=queries)
    return {"CustomizedMetricSpecification": specification}


def _dimensions(
    dimensions: Dimensions,
) -> list[applicationautoscaling.TargetTrackingMetricDimension]:
    return [
        applicationautoscaling.TargetTrackingMetricDimension(Name=name, Value=value)
        for name, value in dimensions
    ]
