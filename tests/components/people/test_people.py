"""People can do what their role is for, by prefix, image, service and trainer, and nothing beside it."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.plan import Plan
from tests.components.pipelines import plan
from tests.policies import KEY, may, properties, stack, statements

BUCKET = "arn:aws:s3:::demo-default-data-123456789012"
REPOSITORY = "arn:aws:ecr:ap-southeast-1:123456789012:repository/demo-default"
ECS = "arn:aws:ecs:ap-southeast-1:123456789012"
LOGS = "arn:aws:logs:ap-southeast-1:123456789012:log-group:/demo-default"
ROLE = "arn:aws:iam::123456789012:role/demo-default"

BASE = """\
  models: [{name: model}]
  trainers:
    - {name: trainer, image: {build: {context: train}}, produces: model}
    - {name: other-trainer, image: {build: {context: other}}}
  services:
    - {name: api, image: {build: {context: app}}}
    - {name: other-api, image: {build: {context: web}}}
"""


def people(*roles: str) -> Plan:
    lines = "".join(f"      - {{{role}}}\n" for role in roles)
    return plan(BASE, f"  access:\n    roles:\n{lines}")


PRINCIPAL = 'principals: ["arn:aws:iam::123456789012:user/ann"]'


@pytest.fixture(scope="module")
def usual() -> Plan:
    return people(*(f"name: {name}, {PRINCIPAL}" for name in ("developer", "analyst", "model-trainer")))


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
    through_s3 = {"kms:ViaService": "s3.ap-southeast-1.amazonaws.com"}
    assert may(analyst, "s3:GetObject", f"{BUCKET}/raw/reviews.parquet")
    assert may(analyst, "s3:ListBucket", BUCKET, {"s3:prefix": "raw/"})
    assert may(analyst, "kms:Decrypt", KEY, through_s3)
    assert not may(analyst, "kms:Decrypt", KEY)
    assert not may(analyst, "kms:GenerateDataKey", KEY, through_s3)
    assert may(analyst, "logs:FilterLogEvents", f"{LOGS}/api:*")
    assert may(analyst, "cloudwatch:GetMetricData", "*")
    for action in ("s3:PutObject", "s3:DeleteObject"):
        assert not may(analyst, action, f"{BUCKET}/raw/reviews.parquet")
    assert not may(analyst, "ecs:UpdateService", f"{ECS}:service/demo-default-serving/api")
    assert not may(analyst, "ecr:PutImage", f"{REPOSITORY}/api")


def test_a_developer_pushes_images_and_rolls_out_services(developer: list[dict[str, Any]]):
    service = f"{ECS}:service/demo-default-serving/api"
    assert may(developer, "ecr:PutImage", f"{REPOSITORY}/api")
    assert may(developer, "ecs:UpdateService", service)
    assert may(developer, "ecs:UpdateService", service, {"ecs:enable-execute-command": "false"})
    assert may(developer, "s3:GetObject", f"{BUCKET}/logs/x")
    assert may(developer, "logs:GetLogEvents", f"{LOGS}/trainer:log-stream:x")


def test_a_developer_gets_no_shell_no_data_and_no_definition_of_their_own(developer: list[dict[str, Any]]):
    service = f"{ECS}:service/demo-default-serving/api"
    foreign = f"{ECS}:task-definition/somebody-elses:1"
    assert not may(developer, "ecs:UpdateService", service, {"ecs:enable-execute-command": "true"})
    assert not may(developer, "ecs:UpdateService", service, {"ecs:task-definition": foreign})
    assert not may(developer, "ecs:RegisterTaskDefinition", f"{ECS}:task-definition/demo-default-api:1")
    assert not may(developer, "ecs:ExecuteCommand", f"{ECS}:task/demo-default-serving/1")
    assert not may(developer, "s3:GetObject", f"{BUCKET}/raw/reviews.parquet")
    assert not may(developer, "ecs:RunTask", f"{ECS}:task-definition/demo-default-trainer:1")


def test_a_model_trainer_runs_trainers_and_publishes_models(model_trainer: list[dict[str, Any]]):
    cluster = {"ecs:cluster": f"{ECS}:cluster/demo-default-training"}
    tasks = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    network = "arn:aws:ssm:ap-southeast-1:123456789012:parameter/demo-default/training/trainer/network"
    assert may(model_trainer, "ecs:RunTask", f"{ECS}:task-definition/demo-default-trainer:1", cluster)
    assert may(model_trainer, "ssm:GetParameter", network)
    assert may(model_trainer, "iam:PassRole", f"{ROLE}/training-trainer/TaskRole-X", tasks)
    assert may(model_trainer, "s3:PutObject", f"{BUCKET}/models/model/current.json")
    assert not may(model_trainer, "s3:PutObject", f"{BUCKET}/raw/x")
    for other in ("serving-api/TaskRole-X", "access/demo-default-delivery", "people/demo-default-developer"):
        assert not may(model_trainer, "iam:PassRole", f"{ROLE}/{other}", tasks)
    elsewhere = {"ecs:cluster": f"{ECS}:cluster/demo-default-serving"}
    assert not may(model_trainer, "ecs:RunTask", f"{ECS}:task-definition/demo-default-trainer:1", elsewhere)


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
        f"name: developer, {PRINCIPAL}, reads: [raw], images: [api], services: [api], trainers: []",
        f"name: model-trainer, {PRINCIPAL}, reads: [], writes: [], services: [], trainers: [trainer]",
    )
    developer = statements(named, "people", "DeveloperRole")
    assert may(developer, "s3:GetObject", f"{BUCKET}/raw/x")
    assert not may(developer, "s3:GetObject", f"{BUCKET}/logs/x")
    for action, resource in (
        ("ecr:PutImage", f"{REPOSITORY}/"),
        ("ecs:UpdateService", f"{ECS}:service/demo-default-serving/"),
        ("logs:GetLogEvents", f"{LOGS}/"),
        ("cloudwatch:GetDashboard", "arn:aws:cloudwatch::123456789012:dashboard/demo-default-"),
    ):
        tail = ":log-stream:x" if action.startswith("logs:") else ""
        assert may(developer, action, f"{resource}api{tail}")
        assert not may(developer, action, f"{resource}other-api{tail}")
    runner = statements(named, "people", "ModelTrainerRole")
    cluster = {"ecs:cluster": f"{ECS}:cluster/demo-default-training"}
    assert may(runner, "ecs:RunTask", f"{ECS}:task-definition/demo-default-trainer:1", cluster)
    assert not may(runner, "ecs:RunTask", f"{ECS}:task-definition/demo-default-other-trainer:1", cluster)
    assert not may(runner, "s3:PutObject", f"{BUCKET}/models/x")


def test_empty_lists_give_nothing_at_all():
    nothing = "reads: [], writes: [], images: [], services: [], trainers: []"
    empty = people(f"name: analyst, {PRINCIPAL}, {nothing}")
    assert {each["Effect"] for each in statements(empty, "people", "AnalystRole")} == {"Deny"}
    assert stack(empty, "people").parameters == ()


def test_roles_are_assumed_by_name_for_four_hours_by_those_named(usual: Plan):
    role = properties(usual, "people", "AnalystRole")
    assert role["RoleName"] == "demo-default-analyst"
    assert role["MaxSessionDuration"] == 4 * 3600
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"AWS": ["arn:aws:iam::123456789012:user/ann"]}
    assert trust["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}


def test_a_pipeline_of_a_thousand_services_has_small_roles():
    """The usual extent is a pattern, however much there is."""
    services = "".join(f"    - {{name: api-{n}, image: {{build: {{context: app}}}}}}\n" for n in range(200))
    many = plan(f"  services:\n{services}", f"  access:\n    roles: [{{name: developer, {PRINCIPAL}}}]\n")
    assert len(statements(many, "people", "DeveloperRole")) < 20
    assert "ManagedPolicyArns" not in properties(many, "people", "DeveloperRole")
