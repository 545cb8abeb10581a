"""Dashboards: lines of CloudWatch metrics in widgets, and the body that holds them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from troposphere import Sub, cloudwatch

from mlopsgen.language.values import MINUTE
from mlopsgen.model.values import Body, Published

Line: TypeAlias = Sequence[Body]
"""A metric as a widget names it: namespace, name, dimensions in pairs, and how it is drawn."""

WIDTH, HEIGHT = 8, 6
"""Of a widget; a dashboard is 24 columns wide."""


def widget(title: str, metrics: Sequence[Line], position: tuple[int, int], **more: Body) -> dict[str, Body]:
    """A line chart; `position` is (column, row)."""
    column, row = position
    return {
        "type": "metric",
        "x": column,
        "y": row,
        "width": WIDTH,
        "height": HEIGHT,
        "properties": {
            "title": title,
            "view": "timeSeries",
            "region": "${AWS::Region}",
            "period": MINUTE,
            "metrics": metrics,
            **more,
        },
    }


def usage_widgets(cluster: str, service: str, row: int) -> list[dict[str, Body]]:
    """What the tasks of an ECS service use, and how many of them run."""
    own = ["ClusterName", cluster, "ServiceName", service]
    percent = {"left": {"min": 0, "max": 100}}

    def used(metric: str) -> list[Line]:
        return [["AWS/ECS", metric, *own, {"stat": stat}] for stat in ("Average", "Maximum")]

    counts = [
        ["ECS/ContainerInsights", metric, *own, {"stat": "Average", "label": label}]
        for metric, label in (("DesiredTaskCount", "wanted"), ("RunningTaskCount", "running"))
    ]
    return [
        widget("CPU, %", used("CPUUtilization"), (0, row), yAxis=percent),
        widget("Memory, %", used("MemoryUtilization"), (WIDTH, row), yAxis=percent),
        widget("Tasks", counts, (2 * WIDTH, row), yAxis={"left": {"min": 0}}),
    ]


def placeholder(reference: Published) -> str:
    """What stands for a value of another stack in a dashboard's body."""
    return f"${{{reference.parameter}}}"


def dashboard(
    name: str, widgets: Iterable[dict[str, Body]], references: Iterable[Published]
) -> cloudwatch.Dashboard:
    """A dashboard; `references` are the values that its widgets have placeholders for."""
    text = json.dumps({"widgets": list(widgets)}, sort_keys=True, indent=1)
    filled = {each.parameter: each for each in references}
    return cloudwatch.Dashboard("Dashboard", DashboardName=name, DashboardBody=Sub(text, **filled))
