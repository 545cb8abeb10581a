"""CloudWatch metrics as alarms and scaling policies name them."""

from __future__ import annotations

from collections.abc import Iterable

from troposphere import Ref, Select, Split, cloudwatch

from mlopsgen.language.values import MINUTE
from mlopsgen.model.alarms import Alarm
from mlopsgen.model.values import Value
from mlopsgen.parts.topic import TOPIC_ARN

BALANCERS = "AWS/ApplicationELB"
"""The namespace of load balancers and target groups."""

SQS = "AWS/SQS"
"""The namespace of queues."""

WAITING = "ApproximateNumberOfMessagesVisible"
"""The metric of messages that nobody has received yet."""

Dimensions = tuple[tuple[str, Value], ...]

Targets = tuple[Value, Value]
"""A load balancer and a target group behind it, as metrics name them."""


def target_group(logical_id: str) -> Select:
    """A target group of the same stack, as metrics name it: `targetgroup/NAME/ID`, the end of its ARN."""
    return Select(5, Split(":", Ref(logical_id)))


def load_balancer(logical_id: str) -> Select:
    """A load balancer of the same stack as metrics name it: `app/NAME/ID`, the end of its ARN."""
    return Select(1, Split("loadbalancer/", Ref(logical_id)))


def plain_number(value: float) -> int | float:
    """A number without the `.0` of one that is whole."""
    return int(value) if value == int(value) else value


def alarm(
    logical_id: str,
    description: str,
    setting: Alarm,
    queries: Iterable[cloudwatch.MetricDataQuery],
    *,
    threshold: float | None = None,
    missing: str = "notBreaching",
) -> cloudwatch.Alarm:
    """An alarm on the one query that returns data, for as many minutes in a row as it is set for.

    It rings above or below what is set, or above `threshold`. `missing` says what a minute without data
    means: without traffic there are no errors and no latency, so by default nothing is wrong.
    """
    periods = max(setting.seconds // MINUTE, 1)
    above = setting.above if threshold is None else threshold
    limit = setting.below if above is None else above
    assert limit is not None
    return cloudwatch.Alarm(
        logical_id,
        AlarmDescription=description,
        ComparisonOperator="LessThanThreshold" if above is None else "GreaterThanThreshold",
        Threshold=plain_number(limit),
        EvaluationPeriods=periods,
        DatapointsToAlarm=periods,
        TreatMissingData=missing,
        Metrics=list(queries),
        AlarmActions=[TOPIC_ARN],
        OKActions=[TOPIC_ARN],
    )


def query(
    name: str,
    namespace: str,
    metric: str,
    dimensions: Dimensions,
    stat: str,
    *,
    period: int = MINUTE,
    returns: bool = False,
) -> cloudwatch.MetricDataQuery:
    """One metric, which metric math calls `name`; `period` in seconds."""
    return cloudwatch.MetricDataQuery(
        Id=name,
        ReturnData=returns,
        MetricStat=cloudwatch.MetricStat(
            Metric=cloudwatch.Metric(
                Namespace=namespace,
                MetricName=metric,
                Dimensions=[cloudwatch.MetricDimension(Name=key, Value=value) for key, value in dimensions],
            ),
            Period=period,
            Stat=stat,
        ),
    )


def expression(name: str, text: str, label: str) -> cloudwatch.MetricDataQuery:
    """Metric math over other queries; it is what the alarm looks at."""
    return cloudwatch.MetricDataQuery(Id=name, Expression=text, Label=label, ReturnData=True)


def of_targets(targets: Targets) -> Dimensions:
    """The dimensions of a target group."""
    balancer, group = targets
    return (("LoadBalancer", balancer), ("TargetGroup", group))


def over_targets(
    metric: str, stat: str, targets: Iterable[Targets], prefix: str
) -> list[cloudwatch.MetricDataQuery]:
    """A metric of each target group, `r1`, `r2` …: a service has one for each route, or two where it shifts
    traffic.
    """
    return [
        query(f"{prefix}{number}", BALANCERS, metric, of_targets(each), stat)
        for number, each in enumerate(targets, start=1)
    ]


def names(queries: Iterable[cloudwatch.MetricDataQuery]) -> list[str]:
    """What metric math calls them."""
    return [each.Id for each in queries]


def added(queries: Iterable[cloudwatch.MetricDataQuery]) -> str:
    """Metric math for their sum, where a metric without data counts as zero."""
    return " + ".join(f"FILL({each}, 0)" for each in names(queries))
