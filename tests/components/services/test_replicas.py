"""How many tasks of a service run, and what moves their number."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import held, plan, service
from tests.policies import stack

WEB = "[{name: web}]"


def policies(found: Plan) -> dict[str, dict[str, Any]]:
    """What is held near which target, by the policy's name."""
    return {
        each.properties["PolicyName"]: each.properties["TargetTrackingScalingPolicyConfiguration"]
        for each in stack(found, "serving-api").resources
        if each.type == "AWS::ApplicationAutoScaling::ScalingPolicy"
    }


def test_a_fixed_number_is_the_templates():
    """Without `max` there are exactly so many."""
    found = plan(service(replicas="{min: 3}"))
    assert held(found, "serving-api", "Service")["DesiredCount"] == 3
    assert "ScalableTarget" not in {each.logical_id for each in stack(found, "serving-api").resources}


def test_a_number_that_scales_is_nobodys():
    """A count in the template would undo scaling at every deployment."""
    found = plan(
        service(replicas="{min: 2, max: 8, metrics: {cpu: 70%, memory: 62.5%}, cooldown: {out: 30s}}")
    )
    assert "DesiredCount" not in held(found, "serving-api", "Service")
    target = held(found, "serving-api", "ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 8)
    assert target["ResourceId"] == "service/demo-default/api"
    assert policies(found) == {
        name: {
            "TargetValue": value,
            "ScaleInCooldown": 300,
            "ScaleOutCooldown": 30,
            "PredefinedMetricSpecification": {"PredefinedMetricType": measure},
        }
        for name, value, measure in (
            ("cpu", 70, "ECSServiceAverageCPUUtilization"),
            ("memory", 62.5, "ECSServiceAverageMemoryUtilization"),
        )
    }


@pytest.mark.parametrize(("rate", "target"), [("20/s", 1200), ("100/m", 100), ("0.5/s", 30)])
def test_requests_are_counted_by_the_minute(rate: str, target: float):
    """Whatever unit is written."""
    found = policies(
        plan(service(ingress=WEB, replicas=f"{{min: 1, max: 4, metrics: {{requests: {rate}}}}}"))
    )
    assert found["requests"]["TargetValue"] == target
    label = found["requests"]["PredefinedMetricSpecification"]["ResourceLabel"]
    assert label["Fn::Join"][1][0] == {"Ref": "ServingInternalLoadBalancerFullName"}


def test_scaling_looks_at_every_target_group():
    """After a deployment that shifts traffic, requests go to the other; and routes share the tasks."""
    fields = {"replicas": "{min: 1, max: 4, metrics: {requests: 10/s, latency: 250ms, cpu: 70%}}"}
    shifting = policies(plan(service(ingress=WEB, deployment="{blueGreen: {}}", **fields)))
    several = policies(plan(service(ingress="[{name: a, paths: [/a]}, {name: b, paths: [/b]}]", **fields)))
    for found in (shifting, several):
        for name, expression, metric, stat in (
            ("requests", "SUM([m1, m2])", "RequestCountPerTarget", "Sum"),
            ("latency", "MAX([m1, m2])", "TargetResponseTime", "p95"),
        ):
            *measured, total = found[name]["CustomizedMetricSpecification"]["Metrics"]
            assert total == {"Id": "all", "Expression": expression, "ReturnData": True}
            assert [each["MetricStat"]["Metric"]["MetricName"] for each in measured] == [metric, metric]
            assert [each["MetricStat"]["Stat"] for each in measured] == [stat, stat]
            assert [each["ReturnData"] for each in measured] == [False, False]
        assert found["latency"]["TargetValue"] == 0.25


def test_a_schedule_changes_what_it_names():
    """The other bound stays as it was."""
    schedules = (
        '[{name: day, cron: "0 8 * * 1-5", timeZone: Europe/Dublin, min: 4}, '
        '{name: night, cron: "0 20 * * 1-5", min: 2, max: 6}]'
    )
    found = plan(service(replicas=f"{{min: 2, max: 8, metrics: {{cpu: 70%}}, schedules: {schedules}}}"))
    actions = held(found, "serving-api", "ScalableTarget")["ScheduledActions"]
    assert [(each["Timezone"], each["ScalableTargetAction"]) for each in actions] == [
        ("Europe/Dublin", {"MinCapacity": 4}),
        ("UTC", {"MinCapacity": 2, "MaxCapacity": 6}),
    ]


@pytest.mark.parametrize(
    ("replicas", "policy", "scales"),
    [
        ("{min: 2, max: 2, metrics: {cpu: 70%}}", False, False),
        ("{min: 0, max: 0, metrics: {cpu: 70%}}", False, False),
        ("{min: 2, max: 4, metrics: {cpu: 70%}}", True, True),
        ("{min: 2, metrics: {cpu: 70%}, schedules: SCHEDULES}", True, True),
        ("{min: 0, max: 0, metrics: {cpu: 70%}, schedules: SCHEDULES}", False, False),
    ],
)
def test_measures_rest_where_nothing_can_move(replicas: str, policy: bool, scales: bool):
    """Where the fewest are the most, until a schedule opens the bounds; all rests where none may run."""
    schedules = '[{name: day, cron: "0 8 * * *", max: 6}, {name: night, cron: "0 20 * * *", max: 2}]'
    found = plan(service(replicas=replicas.replace("SCHEDULES", schedules)))
    assert bool(policies(found)) == policy
    assert ("DesiredCount" not in held(found, "serving-api", "Service")) == scales
