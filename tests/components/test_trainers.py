"""A trainer starts by schedule or by hand, again when it lost its capacity, and people hear of the rest."""

from __future__ import annotations

import json
import re
import subprocess
from typing import Any

import pytest

from mlopsgen.plan import Command, Plan
from tests.components.pipelines import plan, trainer
from tests.events import matches
from tests.policies import may, properties, stack, statements

STACK = "training-trainer"
CLUSTER = "arn:aws:ecs:ap-southeast-1:123456789012:cluster/demo-default-training"
FAMILY = "arn:aws:ecs:ap-southeast-1:123456789012:task-definition/demo-default-trainer:7"
WEEKLY = '{cron: "0 3 * * 0", timezone: Asia/Ho_Chi_Minh}'
SPOT = "{ec2: {instanceType: g4dn.xlarge, purchase: spot}}"


@pytest.fixture(scope="module")
def weekly() -> Plan:
    return plan(trainer(schedule=WEEKLY, compute=SPOT, timeout="6h", stopTimeout="90s"))


def stopped(group: str, stop_code: str, exit_code: int | None, reason: str = "") -> dict[str, Any]:
    """What ECS sends when a task has stopped, with a second container that somebody injected."""
    own: dict[str, Any] = {"name": "trainer", "lastStatus": "STOPPED"}
    if exit_code is not None:
        own["exitCode"] = exit_code
    detail = {
        "clusterArn": CLUSTER,
        "group": group,
        "lastStatus": "STOPPED",
        "stopCode": stop_code,
        "stoppedReason": reason,
        "containers": [{"name": "aws-guardduty-agent", "exitCode": 137}, own],
    }
    return {"source": "aws.ecs", "detail-type": "ECS Task State Change", "detail": detail}


def heard(plan: Plan, event: dict[str, Any]) -> list[str]:
    """The rules that the event sets off."""
    return [
        each.logical_id
        for each in stack(plan, STACK).resources
        if each.body.resource_type == "AWS::Events::Rule"
        and matches(properties(plan, STACK, each.logical_id)["EventPattern"], event)
    ]


@pytest.mark.parametrize(
    ("stop_code", "exit_code", "reason"),
    [
        ("SpotInterruption", 137, "Your Spot Task was interrupted."),
        ("TerminationNotice", None, "Host EC2 (instance i-0123456789abcdef0) terminated."),
        ("InfrastructureHealth", None, "The task was stopped due to unhealthy infrastructure."),
        ("EssentialContainerExited", 143, "Essential container in task exited"),
    ],
)
def test_a_run_that_lost_its_capacity_is_started_again_twice_and_then_reported(
    weekly: Plan, stop_code: str, exit_code: int | None, reason: str
):
    def rules(group: str) -> list[str]:
        return heard(weekly, stopped(f"{group}:demo-default-trainer", stop_code, exit_code, reason))

    assert rules("schedule") == ["RetryRule1"]
    assert rules("family") == ["RetryRule1"]
    assert rules("retry-1") == ["RetryRule2"]
    assert rules("retry-2") == ["FailedRule"]


def test_each_retry_carries_its_number(weekly: Plan):
    groups = [
        properties(weekly, STACK, f"RetryRule{attempt}")["Targets"][0]["EcsParameters"]["Group"]
        for attempt in (1, 2)
    ]
    assert groups == ["retry-1:demo-default-trainer", "retry-2:demo-default-trainer"]


@pytest.mark.parametrize("group", ["family", "schedule", "retry-1", "retry-2"])
@pytest.mark.parametrize(
    ("stop_code", "exit_code"),
    [("EssentialContainerExited", 1), ("EssentialContainerExited", 124), ("TaskFailedToStart", None)],
)
def test_an_error_is_reported_and_never_retried(
    weekly: Plan, group: str, stop_code: str, exit_code: int | None
):
    """124 is what `timeout` ends with when the time is over."""
    assert heard(weekly, stopped(f"{group}:demo-default-trainer", stop_code, exit_code)) == ["FailedRule"]


@pytest.mark.parametrize(
    "event",
    [
        stopped("schedule:demo-default-trainer", "EssentialContainerExited", 0),
        stopped("schedule:demo-default-trainer", "UserInitiated", 143),
        stopped("schedule:demo-default-another", "SpotInterruption", 143),
        stopped("family:demo-default-trainer-two", "EssentialContainerExited", 1),
    ],
    ids=["success", "stopped by a person", "another trainer, lost", "another trainer, failed"],
)
def test_success_a_person_and_other_trainers_set_nothing_off(weekly: Plan, event: dict[str, Any]):
    """Nor does the exit code of a container that is not the trainer's."""
    assert heard(weekly, event) == []


def test_without_retries_the_first_loss_is_reported():
    once = plan(trainer(retries="0"))
    event = stopped("family:demo-default-trainer", "SpotInterruption", 137)
    assert heard(once, event) == ["FailedRule"]
    assert "RetryRole" not in {each.logical_id for each in stack(once, STACK).resources}


