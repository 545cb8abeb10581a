"""Who hears when a job failed, and when it did not run at all."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

from troposphere import Ref, cloudwatch, events

from mlopsgen.aws.cron import longest_gap
from mlopsgen.components.jobs.outcomes import failed
from mlopsgen.components.jobs.runs import job_spec
from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.language.values import HOUR
from mlopsgen.model.alarms import DEFAULT_ALARMS, Alarm, merged
from mlopsgen.model.plan import Declaration
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.model.workload import Workload
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.topic import TOPIC_ARN

LONGEST_WINDOW = 7 * 24
"""Hours: an alarm looks back seven days at most (CloudWatch API reference, PutMetricAlarm, `Period`)."""

# An hour because clocks are set forward and back, and one for a host to come up and the image to be pulled.
_SLACK = 2

_LONGEST_WARM_UP = 2 * 24
"""Hours that an alarm can wait for its first data (CloudWatch API reference, WarmUpConfiguration)."""


def declare_alarms(scope: Scope, job: Workload) -> Iterator[Declaration]:
    """The alarms of one job, as its own `alarms` and the pipeline's want them."""
    own, base = job_spec(job).alarms, scope.site.spec.monitoring.alarms.jobs
    defaults = DEFAULT_ALARMS["jobs"]
    failing = merged(own.failed, base.failed, defaults["failed"])
    missing = merged(own.missing, base.missing, defaults["missing"])
    if failing.enabled:
        yield scope.resource(_failed_rule(scope.site, job))
        yield scope.resource(_failed_alarm(scope.site, job, failing))
    if missing.enabled and any(each.enabled for each in job_spec(job).triggers):
        scope = scope.at("triggers")
        yield scope.resource(_not_started(scope.site, job, missing))
        window = missing_window(job_spec(job))
        if window:
            yield scope.resource(_silent(scope.site, job, window))


def missing_window(spec: JobSpec) -> int | None:
    """Hours without a word from a job after which a run is missing; None if CloudWatch cannot wait so long.

    A weekly schedule takes all of the seven days. Its runs are seen until they end, so that starting some
    minutes later than a week ago is no silence.
    """
    gaps = [longest_gap(each.schedule.cron) for each in spec.triggers if each.schedule and each.enabled]
    if not gaps:
        return None
    gap = ceil(min(gaps) / HOUR)
    return min(gap + _SLACK, LONGEST_WINDOW) if gap <= LONGEST_WINDOW else None


def _failed_rule(site: Site, job: Workload) -> events.Rule:
    """Tells people why."""
    message = (
        f'"Job {job.name} of {site.prefix} failed: <reason> (stop code <code>, exit code <exit>). '
        f'Its log: aws logs tail {site.log_group(job.name)} --region {site.region} --since 1d. Task: <task>"'
    )
    transformer = events.InputTransformer(
        InputPathsMap={
            "code": "$.detail.stopCode",
            "exit": "$.detail.containers[0].exitCode",
            "reason": "$.detail.stoppedReason",
            "task": "$.detail.taskArn",
        },
        InputTemplate=message,
    )
    return events.Rule(
        "FailedRule",
        Name=site.rule(job.name, "failed"),
        Description=f"Job {job.name} of {site.prefix} failed and is not started again",
        EventPattern=failed(site, job),
        Targets=[events.Target(Id="tell", Arn=TOPIC_ARN, InputTransformer=transformer)],
    )


def _failed_alarm(site: Site, job: Workload, alarm: Alarm) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        "FailedAlarm",
        AlarmDescription=(
            f"A run of job {job.name} of {site.prefix} failed. Its log is {site.log_group(job.name)}."
        ),
        Namespace="AWS/Events",
        MetricName="TriggeredRules",
        Dimensions=[cloudwatch.MetricDimension(Name="RuleName", Value=Ref("FailedRule"))],
        **_at_once(alarm),
    )


def _not_started(site: Site, job: Workload, alarm: Alarm) -> cloudwatch.Alarm:
    """EventBridge Scheduler gave up: known at once, however rare the schedule."""
    return cloudwatch.Alarm(
        "NotStartedAlarm",
        AlarmDescription=(
            f"A schedule of job {job.name} of {site.prefix} could not start it."
            f" The queue DeadLetters of the stack {site.prefix}-training says why."
        ),
        Namespace="AWS/Scheduler",
        MetricName="InvocationDroppedCount",
        Dimensions=[cloudwatch.MetricDimension(Name="ScheduleGroup", Value=Ref("ScheduleGroup"))],
        **_at_once(alarm),
    )


def _at_once(alarm: Alarm) -> dict[str, Body]:
    """Once in the alarm's time is enough."""
    return {
        "Statistic": "Sum",
        "Period": alarm.seconds,
        "EvaluationPeriods": 1,
        "Threshold": 0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        "AlarmActions": [TOPIC_ARN],
    }


def _silent(site: Site, job: Workload, window: int) -> cloudwatch.Alarm:
    """No word in the log for longer than the schedules' longest pause.

    A new alarm knows no run yet. It waits for the first one as long as it can, and where the pause is longer,
    silence is no breach but missing data: of a change to INSUFFICIENT_DATA people hear from any other state
    alone, and a new alarm begins in this one (CloudWatch API reference, PutMetricAlarm).
    """
    waits = window <= _LONGEST_WARM_UP
    silence: dict[str, Body] = {"TreatMissingData": "missing", "InsufficientDataActions": [TOPIC_ARN]}
    if waits:
        warm_up = cloudwatch.WarmUpConfiguration(WarmUpPeriodDurationInMinutes=window * 60)
        silence = {"TreatMissingData": "breaching", "WarmUpConfiguration": warm_up}
    return cloudwatch.Alarm(
        "MissingAlarm",
        AlarmDescription=f"Job {job.name} of {site.prefix} has not run for {window} hours.",
        Namespace="AWS/Logs",
        MetricName="IncomingLogEvents",
        Dimensions=[cloudwatch.MetricDimension(Name="LogGroupName", Value=Ref("LogGroup"))],
        Statistic="Sum",
        Period=HOUR,
        EvaluationPeriods=window,
        DatapointsToAlarm=window,
        Threshold=1,
        ComparisonOperator="LessThanThreshold",
        AlarmActions=[TOPIC_ARN],
        OKActions=[TOPIC_ARN],
        **silence,
    )
