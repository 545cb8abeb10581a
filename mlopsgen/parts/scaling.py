"""How many tasks run: between two bounds, by measures and by the clock."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from troposphere import Join, Ref, applicationautoscaling, cloudwatch

from mlopsgen.aws.cron import to_eventbridge
from mlopsgen.components.workloads.spec import ReplicaScheduleSpec, ReplicasSpec
from mlopsgen.language.values import MINUTE
from mlopsgen.model.plan import Declaration
from mlopsgen.model.site import Site, by_name
from mlopsgen.model.values import Body, Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.metrics import (
    BALANCERS,
    SQS,
    WAITING,
    Dimensions,
    Targets,
    added,
    expression,
    of_targets,
    plain_number,
    query,
)
from mlopsgen.parts.resource import Scope

USAGE = {"cpu": "ECSServiceAverageCPUUtilization", "memory": "ECSServiceAverageMemoryUtilization"}


def declare_scaling(
    scope: Scope, workload: Workload, targets: Sequence[Targets] = (), queues: Sequence[Value] = ()
) -> Iterator[Declaration]:
    """The scalable target, its policies and its schedules; nothing if the number of tasks is fixed.

    `targets` are the target groups of its routes, for what is measured there; `queues` the names of those
    that it consumes.
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
    if replicas.metrics.backlog is not None:
        found = _Backlog(scope.site.cluster, workload.name, tuple(queues))
        scope = scope.at("metrics", "backlog")
        policy = _policy("backlog", replicas, replicas.metrics.backlog, found.for_each_task())
        yield scope.resource(policy)
        if any(fewest == 0 < most for fewest, most in bounds(replicas)):
            yield scope.resource(_first_task())
            yield scope.resource(found.without_task())


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


class _Backlog(NamedTuple):
    """The messages of a worker's queues, and its tasks."""

    cluster: str
    service: str
    queues: tuple[Value, ...]

    def for_each_task(self) -> dict[str, Body]:
        """Messages that wait or are in work, for each running task (Application Auto Scaling user guide,
        "Create a target tracking scaling policy for Application Auto Scaling using metric math").

        Those in work count, since else a task would be stopped over the last one. Without a task it is the
        messages of one: a division by zero would give no data, and scaling nothing to come down by.
        """
        stats = [
            *self._stats("w", WAITING),
            *self._stats("i", "ApproximateNumberOfMessagesNotVisible"),
            ("running", "ECS/ContainerInsights", "RunningTaskCount", self._own, "Average"),
        ]
        queries = [
            applicationautoscaling.TargetTrackingMetricDataQuery(
                Id=name,
                ReturnData=False,
                MetricStat=applicationautoscaling.TargetTrackingMetricStat(
                    Metric=applicationautoscaling.TargetTrackingMetric(
                        Namespace=namespace, MetricName=metric, Dimensions=_dimensions(dimensions)
                    ),
                    Stat=stat,
                ),
            )
            for name, namespace, metric, dimensions, stat in stats
        ]
        messages = " + ".join(f"FILL({name}, 0)" for name, *_ in stats[:-1])
        text = f"({messages}) / IF(FILL(running, 0) > 1, running, 1)"
        queries.append(
            applicationautoscaling.TargetTrackingMetricDataQuery(Id="each", Expression=text, ReturnData=True)
        )
        return {
            "CustomizedMetricSpecification": applicationautoscaling.CustomizedMetricSpecification(
                Metrics=queries
            )
        }

    def without_task(self) -> cloudwatch.Alarm:
        """Messages wait and no task is wanted, which a share of zero tasks never mends."""
        stats = self._stats("w", WAITING)
        wanted = query("wanted", "ECS/ContainerInsights", "DesiredTaskCount", self._own, "Maximum")
        messages = added(queries := [query(*each) for each in stats])
        text = f"IF(FILL(wanted, 0) < 1, {messages}, 0)"
        return cloudwatch.Alarm(
            "FirstTaskAlarm",
            AlarmDescription=f"Messages wait for {self.service}, of which no task runs",
            ComparisonOperator="GreaterThanThreshold",
            Threshold=0,
            EvaluationPeriods=1,
            DatapointsToAlarm=1,
            TreatMissingData="notBreaching",
            Metrics=[*queries, wanted, expression("lost", text, "Messages without a task")],
            AlarmActions=[Ref("FirstTaskScalingPolicy")],
        )

    @property
    def _own(self) -> Dimensions:
        return (("ClusterName", self.cluster), ("ServiceName", self.service))

    def _stats(self, prefix: str, metric: str) -> list[tuple[str, str, str, Dimensions, str]]:
        return [
            (f"{prefix}{number}", SQS, metric, (("QueueName", queue),), "Maximum")
            for number, queue in enumerate(self.queues, start=1)
        ]


def _first_task() -> applicationautoscaling.ScalingPolicy:
    """One task where there is none; from there on the backlog of each decides.

    Until the metrics know of it a few minutes pass: within the cooldown nothing is added twice (Application
    Auto Scaling user guide, "Define the cooldown period").
    """
    return applicationautoscaling.ScalingPolicy(
        "FirstTaskScalingPolicy",
        PolicyName="first-task",
        PolicyType="StepScaling",
        ScalingTargetId=Ref("ScalableTarget"),
        StepScalingPolicyConfiguration=applicationautoscaling.StepScalingPolicyConfiguration(
            AdjustmentType="ChangeInCapacity",
            Cooldown=5 * MINUTE,
            MetricAggregationType="Maximum",
            StepAdjustments=[
                applicationautoscaling.StepAdjustment(MetricIntervalLowerBound=0, ScalingAdjustment=1)
            ],
        ),
    )


def _dimensions(
    dimensions: Dimensions,
) -> list[applicationautoscaling.TargetTrackingMetricDimension]:
    return [
        applicationautoscaling.TargetTrackingMetricDimension(Name=name, Value=value)
        for name, value in dimensions
    ]
