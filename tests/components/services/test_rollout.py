"""How versions of a service follow each other, what sends one back, and what people hear of."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import held, plan, service
from tests.policies import stack

ALARM = "AWS::CloudWatch::Alarm"
WEB = "[{name: web}]"
FIVE = "[{name: a, paths: [/a]}, {name: b, paths: [/b]}, {name: c, paths: [/c]}, {name: d, paths: [/d]}, {name: e, paths: [/e]}]"  # noqa: E501


TWO = """\
  images: [{name: app}]
  services:
    - {name: api, image: app, ingress: [{name: web, paths: [/v1]}]}
    - {name: second, image: app, ingress: [{name: web, paths: [/v2]}]}
"""


def deployment(found: Plan) -> dict[str, Any]:
    return dict(held(found, "serving-api", "Service")["DeploymentConfiguration"])


def alarms(found: Plan, name: str = "serving-api") -> dict[str, dict[str, Any]]:
    """The alarms of a stack, by logical id."""
    return {each.logical_id: each.properties for each in stack(found, name).resources if each.type == ALARM}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "{}",
            {
                "Strategy": "ROLLING",
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "DeploymentCircuitBreaker": {"Enable": True, "Rollback": True},
            },
        ),
        (
            "{rolling: {maxUnavailable: 50%, maxSurge: 25%}, rollback: {onFailure: false}}",
            {
                "Strategy": "ROLLING",
                "MinimumHealthyPercent": 50,
                "MaximumPercent": 125,
                "DeploymentCircuitBreaker": {"Enable": False, "Rollback": False},
            },
        ),
        (
            "{blueGreen: {bakeTime: 20m}}",
            {
                "Strategy": "BLUE_GREEN",
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "BakeTimeInMinutes": 20,
            },
        ),
        (
            "{canary: {share: 2.5%, stepTime: 3m}}",
            {
                "Strategy": "CANARY",
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "BakeTimeInMinutes": 10,
                "CanaryConfiguration": {"CanaryPercent": 2.5, "CanaryBakeTimeInMinutes": 3},
            },
        ),
        (
            "{linear: {share: 20%, stepTime: 2m, bakeTime: 0s}}",
            {
                "Strategy": "LINEAR",
                "MinimumHealthyPercent": 100,
                "MaximumPercent": 200,
                "BakeTimeInMinutes": 0,
                "LinearConfiguration": {"StepPercent": 20, "StepBakeTimeInMinutes": 2},
            },
        ),
    ],
)
def test_each_strategy_is_said_in_the_words_of_ecs(written: str, expected: dict[str, Any]):
    """With shares in percent and times in minutes."""
    found = deployment(plan(service(ingress=WEB, deployment=written)))
    del found["Alarms"]
    assert found == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"ingress": WEB}, ["WebErrorRateAlarm"]),
        ({"ingress": WEB, "alarms": "{latency: {above: 500ms}}"}, ["WebErrorRateAlarm", "WebLatencyAlarm"]),
        ({"ingress": WEB, "alarms": "{errorRate: {enabled: false}}"}, []),
        ({"ingress": WEB, "deployment": "{rollback: {onAlarms: false}}"}, []),
        ({}, []),
    ],
)
def test_alarms_send_a_deployment_back(fields: dict[str, str], expected: list[str]):
    """`errorRate`, and `latency` where the service sets it: a model may take longer than the default."""
    found = deployment(plan(service(**fields)))
    assert [each["Ref"] for each in found.get("Alarms", {}).get("AlarmNames", [])] == expected


def test_a_default_for_latency_sends_nothing_back():
    """What the pipeline sets for all services says nothing of this one's model."""
    found = plan("  monitoring: {alarms: {services: {latency: {above: 9s}}}}\n", service(ingress=WEB))
    assert alarms(found)["WebLatencyAlarm"]["Threshold"] == 9
    assert deployment(found)["Alarms"]["AlarmNames"] == [{"Ref": "WebErrorRateAlarm"}]


def metrics_of(alarm: dict[str, Any]) -> list[str]:
    return [each["MetricStat"]["Metric"]["MetricName"] for each in alarm["Metrics"] if "MetricStat" in each]


def test_errors_of_a_balancer_count_where_it_is_the_services_own():
    """On a shared one a neighbour's would ring; there the connections to its own tasks that failed count."""
    alone = alarms(plan(service(ingress=WEB)))["WebErrorRateAlarm"]
    assert metrics_of(alone) == ["HTTPCode_Target_5XX_Count", "RequestCount", "HTTPCode_ELB_5XX_Count"]
    assert alone["Metrics"][2]["MetricStat"]["Metric"]["Dimensions"] == [
        {"Name": "LoadBalancer", "Value": {"Ref": "ServingInternalLoadBalancerFullName"}}
    ]
    assert alone["Metrics"][3]["Expression"] == (
        "IF(FILL(r1, 0) + FILL(b1, 0) > 0,"
        " 100 * (FILL(e1, 0) + FILL(b1, 0)) / (FILL(r1, 0) + FILL(b1, 0)), 0)"
    )
    shared = alarms(plan(TWO))["WebErrorRateAlarm"]
    assert metrics_of(shared) == ["HTTPCode_Target_5XX_Count", "RequestCount", "TargetConnectionErrorCount"]


