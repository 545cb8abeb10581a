"""A job starts by triggers or by hand, again when it lost its capacity, and people hear of the rest."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan, trainer
from tests.events import matches
from tests.policies import may, properties, stack, statements

STACK = "training-trainer"
CLUSTER = "arn:aws:ecs:ap-southeast-1:123456789012:cluster/demo-default"
FAMILY = "arn:aws:ecs:ap-southeast-1:123456789012:task-definition/demo-default-trainer:7"
WEEKLY = '[{name: weekly, schedule: {cron: "0 3 * * 0", timeZone: Asia/Ho_Chi_Minh}}]'
GPU = "  capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]%s}}]\n"
SPOT = GPU % ", spot: {}"


@pytest.fixture(scope="module")
def weekly() -> Plan:
    return plan(SPOT, trainer(triggers=WEEKLY, capacity="gpu", timeout="6h", stopTimeout="90s"))


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
        if each.type == "AWS::Events::Rule"
        and matches(properties(plan, STACK, each.logical_id)["EventPattern"], event)
    ]


@pytest.mark.parametrize(
    ("stop_code", "exit_code", "reason"),
    [
        ("SpotInterruption", 137, "Your Spot Task was interrupted."),
        ("TerminationNotice", None, "Host EC2 (instance i-0123456789abcdef0) terminated."),
        ("InfrastructureHealth", None, "The task was stopped due to unhealthy infrastructure."),
        ("EssentialContainerExited", 143, "Essential container in task exited"),
        ("TaskFailedToStart", None, "EMPTY CAPACITY PROVIDER"),
        ("TaskFailedToStart", None, "TaskFailedToStart: RESOURCE:GPU"),
    ],
)
def test_a_run_that_lost_its_capacity_is_started_again_twice_and_then_reported(
    weekly: Plan, stop_code: str, exit_code: int | None, reason: str
):
    def rules(group: str) -> list[str]:
        return heard(weekly, stopped(f"{group}:demo-default-trainer", stop_code, exit_code, reason))

    assert rules("family") == ["RetryRule1"]
    assert rules("retry-1") == ["RetryRule2"]
    assert rules("retry-2") == ["FailedRule"]
    assert rules("trigger-weekly") == ["WeeklyRetryRule1"]
    assert rules("retry-1-weekly") == ["WeeklyRetryRule2"]
    assert rules("retry-2-weekly") == ["FailedRule"]


def test_a_run_that_finds_no_capacity_on_fargate_is_started_again_too():
    spot = plan(trainer(capacity="fargate-spot"))
    reason = "Capacity is unavailable at this time. Please try again later"
    for group, rule in (("family", "RetryRule1"), ("retry-2", "FailedRule")):
        event = stopped(f"{group}:demo-default-trainer", "TaskFailedToStart", None, reason)
        assert heard(spot, event) == [rule]
    pull = stopped("family:demo-default-trainer", "TaskFailedToStart", None, "CannotPullContainerError: no")
    assert heard(spot, pull) == ["FailedRule"]


def test_each_retry_carries_its_number_and_its_trigger(weekly: Plan):
    """A program that does different things by trigger does the same when it is started again."""
    for name, group in (("", "retry-%s"), ("Weekly", "retry-%s-weekly")):
        for attempt in (1, 2):
            target = properties(weekly, STACK, f"{name}RetryRule{attempt}")["Targets"][0]
            assert target["EcsParameters"]["Group"] == f"{group % attempt}:demo-default-trainer"
            assert ("Input" in target) == bool(name)
            if name:
                assert trigger_of(target) == "weekly"


def trigger_of(target: dict[str, Any]) -> str:
    """What the program finds in `TRIGGER`."""
    (override,) = json.loads(target["Input"])["containerOverrides"]
    assert override["name"] == "trainer"
    (variable,) = override["environment"]
    assert variable["name"] == "TRIGGER"
    return str(variable["value"])


@pytest.mark.parametrize("group", ["family", "trigger-weekly", "retry-1", "retry-2-weekly"])
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
        stopped("trigger-weekly:demo-default-trainer", "EssentialContainerExited", 0),
        stopped("trigger-weekly:demo-default-trainer", "UserInitiated", 143),
        stopped("trigger-weekly:demo-default-another", "SpotInterruption", 143),
        stopped("family:demo-default-trainer-two", "EssentialContainerExited", 1),
    ],
    ids=["success", "stopped by a person", "another job, lost", "another job, failed"],
)
def test_success_a_person_and_other_jobs_set_nothing_off(weekly: Plan, event: dict[str, Any]):
    """Nor does the exit code of a container that is not the job's."""
    assert heard(weekly, event) == []