def test_the_schedule_says_when_where_and_with_which_capacity(weekly: Plan):
    schedule = properties(weekly, STACK, "Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 ? * SUN *)"
    assert schedule["ScheduleExpressionTimezone"] == "Asia/Ho_Chi_Minh"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["State"] == "ENABLED"
    target = schedule["Target"]
    assert target["Arn"] == CLUSTER
    assert target["DeadLetterConfig"] == {"Arn": "ref-DeadLettersArn"}
    run = target["EcsParameters"]
    assert run["CapacityProviderStrategy"] == [{"CapacityProvider": "demo-default-trainer", "Weight": 1}]
    assert "LaunchType" not in run
    assert run["PropagateTags"] == "TASK_DEFINITION"
    assert run["NetworkConfiguration"]["AwsvpcConfiguration"] == {
        "AssignPublicIp": "DISABLED",
        "SecurityGroups": ["att-SecurityGroup-GroupId"],
        "Subnets": "ref-PrivateSubnetIds",
    }


def test_a_schedule_that_is_switched_off_is_kept_and_not_missed():
    off = plan(trainer(schedule='{cron: "0 3 * * 0", enabled: false}'))
    assert properties(off, STACK, "Schedule")["State"] == "DISABLED"
    names = {each.logical_id for each in stack(off, STACK).resources}
    assert names.isdisjoint({"MissingAlarm", "NotStartedAlarm"})


@pytest.mark.parametrize(
    ("compute", "provider"), [("{fargate: {}}", "FARGATE"), ("{fargate: {purchase: spot}}", "FARGATE_SPOT")]
)
def test_on_fargate_runs_take_fargate_or_its_spot_capacity(compute: str, provider: str):
    fargate = plan(trainer(schedule=WEEKLY, compute=compute))
    for run in (
        properties(fargate, STACK, "Schedule")["Target"]["EcsParameters"],
        properties(fargate, STACK, "RetryRule1")["Targets"][0]["EcsParameters"],
    ):
        assert run["CapacityProviderStrategy"] == [{"CapacityProvider": provider, "Weight": 1}]
    types = {each.body.resource_type for each in stack(fargate, "training").resources}
    assert "AWS::AutoScaling::AutoScalingGroup" not in types


def test_a_run_ends_when_its_time_is_over_and_hands_on_sigterm(weekly: Plan):
    """The entry point and command, as the container runs them, but for the program and a shorter time."""
    container = properties(weekly, STACK, "TaskDefinition")["ContainerDefinitions"][0]
    assert container["EntryPoint"] == ["timeout", "--signal=TERM", "--kill-after=90s", "21600s"]
    assert container["Command"] == ["python", "-m", "train"]
    *head, _ = container["EntryPoint"]
    saves = "trap 'exit 143' TERM; kill -TERM $PPID; sleep 60 & wait"
    assert subprocess.run([*head, "0.2s", "sleep", "60"]).returncode == 124
    assert subprocess.run([*head, "60s", "bash", "-c", saves]).returncode == 143
    assert subprocess.run([*head, "60s", "bash", "-c", "exit 3"]).returncode == 3


def test_an_image_given_by_uri_is_run_with_the_command_that_the_trainer_says():
    uri = f"example.com/trainer@sha256:{'0' * 64}"
    image = f'image: {{uri: "{uri}"}}, command: [python, fit.py, --epochs, "3"]'
    given = plan(f"  trainers: [{{name: trainer, {image}}}]\n")
    container = properties(given, STACK, "TaskDefinition")["ContainerDefinitions"][0]
    assert container["Image"] == uri
    assert container["EntryPoint"][0] == "timeout"
    assert container["Command"] == ["python", "fit.py", "--epochs", "3"]


def test_hyperparameters_are_one_json_object_whatever_they_hold():
    odd = """{b: "quotes \\" and ${Ref} $(rm) \\n", a: [1, 2.5, true, null], c: {d: é}}"""
    container = properties(plan(trainer(hyperparameters=odd)), STACK, "TaskDefinition")[
        "ContainerDefinitions"
    ][0]
    variables = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert json.loads(variables["HYPERPARAMETERS"]) == {
        "a": [1, 2.5, True, None],
        "b": 'quotes " and ${Ref} $(rm) \n',
        "c": {"d": "é"},
    }


@pytest.mark.parametrize("role", ["ScheduleRole", "RetryRole"])
def test_whoever_starts_the_trainer_can_start_nothing_else(weekly: Plan, role: str):
    policy = statements(weekly, STACK, role)
    here = {"ecs:cluster": CLUSTER}
    assert may(policy, "ecs:RunTask", FAMILY, here)
    assert not may(policy, "ecs:RunTask", FAMILY, {"ecs:cluster": CLUSTER.replace("training", "serving")})
    assert not may(policy, "ecs:RunTask", FAMILY.replace("trainer:7", "trainer-two:1"), here)
    tasks = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    assert may(policy, "iam:PassRole", "att-TaskRole-Arn", tasks)
    assert may(policy, "iam:PassRole", "att-ExecutionRole-Arn", tasks)
    assert not may(policy, "iam:PassRole", "att-TaskRole-Arn", {"iam:PassedToService": "ec2.amazonaws.com"})
    assert not may(policy, "iam:PassRole", "arn:aws:iam::123456789012:role/admin", tasks)


def test_rules_of_this_pipeline_alone_reach_its_dead_letters(weekly: Plan):
    allow, deny = properties(weekly, "training", "DeadLettersPolicy")["PolicyDocument"]["Statement"]
    assert allow["Condition"]["ArnLike"]["aws:SourceArn"].endswith(":rule/demo-default-*")
    assert deny["Effect"] == "Deny"
    name = properties(weekly, STACK, "RetryRule1")["Name"]
    assert name.startswith("demo-default-")


@pytest.mark.parametrize(
    ("cron", "hours"),
    [("0 3 * * *", 26), ("0 * * * *", 3), ("0 3 * * 1-5", 74), ("0 3 * * 0", 168), ("0 3 1 * *", None)],
)
def test_a_missing_run_is_noticed_as_soon_as_cloudwatch_can(cron: str, hours: int | None):
    """It looks back seven days at most, and one day with periods of less than an hour."""
    missed = plan(trainer(schedule=f'{{cron: "{cron}"}}'))
    names = {each.logical_id for each in stack(missed, STACK).resources}
    assert "NotStartedAlarm" in names
    assert ("MissingAlarm" in names) == (hours is not None)
    if hours:
        alarm = properties(missed, STACK, "MissingAlarm")
        assert alarm["Period"] * alarm["EvaluationPeriods"] == hours * 3600 <= 7 * 86400
        assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
        assert alarm["TreatMissingData"] == "breaching"


def test_alarms_that_are_turned_off_leave_nothing_behind():
    off = "  monitoring: {alarms: {trainingFailed: false, trainingMissing: false}}\n"
    quiet = plan(trainer(schedule=WEEKLY), off)
    types = {each.body.resource_type for each in stack(quiet, STACK).resources}
    assert "AWS::CloudWatch::Alarm" not in types
    assert "TopicArn" not in {each.name for each in stack(quiet, STACK).parameters}


def test_a_failure_is_told_in_words(weekly: Plan):
    target = properties(weekly, STACK, "FailedRule")["Targets"][0]
    template = json.loads(target["InputTransformer"]["InputTemplate"])
    assert template.startswith("Trainer trainer of demo-default failed: <reason>")
    assert "aws logs tail /demo-default/trainer" in template


def test_every_parameter_is_used(weekly: Plan):
    for each in weekly.stacks:
        text = json.dumps([resource.body.to_dict() for resource in each.resources])
        assert [name for name in (p.name for p in each.parameters) if name not in text] == []


def test_the_commands_for_people_are_whole_shell_commands(weekly: Plan):
    commands = [each for each in weekly.commands if isinstance(each, Command) and each.topic == "Training"]
    start = next(each for each in commands if each.title.startswith("Start"))
    text = "\n".join(start.lines)
    assert "--capacity-provider-strategy capacityProvider=demo-default-trainer,weight=1" in text
    assert "--name /demo-default/training/trainer/network" in text
    for each in commands:
        assert subprocess.run(["bash", "-n", "-c", "\n".join(each.lines)]).returncode == 0


def test_where_it_runs_is_json_as_run_task_takes_it(weekly: Plan):
    text = properties(weekly, STACK, "RunNetwork")["Value"]["Fn::Sub"][0]
    filled = text.replace("${Subnets}", 'subnet-1","subnet-2').replace("${Group}", "sg-1")
    assert json.loads(filled) == {
        "awsvpcConfiguration": {
            "subnets": ["subnet-1", "subnet-2"],
            "securityGroups": ["sg-1"],
            "assignPublicIp": "DISABLED",
        }
    }


def test_a_spot_instance_ends_the_run_when_its_notice_comes(weekly: Plan):
    """ECS stops only tasks of services by itself; a run would be cut off without a SIGTERM."""
    data = properties(weekly, "training", "TrainerLaunchTemplate")["LaunchTemplateData"]
    script = data["UserData"]["Fn::Base64"]
    assert subprocess.run(["bash", "-n"], input=script, text=True).returncode == 0
    _, watch, _ = re.split(r"<<'WATCH'\n|\nWATCH\n", script)
    assert subprocess.run(["bash", "-n"], input=watch, text=True).returncode == 0
    assert "label=com.amazonaws.ecs.container-name=trainer" in watch
    assert watch.endswith("docker stop --time 90")
    group = properties(weekly, "training", "TrainerAutoScalingGroup")
    assert (group["MinSize"], group["CapacityRebalance"]) == ("0", False)


def test_an_instance_on_demand_watches_nothing():
    steady = plan(trainer(compute="{ec2: {instanceType: g4dn.xlarge}}"))
    data = properties(steady, "training", "TrainerLaunchTemplate")["LaunchTemplateData"]
    assert "watch-spot" not in data["UserData"]["Fn::Base64"]
