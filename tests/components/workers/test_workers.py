"""Workers run for ever, and nobody can connect to them."""

from __future__ import annotations

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import held, plan
from tests.policies import stack

WORKER = """\
  images: [{name: app}]
  workers: [{name: reader, image: app%s}]
"""


def worker(**fields: str) -> Plan:
    """The plan of one worker, with further fields in YAML's flow style."""
    return plan(WORKER % "".join(f", {name}: {value}" for name, value in fields.items()))


def ids(found: Plan, name: str) -> set[str]:
    return {each.logical_id for each in stack(found, name).resources}


def test_a_worker_has_no_way_in():
    """No port, no variable that says one, no load balancer, and a security group that lets nobody in."""
    found = worker()
    container = held(found, "serving-reader", "TaskDefinition")["ContainerDefinitions"][0]
    assert "PortMappings" not in container
    assert not {"PORT", "KEEP_ALIVE_SECONDS"} & {each["Name"] for each in container["Environment"]}
    assert "SecurityGroupIngress" not in held(found, "serving-reader", "SecurityGroup")
    assert held(found, "serving-reader", "Service")["LoadBalancers"] == []
    assert "serving" not in {each.name for each in found.stacks}
    assert [(each.name, each.kind) for each in found.tasks] == [("reader", "worker")]


def test_one_task_runs_by_default():
    """A second one is a choice: two may do the same work."""
    assert held(worker(), "serving-reader", "Service")["DesiredCount"] == 1
    found = worker(replicas="{max: 4, metrics: {memory: 70%}}")
    target = held(found, "serving-reader", "ScalableTarget")
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)


def test_it_is_checked_by_a_command_or_not_at_all():
    """There is no port that could be asked, even of an image with Python."""
    container = held(worker(), "serving-reader", "TaskDefinition")["ContainerDefinitions"][0]
    assert "HealthCheck" not in container
    found = worker(healthCheck="{command: [test, -e, /tmp/alive], timeout: 10s}")
    check = held(found, "serving-reader", "TaskDefinition")["ContainerDefinitions"][0]["HealthCheck"]
    assert (check["Command"], check["Timeout"]) == (["CMD", "test", "-e", "/tmp/alive"], 10)


@pytest.mark.parametrize(("start", "grace"), [("1m", None), ("5m", None), ("20m", 1200)])
def test_a_long_start_is_waited_for(start: str, grace: int | None):
    """Longer than ECS's own check can wait for, by the service."""
    found = worker(healthCheck=f"{{command: [check], startPeriod: {start}}}")
    assert held(found, "serving-reader", "Service").get("HealthCheckGracePeriodSeconds") == grace
    container = held(found, "serving-reader", "TaskDefinition")["ContainerDefinitions"][0]
    assert container["HealthCheck"]["StartPeriod"] <= 300


def test_it_is_watched_as_services_are_but_for_callers():
    """CPU, memory and missing tasks, each set by itself, for workers, or by default; and a dashboard."""
    found = worker(alarms="{cpu: {above: 95%}, memory: {enabled: false}}")
    assert ids(found, "observability-reader") == {"CpuAlarm", "MissingTasksAlarm", "Dashboard"}
    assert held(found, "observability-reader", "CpuAlarm")["Threshold"] == 95
    base = "  monitoring: {alarms: {workers: {cpu: {above: 70%}}, services: {cpu: {above: 50%}}}}\n"
    assert held(plan(base, WORKER % ""), "observability-reader", "CpuAlarm")["Threshold"] == 70


def test_a_worker_that_follows_a_model_waits_for_its_first_version():
    """Its stack, and what is watched of it, are deployed once there is one."""
    text = "  images: [{name: app}]\n  models: [{name: words}]\n  workers: [{name: reader, image: app, loads: [words]}]\n"  # noqa: E501
    phases = {each.name: each.phase.name for each in plan(text).stacks}
    assert phases["serving-reader"] == phases["observability-reader"] == "AFTER_FIRST_MODEL"
    fixed = text.replace("{name: words}", "{name: words, version: v1}")
    assert {each.name: each.phase.name for each in plan(fixed).stacks}[
        "serving-reader"
    ] == "BEFORE_FIRST_MODEL"