def test_without_retries_the_first_loss_is_reported():
    once = plan(trainer(retries="{onLostCapacity: 0}"))
    event = stopped("family:demo-default-trainer", "SpotInterruption", 137)
    assert heard(once, event) == ["FailedRule"]
    assert "RetryRole" not in {each.logical_id for each in stack(once, STACK).resources}


def test_the_schedule_says_when_where_and_with_which_capacity(weekly: Plan):
    schedule = properties(weekly, STACK, "WeeklySchedule")
    assert schedule["ScheduleExpression"] == "cron(0 3 ? * SUN *)"
    assert schedule["ScheduleExpressionTimezone"] == "Asia/Ho_Chi_Minh"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    assert schedule["State"] == "ENABLED"
    target = schedule["Target"]
    assert trigger_of(target) == "weekly"
    assert target["Arn"] == CLUSTER
    assert target["DeadLetterConfig"] == {"Arn": "ref-TrainingDeadLetterArn"}
    run = target["EcsParameters"]
    assert run["CapacityProviderStrategy"] == [{"CapacityProvider": "demo-default-gpu", "Weight": 1}]
    assert "LaunchType" not in run
    assert run["PropagateTags"] == "TASK_DEFINITION"
    assert run["NetworkConfiguration"]["AwsvpcConfiguration"] == {
        "AssignPublicIp": "DISABLED",
        "SecurityGroups": ["att-SecurityGroup-GroupId"],
        "Subnets": "ref-NetworkPrivateSubnetIds",
    }


def test_another_trigger_makes_no_schedule_anew(weekly: Plan):
    """Each is known by its own name, whatever comes or goes beside it."""
    more = '{name: weekly, schedule: {cron: "0 3 * * 0"}}, {name: monthly, schedule: {cron: "0 4 1 * *"}}'
    both = {each.logical_id for each in stack(plan(trainer(triggers=f"[{more}]")), STACK).resources}
    one = {each.logical_id for each in stack(weekly, STACK).resources}
    assert {each for each in both if each.endswith("Schedule")} == {"MonthlySchedule", "WeeklySchedule"}
    assert {each for each in one if each.endswith("Schedule")} == {"WeeklySchedule"}


def test_a_trigger_that_is_switched_off_is_kept_and_not_missed():
    off = plan(trainer(triggers='[{name: weekly, enabled: false, schedule: {cron: "0 3 * * 0"}}]'))
    assert properties(off, STACK, "WeeklySchedule")["State"] == "DISABLED"
    names = {each.logical_id for each in stack(off, STACK).resources}
    assert names.isdisjoint({"MissingAlarm", "NotStartedAlarm"})


def test_several_triggers_have_a_schedule_each_and_tell_the_program_which():
    monthly, daily = (
        f'{{name: {name}, schedule: {{cron: "{cron}"}}}}'
        for name, cron in (("monthly", "0 5 1 * *"), ("daily", "0 3 * * *"))
    )
    two = plan(trainer(triggers=f"[{monthly}, {daily}]"))
    for name, expression in (("daily", "cron(0 3 * * ? *)"), ("monthly", "cron(0 5 1 * ? *)")):
        schedule = properties(two, STACK, f"{name.capitalize()}Schedule")
        assert schedule["ScheduleExpression"] == expression
        assert schedule["Target"]["EcsParameters"]["Group"] == f"trigger-{name}:demo-default-trainer"
        assert trigger_of(schedule["Target"]) == name
    alarm = properties(two, STACK, "MissingAlarm")
    assert alarm["EvaluationPeriods"] == 26


def test_a_pattern_of_many_retries_and_triggers_is_one_that_eventbridge_takes():
    """It takes 2,048 characters (Amazon EventBridge user guide, "Amazon EventBridge quotas")."""
    triggers = ", ".join(f'{{name: t{n}-{"x" * 28}, schedule: {{cron: "0 {n} * * *"}}}}' for n in range(10))
    many = plan(trainer(retries="{onLostCapacity: 10}", triggers=f"[{triggers}]"))
    rules = [each.properties for each in stack(many, STACK).resources if each.type == "AWS::Events::Rule"]
    assert len(rules) == 1 + 10 * 11
    assert max(len(json.dumps(each["EventPattern"])) for each in rules) < 2048
    assert len({str(each["Name"]) for each in rules}) == len(rules)


