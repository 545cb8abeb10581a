"""People can do what their role is for, by verb, and nothing beside it."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import KEY, may, properties, stack, statements

BUCKET = "arn:aws:s3:::demo-default-data-123456789012"
REPOSITORY = "arn:aws:ecr:ap-southeast-1:123456789012:repository/demo-default"
ECS = "arn:aws:ecs:ap-southeast-1:123456789012"
LOGS = "arn:aws:logs:ap-southeast-1:123456789012:log-group:/demo-default"
ROLE = "arn:aws:iam::123456789012:role/demo-default"

SERVICE = f"{ECS}:service/demo-default"
CLUSTER = {"ecs:cluster": f"{ECS}:cluster/demo-default"}
TASK = f"{ECS}:task/demo-default/0123456789abcdef"
TO_TASKS = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}

BASE = """\
  images: [{name: train}, {name: other}, {name: app}, {name: web}]
  models: [{name: model}]
  jobs:
    - {name: trainer, image: train, produces: [model], reads: [raw]}
    - {name: report, image: other, writes: [processed]}
  services:
    - {name: api, image: app}
    - {name: other-api, image: web}
  workers:
    - {name: indexer, image: app}
"""


def people(*roles: str) -> Plan:
    lines = "".join(f"      - {{{role}}}\n" for role in roles)
    return plan(BASE, f"  people:\n    roles:\n{lines}")


PRINCIPAL = 'principals: ["arn:aws:iam::123456789012:user/ann"]'


def family(name: str) -> str:
    return f"{ECS}:task-definition/demo-default-{name}:1"


def tagged(workload: str) -> dict[str, str]:
    """What IAM knows of a task of that workload."""
    return {"aws:ResourceTag/mlopsgen:workload": workload}


@pytest.fixture(scope="module")
def usual() -> Plan:
    presets = (("developer", "developer"), ("analyst", "analyst"), ("model-trainer", "modelTrainer"))
    return people(*(f"name: {name}, preset: {preset}, {PRINCIPAL}" for name, preset in presets))


@pytest.fixture(scope="module")
def developer(usual: Plan) -> list[dict[str, Any]]:
    return statements(usual, "people", "DeveloperRole")


@pytest.fixture(scope="module")
def analyst(usual: Plan) -> list[dict[str, Any]]:
    return statements(usual, "people", "AnalystRole")


@pytest.fixture(scope="module")
def model_trainer(usual: Plan) -> list[dict[str, Any]]:
    return statements(usual, "people", "ModelTrainerRole")


def test_an_analyst_reads_everything_and_writes_nothing(analyst: list[dict[str, Any]]):
    own = {"aws:ResourceTag/mlopsgen:pipeline": "demo", "aws:ResourceTag/mlopsgen:environment": "default"}
    through_s3 = own | {"kms:ViaService": "s3.ap-southeast-1.amazonaws.com"}
    assert may(analyst, "s3:GetObject", f"{BUCKET}/raw/reviews.parquet")
    assert may(analyst, "s3:ListBucket", BUCKET, {"s3:prefix": "raw/"})
    assert may(analyst, "kms:Decrypt", KEY, through_s3)
    assert not may(analyst, "kms:Decrypt", KEY)
    assert not may(analyst, "kms:GenerateDataKey", KEY, through_s3)
    assert may(analyst, "logs:FilterLogEvents", f"{LOGS}/api:*")
    assert may(analyst, "ecs:DescribeTasks", TASK)
    assert may(analyst, "cloudwatch:GetMetricData", "*")
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert not may(analyst, action, f"{BUCKET}/raw/reviews.parquet")
    assert not may(analyst, "ecs:UpdateService", f"{SERVICE}/api")
    assert not may(analyst, "ecr:PutImage", f"{REPOSITORY}/app")


@pytest.mark.parametrize("name", ["api", "indexer"])
def test_a_developer_pushes_images_and_deploys_services_and_workers(
    developer: list[dict[str, Any]], name: str
):
    assert may(developer, "ecr:PutImage", f"{REPOSITORY}/app")
    assert may(developer, "ecs:UpdateService", f"{SERVICE}/{name}")
    assert may(developer, "ecs:UpdateService", f"{SERVICE}/{name}", {"ecs:enable-execute-command": "false"})
    assert may(developer, "iam:PassRole", f"{ROLE}/serving-{name}/TaskRole-X", TO_TASKS)
    assert may(developer, "s3:GetObject", f"{BUCKET}/logs/x")
    assert may(developer, "logs:GetLogEvents", f"{LOGS}/trainer:log-stream:x")


def test_a_developer_gets_no_shell_no_data_and_no_definition_of_their_own(developer: list[dict[str, Any]]):
    service = f"{SERVICE}/api"
    foreign = f"{ECS}:task-definition/somebody-elses:1"
    assert not may(developer, "ecs:UpdateService", service, {"ecs:enable-execute-command": "true"})
    assert not may(developer, "ecs:UpdateService", service, {"ecs:task-definition": foreign})
    assert not may(developer, "ecs:RegisterTaskDefinition", family("api"))
    assert not may(developer, "ecs:ExecuteCommand", TASK)
    assert not may(developer, "s3:GetObject", f"{BUCKET}/raw/reviews.parquet")


def test_a_developer_runs_and_stops_no_job_of_the_one_cluster(developer: list[dict[str, Any]]):
    assert not may(developer, "ecs:RunTask", family("trainer"), CLUSTER)
    assert not may(developer, "iam:PassRole", f"{ROLE}/training-trainer/TaskRole-X", TO_TASKS)
    assert not may(developer, "ecs:StopTask", TASK, tagged("trainer"))


def test_a_model_trainer_runs_what_produces_models_and_promotes(model_trainer: list[dict[str, Any]]):
    network = "arn:aws:ssm:ap-southeast-1:123456789012:parameter/demo-default/training/trainer/network"
    assert may(model_trainer, "ecs:RunTask", family("trainer"), CLUSTER)
    assert may(model_trainer, "ssm:GetParameter", network)
    assert may(model_trainer, "iam:PassRole", f"{ROLE}/training-trainer/TaskRole-X", TO_TASKS)
    assert may(model_trainer, "s3:PutObject", f"{BUCKET}/models/model/current.json")
    assert not may(model_trainer, "s3:PutObject", f"{BUCKET}/models/model/v1/model.onnx")
    assert not may(model_trainer, "s3:PutObject", f"{BUCKET}/raw/x")
    assert not may(model_trainer, "ecs:RunTask", family("report"), CLUSTER)
    for other in ("serving-api/TaskRole-X", "training-report/TaskRole-X", "access/demo-default-delivery"):
        assert not may(model_trainer, "iam:PassRole", f"{ROLE}/{other}", TO_TASKS)


def test_a_model_trainer_starts_and_stops_nothing_else_of_the_one_cluster(
    model_trainer: list[dict[str, Any]],
):
    """What serves runs in the same cluster: it is told apart by its family and its tag."""
    assert may(model_trainer, "ecs:StopTask", TASK, tagged("trainer"))
    assert not may(model_trainer, "ecs:StopTask", TASK, tagged("api"))
    assert not may(model_trainer, "ecs:StopTask", TASK)
    assert not may(model_trainer, "ecs:RunTask", family("api"), CLUSTER)
    elsewhere = {"ecs:cluster": f"{ECS}:cluster/demo-other"}
    assert not may(model_trainer, "ecs:RunTask", family("trainer"), elsewhere)


def test_a_run_has_no_shell(model_trainer: list[dict[str, Any]]):
    shell = {**CLUSTER, "ecs:enable-execute-command": "true"}
    assert not may(model_trainer, "ecs:RunTask", family("trainer"), shell)
    assert may(
        model_trainer, "ecs:RunTask", family("trainer"), shell | {"ecs:enable-execute-command": "false"}
    )


def test_who_runs_a_job_is_told_what_it_reads_and_writes(usual: Plan):
    (trainer,) = (each for each in usual.principals if each.name == "model-trainer")
    (grant,) = (each for each in trainer.grants if each.actions == ("ecs:RunTask",))
    assert grant.because == "runs trainer, which reads raw/ and writes model"


@pytest.mark.parametrize("role", ["DeveloperRole", "AnalystRole", "ModelTrainerRole"])
def test_nobody_reaches_other_data_or_what_cannot_come_back(usual: Plan, role: str):
    """Not even when another policy comes to allow everything."""
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = [*statements(usual, "people", role), everything]
    assert may(policy, "s3:GetObject", f"{BUCKET}/raw/x")
    assert not may(policy, "s3:GetObject", "arn:aws:s3:::other-default-data-123456789012/raw/x")
    assert not may(policy, "s3:DeleteObjectVersion", f"{BUCKET}/raw/x")
    assert not may(policy, "s3:PutBucketPolicy", BUCKET)
    assert not may(policy, "kms:ScheduleKeyDeletion", KEY)


def test_what_a_role_names_is_all_that_it_gets():
    named = people(
        f"name: developer, {PRINCIPAL}, preset: developer, reads: [raw], pushes: [app], deploys: [api], "
        "runs: []",
        f"name: runner, {PRINCIPAL}, preset: modelTrainer, reads: [], deploys: [], runs: [report], "
        "promotes: []",
    )
    developer = statements(named, "people", "DeveloperRole")
    assert may(developer, "s3:GetObject", f"{BUCKET}/raw/x")
    assert not may(developer, "s3:GetObject", f"{BUCKET}/logs/x")
    for action, resource, own, other in (
        ("ecr:PutImage", f"{REPOSITORY}/", "app", "web"),
        ("ecs:UpdateService", f"{SERVICE}/", "api", "other-api"),
        ("logs:GetLogEvents", f"{LOGS}/", "api:log-stream:x", "trainer:log-stream:x"),
        (
            "cloudwatch:GetDashboard",
            "arn:aws:cloudwatch::123456789012:dashboard/demo-default-",
            "api",
            "indexer",
        ),
    ):
        assert may(developer, action, f"{resource}{own}")
        assert not may(developer, action, f"{resource}{other}")
    assert may(developer, "ecs:DescribeTasks", TASK, tagged("api"))
    assert not may(developer, "ecs:DescribeTasks", TASK, tagged("other-api"))
    assert not may(developer, "ecs:DescribeTasks", TASK, tagged("trainer"))
    runner = statements(named, "people", "RunnerRole")
    assert may(runner, "ecs:RunTask", family("report"), CLUSTER)
    assert not may(runner, "ecs:RunTask", family("trainer"), CLUSTER)
    assert may(runner, "logs:GetLogEvents", f"{LOGS}/report:log-stream:x")
    assert not may(runner, "logs:GetLogEvents", f"{LOGS}/api:log-stream:x")
    assert not may(runner, "s3:PutObject", f"{BUCKET}/models/model/current.json")


def test_a_role_without_a_preset_has_what_its_verbs_say_and_sees_that():
    own = people(f"name: indexing, {PRINCIPAL}, deploys: [indexer]")
    policy = statements(own, "people", "IndexingRole")
    assert may(policy, "ecs:UpdateService", f"{SERVICE}/indexer")
    assert may(policy, "ecs:DescribeTasks", TASK, tagged("indexer"))
    assert not may(policy, "ecs:DescribeTasks", TASK, tagged("api"))
    assert not may(policy, "s3:GetObject", f"{BUCKET}/logs/x")
    assert not may(policy, "ecr:PutImage", f"{REPOSITORY}/app")


def test_empty_lists_give_nothing_at_all():
    nothing = "reads: [], writes: [], pushes: [], deploys: [], runs: [], promotes: []"
    for preset in ("analyst", "developer", "modelTrainer"):
        empty = people(f"name: analyst, preset: {preset}, {PRINCIPAL}, {nothing}")
        assert {each["Effect"] for each in statements(empty, "people", "AnalystRole")} == {"Deny"}
        assert stack(empty, "people").parameters == ()


def test_roles_are_assumed_by_name_for_four_hours_by_those_named(usual: Plan):
    role = properties(usual, "people", "AnalystRole")
    assert role["RoleName"] == "demo-default-analyst"
    assert role["MaxSessionDuration"] == 4 * 3600
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": ["arn:aws:iam::123456789012:user/ann"]}
    assert trust["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def test_every_task_can_be_told_by_its_tag(usual: Plan):
    """A right on tasks of one workload is a right on what carries its tag: each definition has it."""
    for each in usual.tasks:
        tags = properties(usual, each.stack, "TaskDefinition")["Tags"]
        assert {"Key": "mlopsgen:workload", "Value": each.name} in tags


def test_a_pipeline_of_a_thousand_services_has_small_roles():
    """What a preset gives is a pattern, however much there is."""
    services = "".join(f"    - {{name: api-{n}, image: app}}\n" for n in range(200))
    roles = f"  people:\n    roles: [{{name: developer, preset: developer, {PRINCIPAL}}}]\n"
    many = plan("  images: [{name: app}]\n", f"  services:\n{services}", roles)
    assert len(statements(many, "people", "DeveloperRole")) < 20
    assert "ManagedPolicyArns" not in properties(many, "people", "DeveloperRole")
