"""How many tasks of a service run: between two bounds, by measures and by the clock."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Join, Ref, applicationautoscaling

from mlopsgen.aws.cron import to_eventbridge
from mlopsgen.components.base import Site
from mlopsgen.ecs import metrics
from mlopsgen.plan import Part, Resource
from mlopsgen.source.node import Path
from mlopsgen.spec.services import AutoscalingSpec, ReplicasSpec, ServiceSpec

PREDEFINED = {
    "cpu": "ECSServiceAverageCPUUtilization",
    "memory": "ECSServiceAverageMemoryUtilization",
    "requestsPerTarget": "ALBRequestCountPerTarget",
}


def scales(service: ServiceSpec) -> bool:
    """Whether something else than the template decides how many tasks run."""
    return bool(service.autoscaling or service.scheduled_scaling)


def scaling(site: Site, service: ServiceSpec, stack: str, origin: Path) -> Iterator[Part]:
    """The scalable target, its policies and its schedule; nothing if the number of tasks is fixed."""
    if not scales(service):
        return
    target = applicationautoscaling.ScalableTarget(
        "ScalableTarget",
        ServiceNamespace="ecs",
        ScalableDimension="ecs:service:DesiredCount",
        ResourceId=f"service/{site.cluster('serving')}/{service.name}",
        MinCapacity=service.replicas.min,
        MaxCapacity=_most(service.replicas),
        DependsOn="Service",
    )
    if service.scheduled_scaling:
        target.ScheduledActions = [
            applicationautoscaling.ScheduledAction(
                ScheduledActionName=each.name,
                Schedule=to_eventbridge(each.cron),
                Timezone=each.timezone,
                ScalableTargetAction=applicationautoscaling.ScalableTargetAction(
                    MinCapacity=each.replicas.min, MaxCapacity=_most(each.replicas)
                ),
            )
            for each in sorted(service.scheduled_scaling, key=lambda each: each.name)
        ]
    yield Resource(stack, "ScalableTarget", target, (*origin, "replicas"))
    for spec in sorted(service.autoscaling, key=lambda each: each.metric):
        name = f"{spec.metric[0].upper()}{spec.metric[1:]}ScalingPolicy"
        policy = applicationautoscaling.ScalingPolicy(
            name,
            PolicyName=spec.metric,
            PolicyType="TargetTrackingScaling",
            ScalingTargetId=Ref("ScalableTarget"),
            TargetTrackingScalingPolicyConfiguration=_tracking(spec),
        )
        yield Resource(stack, name, policy, (*origin, "autoscaling"))


def _most(replicas: ReplicasSpec) -> int:
    return replicas.max if replicas.max is not None else replicas.min


def _tracking(
    spec: AutoscalingSpec,
) -> applicationautoscaling.TargetTrackingScalingPolicyConfiguration:
    if spec.metric == "latency":
        # CloudWatch has response times in seconds.
        target = spec.target / 1000
        measure = {"CustomizedMetricSpecification": _latency()}
    else:
        target = spec.target
        label = {"ResourceLabel": _target_group()} if spec.metric == "requestsPerTarget" else {}
        measure = {
            "PredefinedMetricSpecification": applicationautoscaling.PredefinedMetricSpecification(
                PredefinedMetricType=PREDEFINED[spec.metric], **label
            )
        }
    return applicationautoscaling.TargetTrackingScalingPolicyConfiguration(
        TargetValue=target,
        ScaleInCooldown=spec.scale_in_cooldown,
        ScaleOutCooldown=spec.scale_out_cooldown,
        **measure,
    )


def _target_group() -> Join:
    return Join("/", [Ref("LoadBalancerFullName"), metrics.target_group("TargetGroup")])


def _latency() -> applicationautoscaling.CustomizedMetricSpecification:
    dimensions = {
        "LoadBalancer": Ref("LoadBalancerFullName"),
        "TargetGroup": metrics.target_group("TargetGroup"),
    }
    metric = applicationautoscaling.TargetTrackingMetric(
        Namespace="AWS/ApplicationELB",
        MetricName="TargetResponseTime",
        Dimensions=[
            applicationautoscaling.TargetTrackingMetricDimension(Name=name, Value=value)
            for name, value in dimensions.items()
        ],
    )
    stat = applicationautoscaling.TargetTrackingMetricStat(Metric=metric, Stat="p95")
    data = applicationautoscaling.TargetTrackingMetricDataQuery(
        Id="latency", MetricStat=stat, ReturnData=True
    )
    return applicationautoscaling.CustomizedMetricSpecification(Metrics=[data])