@pytest.mark.parametrize(
    ("capacity", "shares"),
    [
        ("fargate", [{"CapacityProvider": "FARGATE", "Weight": 1}]),
        ("fargate-spot", [{"CapacityProvider": "FARGATE_SPOT", "Weight": 1}]),
        (
            "mixed",
            [
                {"CapacityProvider": "FARGATE", "Weight": 1, "Base": 1},
                {"CapacityProvider": "FARGATE_SPOT", "Weight": 3},
            ],
        ),
        (
            "based",
            [
                {"CapacityProvider": "FARGATE", "Weight": 0, "Base": 2},
                {"CapacityProvider": "FARGATE_SPOT", "Weight": 1},
            ],
        ),
    ],
)
def test_on_fargate_runs_take_the_shares_of_their_pool(capacity: str, shares: list[dict[str, Any]]):
    pools = """\
  capacity:
    - {name: mixed, fargate: {spot: {share: 75%, onDemandBase: 1}}}
    - {name: based, fargate: {spot: {onDemandBase: 2}}}
"""
    fargate = plan(pools, trainer(triggers=WEEKLY, capacity=capacity))
    for run in (
        properties(fargate, STACK, "WeeklySchedule")["Target"]["EcsParameters"],
        properties(fargate, STACK, "RetryRule1")["Targets"][0]["EcsParameters"],
    ):
        assert run["CapacityProviderStrategy"] == shares
    types = {each.type for each in stack(fargate, "cluster").resources}
    assert types == {"AWS::ECS::Cluster", "AWS::ECS::ClusterCapacityProviderAssociations"}


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


def test_an_image_from_outside_is_run_with_the_command_that_the_job_says():
    image = f"example.com/trainer@sha256:{'0' * 64}"
    given = plan(f'  jobs: [{{name: trainer, image: "{image}", command: [python, fit.py], args: ["3"]}}]\n')
    container = properties(given, STACK, "TaskDefinition")["ContainerDefinitions"][0]
    assert container["Image"] == image
    assert container["EntryPoint"][0] == "timeout"
    assert container["Command"] == ["python", "fit.py", "3"]


def test_parameters_are_one_json_object_whatever_they_hold():
    odd = """{b: "quotes \\" and ${Ref} $(rm) \\n", a: [1, 2.5, true, null], c: {d: é}}"""
    container = properties(plan(trainer(parameters=odd)), STACK, "TaskDefinition")["ContainerDefinitions"][0]
    variables = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert json.loads(variables["PARAMETERS"]) == {
        "a": [1, 2.5, True, None],
        "b": 'quotes " and ${Ref} $(rm) \n',
        "c": {"d": "é"},
    }


@pytest.mark.parametrize("role", ["ScheduleRole", "RetryRole"])
def test_whoever_starts_the_job_can_start_nothing_else(weekly: Plan, role: str):
    policy = statements(weekly, STACK, role)
    here = {"ecs:cluster": CLUSTER}
    assert may(policy, "ecs:RunTask", FAMILY, here)
    assert not may(policy, "ecs:RunTask", FAMILY, {"ecs:cluster": CLUSTER.replace("demo", "other")})
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


def test_the_queue_can_come_back_as_soon_as_it_has_gone(weekly: Plan):
    """SQS keeps the name of a deleted queue for a minute; one that CloudFormation names has a new one."""
    assert "QueueName" not in properties(weekly, "training", "DeadLetters")
    (command,) = (each for each in weekly.commands if "could not be started" in each.title)
    assert "--stack-name demo-default-training --logical-resource-id DeadLetters" in " ".join(command.lines)


