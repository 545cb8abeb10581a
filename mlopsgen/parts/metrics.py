"""CloudWatch metrics of a service, as alarms, scaling policies and dashboards name them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from troposphere import Ref, Select, Split, cloudwatch

from mlopsgen.plan import Value

MINUTE = 60
Dimensions = tuple[tuple[str, Value], ...]


def target_group(logical_id: str) -> Select:
    """A target group of the same stack, as metrics name it: `targetgroup/NAME/ID`, the end of its ARN."""
    return Select(5, Split(":", Ref(logical_id)))


def load_balancer(logical_id: str) -> Select:
    """A load balancer of the same stack as metrics name it: `app/NAME/ID`, the end of its ARN."""
    return Select(1, Split("loadbalancer/", Ref(logical_id)))


def alarm(
    logical_id: str,
    description: str,
    *,
    topic: Value,
    threshold: float,
    periods: int,
    above: bool = True,
    missing: str = "notBreaching",
    queries: Iterable[cloudwatch.MetricDataQuery],
) -> cloudwatch.Alarm:
    """An alarm on the one query that returns data, over `periods` periods in a row.

    `missing` says what a minute without data means: without traffic there are no errors and no latency, so
    by default nothing is wrong.
    """
    return cloudwatch.Alarm(
        logical_id,
        AlarmDescription=description,
        ComparisonOperator="GreaterThanThreshold" if above else "LessThanThreshold",
        Threshold=threshold,
        EvaluationPeriods=periods,
        DatapointsToAlarm=periods,
        TreatMissingData=missing,
        Metrics=list(queries),
        AlarmActions=[topic],
        OKActions=[topic],
    )


def query(
    id_: str,
    namespace: str,
    name: str,
    dimensions: Dimensions,
    stat: str,
    *,
    period: int = MINUTE,
    returns: bool = False,
) -> cloudwatch.MetricDataQuery:
    """One metric; `period` in seconds."""
    return cloudwatch.MetricDataQuery(
        Id=id_,
        ReturnData=returns,
        MetricStat=cloudwatch.MetricStat(
            Metric=cloudwatch.Metric(
                Namespace=namespace,
                MetricName=name,
                Dimensions=[cloudwatch.MetricDimension(Name=key, Value=value) for key, value in dimensions],
            ),
            Period=period,
            Stat=stat,
        ),
    )


def expression(id_: str, text: str, label: str) -> cloudwatch.MetricDataQuery:
    """Metric math over other queries; it is what the alarm looks at."""
    return cloudwatch.MetricDataQuery(Id=id_, Expression=text, Label=label, ReturnData=True)


def over_targets(
    name: str, stat: str, balancer: Value, groups: Iterable[Value], *, prefix: str = "m"
) -> list[cloudwatch.MetricDataQuery]:
    """A metric of each target group, `m1`, `m2`: a service that shifts traffic has two."""
    return [
        query(
            f"{prefix}{number}",
            "AWS/ApplicationELB",
            name,
            (("LoadBalancer", balancer), ("TargetGroup", group)),
            stat,
        )
        for number, group in enumerate(groups, start=1)
    ]


def ids(queries: Iterable[cloudwatch.MetricDataQuery]) -> list[str]:
    """What metric math calls them."""
    return [each.Id for each in queries]


def added(queries: Iterable[cloudwatch.MetricDataQuery]) -> str:
    """Metric math for their sum, where a metric without data counts as zero."""
    return " + ".join(f"FILL({each}, 0)" for each in ids(queries))


def widget(title: str, metrics: list[list[Any]], position: tuple[int, int], **more: Any) -> dict[str, Any]:
    """A line chart of the dashboard, 8 of 24 columns wide; `position` is (column, row)."""
    column, row = position
    return {
        "type": "metric",
        "x": column,
        "y": row,
        "width": 8,
        "height": 6,
        "properties": {
            "title": title,
            "view": "timeSeries",
            "region": "${AWS::Region}",
            "period": MINUTE,
            "metrics": metrics,
            **more,
        },
    }