def test_no_alarm_looks_at_more_metrics_than_cloudwatch_takes():
    """Ten, with five routes whose traffic is shifted too: each route has alarms of its own."""
    found = plan(service(ingress=FIVE, deployment="{canary: {}}", alarms="{latency: {above: 1s}}"))
    every = alarms(found) | alarms(found, "observability-api")
    assert {name: len(metrics_of(each)) for name, each in every.items() if len(metrics_of(each)) > 10} == {}
    assert len(deployment(found)["Alarms"]["AlarmNames"]) == 10
    assert alarms(found)["BErrorRateAlarm"]["AlarmDescription"].startswith("route b of api answers")


@pytest.mark.parametrize(
    ("own", "base", "expected"),
    [
        ("{}", "{}", ("GreaterThanThreshold", 80, 5)),
        ("{}", "{cpu: {above: 60%}}", ("GreaterThanThreshold", 60, 5)),
        ("{cpu: {for: 2m}}", "{cpu: {above: 60%, for: 9m}}", ("GreaterThanThreshold", 60, 2)),
        ("{cpu: {below: 5%}}", "{cpu: {above: 60%}}", ("LessThanThreshold", 5, 5)),
        ("{cpu: {above: 0%}}", "{cpu: {above: 60%}}", ("GreaterThanThreshold", 0, 5)),
        ("{cpu: {enabled: false}}", "{}", None),
        ("{cpu: {enabled: true}}", "{cpu: {enabled: false}}", ("GreaterThanThreshold", 80, 5)),
    ],
)
def test_an_alarm_is_set_key_by_key(own: str, base: str, expected: tuple[str, float, int] | None):
    """A service's own word goes before the pipeline's for all services, and that before the default."""
    found = alarms(
        plan(f"  monitoring: {{alarms: {{services: {base}}}}}\n", service(alarms=own)), "observability-api"
    )
    alarm = found.get("CpuAlarm")
    seen = alarm and (alarm["ComparisonOperator"], alarm["Threshold"], alarm["EvaluationPeriods"])
    assert seen == expected
    if alarm:
        assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]


def test_an_alarm_stands_where_it_is_set():
    """So that a finding about it, or a reviewer, is led to the line."""
    found = plan(service(alarms="{memory: {above: 90%}}"))
    places = {each.logical_id: each.origin for each in stack(found, "observability-api").resources}
    assert places["CpuAlarm"] == ("spec", "monitoring", "alarms", "services", "cpu")
    assert places["MemoryAlarm"] == ("spec", "services", "api", "alarms", "memory")


def test_without_insights_nothing_counts_tasks():
    """An alarm on a metric that nobody measures would never ring."""
    found = plan("  monitoring: {containerInsights: disabled}\n", service(ingress=WEB))
    assert sorted(alarms(found, "observability-api")) == ["CpuAlarm", "MemoryAlarm", "UnhealthyTasksAlarm"]


def test_dashboards_can_be_off():
    """And then there is none; with one, it is deployed after the service that it shows."""
    assert "Dashboard" not in ids(plan("  monitoring: {dashboards: {enabled: false}}\n", service()))
    assert "Dashboard" in ids(plan(service()))
    order = [each.name for each in plan(service()).stacks]
    assert order.index("serving-api") < order.index("observability-api")


def ids(found: Plan) -> set[str]:
    return {each.logical_id for each in stack(found, "observability-api").resources}


def test_a_dashboard_shows_every_target_group():
    """Of each route, and both where traffic is shifted: after a deployment requests go to the other."""
    found = plan(
        service(ingress="[{name: a, paths: [/a]}, {name: b, paths: [/b]}]", deployment="{canary: {}}")
    )
    body = held(found, "observability-api", "Dashboard")["DashboardBody"]["Fn::Sub"]
    assert sorted(body[1]) == [
        "ServingApiAAlternateTargetGroup",
        "ServingApiATargetGroup",
        "ServingApiBAlternateTargetGroup",
        "ServingApiBTargetGroup",
        "ServingInternalLoadBalancerFullName",
    ]
    assert all(f"${{{name}}}" in body[0] for name in body[1])


def test_a_service_waits_for_its_rules():
    """A target group that no rule leads to takes no service; who shifts traffic names the rule itself."""
    rolling = plan(service(ingress="[{name: web, paths: [/a, /b, /c]}]"))
    found = next(each for each in stack(rolling, "serving-api").resources if each.logical_id == "Service")
    assert found.document["DependsOn"] == ["WebListenerRule", "WebListenerRule2"]
    shifting = plan(service(ingress=WEB, deployment="{linear: {}}"))
    found = next(each for each in stack(shifting, "serving-api").resources if each.logical_id == "Service")
    assert "DependsOn" not in found.document
    advanced = found.properties["LoadBalancers"][0]["AdvancedConfiguration"]
    assert advanced["ProductionListenerRule"] == {"Ref": "WebListenerRule"}


def test_a_long_start_is_waited_for():
    """Load balancers wait as long as the service says, and ECS's own check as long as it can."""
    check = "{path: /ready, startPeriod: 20m}"
    found = plan(service(ingress=WEB, healthCheck=check))
    assert held(found, "serving-api", "Service")["HealthCheckGracePeriodSeconds"] == 1200
    container = held(found, "serving-api", "TaskDefinition")["ContainerDefinitions"][0]
    assert container["HealthCheck"]["StartPeriod"] == 300


def test_zones_are_balanced_where_there_is_room():
    """ECS moves a task to another zone by starting one more first."""

    def balanced(rolling: str) -> str:
        found = plan(service(deployment=f"{{rolling: {rolling}}}"))
        return str(held(found, "serving-api", "Service")["AvailabilityZoneRebalancing"])

    assert balanced("{}") == "ENABLED"
    assert balanced("{maxUnavailable: 50%, maxSurge: 0%}") == "DISABLED"