@pytest.mark.parametrize(
    ("cron", "hours"),
    [("0 3 * * *", 26), ("0 * * * *", 3), ("0 3 * * 1-5", 74), ("0 3 * * 0", 168), ("0 3 1 * *", None)],
)
def test_a_missing_run_is_noticed_as_soon_as_cloudwatch_can(cron: str, hours: int | None):
    """It looks back seven days at most, and one day with periods of less than an hour."""
    missed = plan(trainer(triggers=f'[{{name: t, schedule: {{cron: "{cron}"}}}}]'))
    names = {each.logical_id for each in stack(missed, STACK).resources}
    assert "NotStartedAlarm" in names
    assert ("MissingAlarm" in names) == (hours is not None)
    if hours:
        alarm = properties(missed, STACK, "MissingAlarm")
        assert alarm["Period"] * alarm["EvaluationPeriods"] == hours * 3600 <= 7 * 86400
        assert alarm["DatapointsToAlarm"] == alarm["EvaluationPeriods"]
        assert alarm["ComparisonOperator"] == "LessThanThreshold"


@pytest.mark.parametrize("cron", ["0 3 * * *", "0 3 * * 1-5", "0 3 * * 0"])
def test_a_new_alarm_waits_for_the_first_run_before_it_misses_one(cron: str):
    """It can be told to wait two days; what runs more rarely is missed once it has run, and not before."""
    alarm = properties(
        plan(trainer(triggers=f'[{{name: t, schedule: {{cron: "{cron}"}}}}]')), STACK, "MissingAlarm"
    )
    minutes = alarm["Period"] * alarm["EvaluationPeriods"] // 60
    if minutes <= 2 * 24 * 60:
        assert alarm["WarmUpConfiguration"] == {"WarmUpPeriodDurationInMinutes": minutes}
        assert alarm["TreatMissingData"] == "breaching"
        assert "InsufficientDataActions" not in alarm
    else:
        assert alarm["TreatMissingData"] == "missing"
        assert alarm["InsufficientDataActions"] == alarm["AlarmActions"]
        # An update would start the time anew, and leave the alarm without data in the meantime.
        assert "WarmUpConfiguration" not in alarm


def test_alarms_that_are_turned_off_leave_nothing_behind():
    off = "{failed: {enabled: false}, missing: {enabled: false}}"
    for quiet in (
        plan(trainer(triggers=WEEKLY), f"  monitoring: {{alarms: {{jobs: {off}}}}}\n"),
        plan(trainer(triggers=WEEKLY, alarms=off)),
    ):
        types = {each.type for each in stack(quiet, STACK).resources}
        assert "AWS::CloudWatch::Alarm" not in types
        assert "FoundationTopicArn" not in {each.name for each in stack(quiet, STACK).parameters}


def test_a_jobs_own_alarms_go_before_the_pipelines():
    off = "  monitoring: {alarms: {jobs: {failed: {enabled: false}, missing: {for: 10m}}}}\n"
    own = plan(off, trainer(triggers=WEEKLY, alarms="{failed: {enabled: true}}"))
    assert properties(own, STACK, "FailedAlarm")["Period"] == 300
    assert properties(own, STACK, "NotStartedAlarm")["Period"] == 600


def test_a_failure_is_told_in_words(weekly: Plan):
    target = properties(weekly, STACK, "FailedRule")["Targets"][0]
    template = json.loads(target["InputTransformer"]["InputTemplate"])
    assert template.startswith("Job trainer of demo-default failed: <reason>")
    assert "aws logs tail /demo-default/trainer" in template


def test_the_commands_for_people_are_whole_shell_commands(weekly: Plan):
    commands = [each for each in weekly.commands if each.topic == "Jobs"]
    start = next(each for each in commands if each.title.startswith("Start"))
    text = "\n".join(start.lines)
    assert "--capacity-provider-strategy capacityProvider=demo-default-gpu,weight=1" in text
    assert "--name /demo-default/training/trainer/network" in text
    for each in commands:
        assert subprocess.run(["bash", "-n", "-c", "\n".join(each.lines)]).returncode == 0


def test_where_it_runs_is_json_as_run_task_takes_it(weekly: Plan):
    resources = {each.logical_id: each.properties for each in stack(weekly, STACK).resources}
    text, _ = resources["TrainingTrainerNetworkParameter"]["Value"]["Fn::Sub"]
    filled = text.replace("${Subnets}", 'subnet-1","subnet-2').replace("${Group}", "sg-1")
    assert json.loads(filled) == {
        "awsvpcConfiguration": {
            "subnets": ["subnet-1", "subnet-2"],
            "securityGroups": ["sg-1"],
            "assignPublicIp": "DISABLED",
        }
    }
