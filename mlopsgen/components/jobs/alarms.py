"""Who hears when a trainer failed, and when it did not run at all."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from troposphere import Ref, cloudwatch, events

from mlopsgen.aws.cron import longest_gap
from mlopsgen.components.base import Site
from mlopsgen.components.wiring import TOPIC_ARN, take
from mlopsgen.ecs.outcomes import failed
from mlopsgen.plan import Part, Resource
from mlopsgen.source.node import Path
from mlopsgen.spec.trainers import TrainerSpec

_HOUR = 3600

LONGEST_WINDOW = 7 * 24
"""Hours: an alarm looks back seven days at most (CloudWatch API reference, PutMetricAlarm, `Period`)."""

# An hour because clocks are set forward and back, and one for a host to come up and the image to be pulled.
_SLACK = 2

# CloudWatch API reference, WarmUpConfiguration.
_LONGEST_WARM_UP = 2 * 24 * 60


def alarms(site: Site, trainer: TrainerSpec, stack: str, origin: Path) -> Iterator[Part]:
    """The alarms of one trainer, as `spec.monitoring.alarms` wants them."""
    wanted = site.spec.monitoring.alarms
    scheduled = wanted.training_missing and trainer.schedule is not None and trainer.schedule.enabled
    window = missing_window(trainer)
    if not wanted.training_failed and not scheduled:
        return
    topic, parameter = take(site, stack, "TopicArn", TOPIC_ARN, "String", "Who hears of alarms")
    yield parameter
    if wanted.training_failed:
        yield from _failed(site, trainer, stack, origin, topic)
    if scheduled:
        yield from _not_started(site, trainer, stack, (*origin, "schedule"), topic)
        if window:
            yield from _silent(site, trainer, stack, (*origin, "schedule"), topic, window)


def missing_window(trainer: TrainerSpec) -> int | None:
    """Hours without a word from it after which a run is missing; None if CloudWatch cannot wait so long.

    A weekly schedule takes all of the seven days. Its runs are seen until they end, so that starting some
    minutes later than a week ago is no silence.
    """
    if not trainer.schedule or not trainer.schedule.enabled:
        return None
    gap = ceil(longest_gap(trainer.schedule.cron) / _HOUR)
    return min(gap + _SLACK, LONGEST_WINDOW) if gap <= LONGEST_WINDOW else None


def _failed(site: Site, trainer: TrainerSpec, stack: str, origin: Path, topic: Ref) -> Iterator[Part]:
    """A rule that tells people why, and an alarm on that rule."""
    log = site.log_group(trainer.name)
    message = (
        f'"Trainer {trainer.name} of {site.prefix} failed: <reason> (stop code <code>, exit code <exit>). '
        f'Its log: aws logs tail {log} --region {site.spec.aws.region} --since 1d. Task: <task>"'
    )
    rule = events.Rule(
        "FailedRule",
        Name=site.rule(trainer.name, "failed"),
        Description=f"Trainer {trainer.name} of {site.prefix} failed and is not started again",
        EventPattern=failed(site, trainer),
        Targets=[
            events.Target(
                Id="tell",
                Arn=topic,
                InputTransformer=events.InputTransformer(
                    InputPathsMap={
                        "code": "$.detail.stopCode",
                        "exit": "$.detail.containers[0].exitCode",
                        "reason": "$.detail.stoppedReason",
                        "task": "$.detail.taskArn",
                    },
                    InputTemplate=message,
                ),
            )
        ],
    )
    yield Resource(stack, "FailedRule", rule, origin)
    alarm = cloudwatch.Alarm(
        "FailedAlarm",
        AlarmDescription=f"A run of trainer {trainer.name} of {site.prefix} failed. Its log is {log}.",
        Namespace="AWS/Events",
        MetricName="TriggeredRules",
        Dimensions=[cloudwatch.MetricDimension(Name="RuleName", Value=Ref("FailedRule"))],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    yield Resource(stack, "FailedAlarm", alarm, origin)


def _not_started(site: Site, trainer: TrainerSpec, stack: str, origin: Path, topic: Ref) -> Iterator[Part]:
    """EventBridge Scheduler gave up: known at once, however rare the schedule."""
    alarm = cloudwatch.Alarm(
        "NotStartedAlarm",
        AlarmDescription=(
            f"The schedule of trainer {trainer.name} of {site.prefix} could not start it."
            f" The queue {site.prefix}-training-dead-letters says why."
        ),
        Namespace="AWS/Scheduler",
        MetricName="InvocationDroppedCount",
        Dimensions=[cloudwatch.MetricDimension(Name="ScheduleGroup", Value=Ref("ScheduleGroup"))],
        Statistic="Sum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
    )
    yield Resource(stack, "NotStartedAlarm", alarm, origin)


def _silent(
    site: Site, trainer: TrainerSpec, stack: str, origin: Path, topic: Ref, window: int
) -> Iterator[Part]:
    """No word in the log for longer than the schedule's longest pause."""
    alarm = cloudwatch.Alarm(
        "MissingAlarm",
        AlarmDescription=f"Trainer {trainer.name} of {site.prefix} has not run for {window} hours.",
        Namespace="AWS/Logs",
        MetricName="IncomingLogEvents",
        Dimensions=[cloudwatch.MetricDimension(Name="LogGroupName", Value=Ref("LogGroup"))],
        Statistic="Sum",
        Period=_HOUR,
        EvaluationPeriods=window,
        DatapointsToAlarm=window,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        TreatMissingData="breaching",
        WarmUpConfiguration=cloudwatch.WarmUpConfiguration(
            WarmUpPeriodDurationInMinutes=min(window * 60, _LONGEST_WARM_UP)
        ),
        AlarmActions=[topic],
        OKActions=[topic],
    )
    yield Resource(stack, "MissingAlarm", alarm, origin)
