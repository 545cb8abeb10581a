"""The workflow can push these images and deploy these stacks, and nothing else; nor can what it deploys."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import filled, may, properties, stack, statements

GITHUB = "  delivery: {github: {repository: owner/name%s}}\n"
BASE = """\
  images: [{name: train}, {name: app}]
  models: [{name: model}]
  jobs: [{name: trainer, image: train, produces: [model]}]
  services: [{name: api, image: app}]
"""
ISSUER = "token.actions.githubusercontent.com"
ROLES = "arn:aws:iam::123456789012:role/demo-default"
STACKS = "arn:aws:cloudformation:ap-southeast-1:123456789012:stack"
BOUNDARY = "arn:aws:iam::123456789012:policy/demo-default/access/demo-default-boundary"


def delivered(more: str = "", **options: Any) -> Plan:
    return plan(BASE, GITHUB % more, **options)


@pytest.fixture(scope="module")
def whole() -> Plan:
    return delivered()


@pytest.fixture(scope="module")
def workflow(whole: Plan) -> list[dict[str, Any]]:
    return statements(whole, "access", "DeliveryRole")


@pytest.fixture(scope="module")
def deployer(whole: Plan) -> list[dict[str, Any]]:
    return statements(whole, "access", "StackRole")


def trust(plan: Plan) -> dict[str, Any]:
    (statement,) = properties(plan, "access", "DeliveryRole")["AssumeRolePolicyDocument"]["Statement"]
    return statement


def test_one_repository_one_environment_and_one_branch_may_assume_the_role(whole: Plan):
    statement = trust(whole)
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"
    assert statement["Principal"] == {"Federated": f"arn:aws:iam::123456789012:oidc-provider/{ISSUER}"}
    assert statement["Condition"] == {
        "StringEquals": {
            f"{ISSUER}:aud": "sts.amazonaws.com",
            f"{ISSUER}:sub": ["repo:owner/name:environment:default"],
            f"{ISSUER}:ref": "refs/heads/main",
        }
    }


def test_both_forms_of_a_subject_are_taken_when_the_numbers_are_known():
    numbered = delivered(", ids: {owner: 123456, repository: 456789}")
    assert trust(numbered)["Condition"]["StringEquals"][f"{ISSUER}:sub"] == [
        "repo:owner/name:environment:default",
        "repo:owner@123456/name@456789:environment:default",
    ]


STAGES = "  delivery: {github: {repository: owner/name}, stages: [%s]}\n  environments: {dev: {}, prod: {}}\n"


def test_each_environment_trusts_its_own_jobs_alone():
    stages = STAGES % "{name: dev}, {name: prod, approval: true}"
    dev = plan(BASE, stages, environment="dev")
    assert trust(dev)["Condition"]["StringEquals"][f"{ISSUER}:sub"] == ["repo:owner/name:environment:dev"]
    assert dev.workflow
    assert dev.workflow.stages == (("dev", False), ("prod", True))


def test_another_branch_is_trusted_instead_of_main():
    branch = "  delivery: {github: {repository: owner/name}, branch: release/live}\n"
    live = plan(BASE, branch)
    assert trust(live)["Condition"]["StringEquals"][f"{ISSUER}:ref"] == "refs/heads/release/live"
    assert live.workflow
    assert live.workflow.branch == "release/live"


def test_an_environment_that_is_no_stage_has_no_such_role():
    dev = plan(BASE, STAGES % "{name: prod}", environment="dev")
    assert "access" not in {each.name for each in dev.stacks}
    assert dev.workflow is None
    assert "PermissionsBoundary" not in properties(dev, "serving-api", "TaskRole")


def test_the_provider_is_made_only_when_asked_and_stays_for_others():
    made = delivered(", oidcProvider: create")
    provider = next(each for each in stack(made, "access").resources if each.logical_id == "GithubProvider")
    assert provider.document["DeletionPolicy"] == "Retain"
    assert provider.properties["Url"] == f"https://{ISSUER}"
    assert provider.properties["ClientIdList"] == ["sts.amazonaws.com"]
    assert trust(made)["Principal"] == {"Federated": "ref-GithubProvider"}


def test_the_workflow_pushes_these_images_and_no_others(workflow: list[dict[str, Any]]):
    repository = "arn:aws:ecr:ap-southeast-1:123456789012:repository"
    assert may(workflow, "ecr:PutImage", f"{repository}/demo-default/app")
    assert not may(workflow, "ecr:PutImage", f"{repository}/demo-prod/app")
    assert not may(workflow, "ecr:BatchDeleteImage", f"{repository}/demo-default/app")


def test_the_workflow_alone_notes_what_it_built(whole: Plan, workflow: list[dict[str, Any]]):
    """So whoever may push images cannot have one deployed; nor what is deployed say what was built."""
    parameter = "arn:aws:ssm:ap-southeast-1:123456789012:parameter"
    assert may(workflow, "ssm:PutParameter", f"{parameter}/demo-default/delivery/app")
    assert not may(workflow, "ssm:PutParameter", f"{parameter}/demo-default/network/vpc-id")
    bounds = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    assert not may(bounds, "ssm:PutParameter", f"{parameter}/demo-default/delivery/app")


def test_a_stage_reads_the_images_of_those_before_it():
    """And never pushes there; a first one sees nobody else's."""
    image = "arn:aws:ecr:ap-southeast-1:123456789012:repository/demo-%s/app"
    stages = STAGES % "{name: dev}, {name: prod}"
    dev, prod = (
        statements(plan(BASE, stages, environment=each), "access", "DeliveryRole") for each in ("dev", "prod")
    )
    assert may(prod, "ecr:BatchGetImage", image % "dev")
    assert not may(prod, "ecr:PutImage", image % "dev")
    assert not may(dev, "ecr:BatchGetImage", image % "prod")


def test_the_workflow_lifts_the_protection_of_its_own_load_balancers_alone(workflow: list[dict[str, Any]]):
    """`deploy.sh --prune` does, with the caller's rights, before it deletes their stack."""
    balancer = "arn:aws:elasticloadbalancing:ap-southeast-1:123456789012:loadbalancer/app/x/1"
    own = {"aws:ResourceTag/mlopsgen:pipeline": "demo", "aws:ResourceTag/mlopsgen:environment": "default"}
    change = "elasticloadbalancing:ModifyLoadBalancerAttributes"
    assert may(workflow, change, balancer, own)
    assert not may(workflow, change, balancer, own | {"aws:ResourceTag/mlopsgen:environment": "prod"})
    assert not may(workflow, change, balancer)
    assert may(workflow, "elasticloadbalancing:DescribeLoadBalancerAttributes", balancer)


def test_the_workflow_sees_what_runs_on_a_pool_of_its_own_cluster(workflow: list[dict[str, Any]]):
    """`deploy.sh` looks, with the caller's rights, before the cluster lets go of a pool."""
    place = "arn:aws:ecs:ap-southeast-1:123456789012"
    own, foreign = ({"ecs:cluster": f"{place}:cluster/{name}"} for name in ("demo-default", "demo-prod"))
    assert may(workflow, "ecs:DescribeServices", f"{place}:service/demo-default/api", own)
    assert not may(workflow, "ecs:DescribeServices", f"{place}:service/demo-prod/api", foreign)
    assert may(workflow, "ecs:ListServices", "*", own)
    assert not may(workflow, "ecs:ListServices", "*", foreign)
    assert may(workflow, "ecs:ListContainerInstances", f"{place}:cluster/demo-default")
    instance = f"{place}:container-instance/demo-default/1"
    assert may(workflow, "ecs:DescribeContainerInstances", instance, own)


def test_a_workflow_that_trains_starts_the_trainer_and_nothing_else():
    """With `firstModel: train`: that job of this environment, as its own roles, in its own cluster."""
    served = BASE.replace("image: app}]", "image: app, loads: [model]}]")
    trains = statements(
        plan(served, "  delivery: {github: {repository: owner/name}, firstModel: train}\n"),
        "access",
        "DeliveryRole",
    )
    waits = statements(plan(served, GITHUB % ""), "access", "DeliveryRole")
    place = "ap-southeast-1:123456789012"
    cluster = {"ecs:cluster": f"arn:aws:ecs:{place}:cluster/demo-default"}
    task, to = f"arn:aws:ecs:{place}:task-definition/%s:1", {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
    assert may(trains, "ecs:RunTask", task % "demo-default-trainer", cluster)
    assert not may(trains, "ecs:RunTask", task % "demo-default-api", cluster)
    assert not may(trains, "ecs:RunTask", task % "demo-default-trainer")
    assert may(trains, "ecs:DescribeTasks", f"arn:aws:ecs:{place}:task/demo-default/1", cluster)
    assert may(trains, "iam:PassRole", f"{ROLES}/training-trainer/x", to)
    assert not may(trains, "iam:PassRole", f"{ROLES}/serving-api/x", to)
    assert not may(waits, "ecs:RunTask", task % "demo-default-trainer", cluster)


def test_the_workflow_deploys_these_stacks_with_cloudformations_own_role(workflow: list[dict[str, Any]]):
    with_role = {"cloudformation:RoleArn": "att-StackRole-Arn"}
    assert may(workflow, "cloudformation:CreateChangeSet", f"{STACKS}/demo-default-serving-api/1", with_role)
    assert may(workflow, "cloudformation:ExecuteChangeSet", f"{STACKS}/demo-default-serving-api/1")
    assert not may(workflow, "cloudformation:CreateChangeSet", f"{STACKS}/demo-default-serving-api/1")
    assert not may(workflow, "cloudformation:CreateChangeSet", f"{STACKS}/demo-prod-serving-api/1", with_role)
    assert not may(workflow, "cloudformation:DeleteStack", f"{STACKS}/demo-default-foundation/1")
    cloudformation = {"iam:PassedToService": "cloudformation.amazonaws.com"}
    assert may(workflow, "iam:PassRole", "att-StackRole-Arn", cloudformation)
    assert not may(workflow, "iam:PassRole", f"{ROLES}/access/demo-default-delivery", cloudformation)


def test_the_workflow_is_kept_off_a_pipeline_whose_name_begins_alike(workflow: list[dict[str, Any]]):
    """`demo-default-*` also begins the stacks of pipeline `demo-default`; those carry its tags."""
    theirs = {
        "aws:ResourceTag/mlopsgen:pipeline": "demo-default",
        "aws:ResourceTag/mlopsgen:environment": "eu",
    }
    own = {"aws:ResourceTag/mlopsgen:pipeline": "demo", "aws:ResourceTag/mlopsgen:environment": "default"}
    with_role = {"cloudformation:RoleArn": "att-StackRole-Arn"}
    for action in (
        "cloudformation:CreateChangeSet",
        "cloudformation:ExecuteChangeSet",
        "cloudformation:DeleteStack",
        "cloudformation:UpdateTerminationProtection",
    ):
        assert may(workflow, action, f"{STACKS}/demo-default-network/1", own | with_role)
        assert not may(workflow, action, f"{STACKS}/demo-default-eu-network/1", theirs | with_role)


def test_the_boundary_is_kept_off_a_pipeline_whose_name_begins_alike(whole: Plan):
    bounds = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    theirs = {
        "aws:ResourceTag/mlopsgen:pipeline": "demo-default",
        "aws:ResourceTag/mlopsgen:environment": "eu",
    }
    place = "ap-southeast-1:123456789012"
    for action, resource in (
        ("ecs:RunTask", f"arn:aws:ecs:{place}:task-definition/demo-default-eu-x:1"),
        ("sns:Publish", f"arn:aws:sns:{place}:demo-default-eu-foundation-Topic-1"),
        ("sqs:SendMessage", f"arn:aws:sqs:{place}:demo-default-eu-training-DeadLetters-1"),
    ):
        assert may(bounds, action, resource)
        assert not may(bounds, action, resource, theirs)


def test_the_workflow_itself_touches_no_data_and_makes_nothing(workflow: list[dict[str, Any]]):
    for action, resource in (
        ("s3:GetObject", "arn:aws:s3:::demo-default-data-123456789012/raw/x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::demo-default-data-123456789012"),
        ("iam:CreateRole", f"{ROLES}/serving-api/x"),
        ("ecs:UpdateService", "arn:aws:ecs:ap-southeast-1:123456789012:service/demo-default/api"),
        ("ec2:CreateVpc", "arn:aws:ec2:ap-southeast-1:123456789012:vpc/x"),
    ):
        assert not may(workflow, action, resource)


def test_what_is_deployed_makes_only_bounded_roles_of_this_environment(deployer: list[dict[str, Any]]):
    """Otherwise a template could make an administrator, and a task be one."""
    bounded = {"iam:PermissionsBoundary": BOUNDARY}
    assert may(deployer, "iam:CreateRole", f"{ROLES}/serving-api/x", bounded)
    assert may(deployer, "iam:PutRolePolicy", f"{ROLES}/serving-api/x", bounded)
    assert not may(deployer, "iam:CreateRole", f"{ROLES}/serving-api/x")
    assert not may(deployer, "iam:CreateRole", "arn:aws:iam::123456789012:role/x", bounded)
    assert not may(deployer, "iam:DeleteRolePermissionsBoundary", f"{ROLES}/serving-api/x")
    for action in ("iam:CreateUser", "iam:CreatePolicyVersion", "iam:CreateAccessKey", "sts:AssumeRole"):
        assert not may(deployer, action, "arn:aws:iam::123456789012:user/x")


@pytest.mark.parametrize("role", ["demo-default-delivery", "demo-default-stacks"])
@pytest.mark.parametrize(
    "action", ["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:PassRole"]
)
def test_delivery_cannot_change_its_own_rights(deployer: list[dict[str, Any]], role: str, action: str):
    context = {"iam:PermissionsBoundary": BOUNDARY, "iam:PassedToService": "ecs-tasks.amazonaws.com"}
    assert not may(deployer, action, f"{ROLES}/access/{role}", context)
    assert may(deployer, action, f"{ROLES}/serving-api/x", context)


def test_delivery_cannot_change_the_boundary(deployer: list[dict[str, Any]]):
    for action in ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:SetDefaultPolicyVersion"):
        assert not may(deployer, action, BOUNDARY)


def test_what_is_deployed_touches_no_object_and_deletes_no_data(deployer: list[dict[str, Any]]):
    bucket = "arn:aws:s3:::demo-default-data-123456789012"
    tagged = {
        "aws:ResourceTag/mlopsgen:pipeline": "demo",
        "aws:ResourceTag/mlopsgen:environment": "default",
    }
    assert may(deployer, "s3:PutBucketPolicy", bucket)
    assert not may(deployer, "s3:PutBucketPolicy", "arn:aws:s3:::somebody-elses")
    assert not may(deployer, "s3:GetObject", f"{bucket}/raw/x")
    assert not may(deployer, "s3:DeleteBucket", bucket)
    key = "arn:aws:kms:ap-southeast-1:123456789012:key/1"
    assert may(deployer, "kms:PutKeyPolicy", key, tagged)
    assert not may(deployer, "kms:PutKeyPolicy", key)
    assert not may(deployer, "kms:ScheduleKeyDeletion", key, tagged)
    vpc = "arn:aws:ec2:ap-southeast-1:123456789012:vpc/x"
    made = {"aws:ResourceTag/aws:cloudformation:stack-name": "demo-default-network"}
    assert may(deployer, "ec2:DeleteVpc", vpc, tagged | made)
    assert not may(deployer, "ec2:DeleteVpc", vpc, tagged)
    assert not may(deployer, "ec2:DeleteVpc", vpc, made)


def test_every_other_role_is_inside_the_boundary(whole: Plan):
    """And what it is granted is: else it could not do what it is for."""
    bounds = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    outside = []
    for each in whole.stacks:
        for resource in each.resources:
            if resource.type != "AWS::IAM::Role" or each.name == "access":
                continue
            role = properties(whole, each.name, resource.logical_id)
            assert role["PermissionsBoundary"] == BOUNDARY
            for statement in filled(statements(whole, each.name, resource.logical_id)):
                outside += [
                    f"{each.name}.{resource.logical_id} {action}"
                    for action in _listed(statement["Action"])
                    if statement["Effect"] == "Allow" and not _allows(bounds, action)
                ]
    assert outside == []


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _allows(bounds: list[dict[str, Any]], action: str) -> bool:
    """On some resource: which of them, the tests of single roles say."""
    anywhere = [each | {"Resource": "*", "Condition": {}} for each in bounds if each["Effect"] == "Allow"]
    return may(anywhere, action, "*")


def test_a_boundary_is_there_before_the_roles_that_it_bounds(whole: Plan):
    """IAM refuses a role whose boundary does not exist."""
    names = [each.name for each in whole.stacks]
    bounded = [
        each.name
        for each in whole.stacks
        if any("PermissionsBoundary" in resource.properties for resource in each.resources)
    ]
    assert bounded
    for name in bounded:
        assert "access" in stack(whole, name).requires
        assert names.index("access") < names.index(name)


SECRET = "arn:aws:secretsmanager:ap-southeast-1:123456789012:secret:team/app/a-rather-long-name"


@pytest.mark.parametrize("count", [55, 70, 90])
def test_a_service_with_many_secrets_can_be_delivered(count: int):
    """What does not fit into its role is policies of its stack, which CloudFormation's role may make."""
    secrets = ", ".join(f'S{n}: {{secret: "{SECRET}-{n}-AbCdEf"}}' for n in range(count))
    many = plan(
        f"  images: [{{name: app}}]\n  services: [{{name: api, image: app, secrets: {{{secrets}}}}}]\n",
        GITHUB % "",
    )
    own = statements(many, "serving-api", "ExecutionRole")
    bounds = properties(many, "access", "Boundary")["PolicyDocument"]
    assert len(json.dumps(bounds, separators=(",", ":"))) <= 6144
    for number in range(count):
        for policy in (own, bounds["Statement"]):
            assert may(policy, "secretsmanager:GetSecretValue", f"{SECRET}-{number}-AbCdEf")
    policies = [
        each for each in stack(many, "serving-api").resources if each.type == "AWS::IAM::ManagedPolicy"
    ]
    assert policies
    deployer = statements(many, "access", "StackRole")
    for each in policies:
        assert each.properties["Path"] == "/demo-default/serving-api/"
        made = f"arn:aws:iam::123456789012:policy/demo-default/serving-api/x-{each.logical_id}-Y"
        for action in ("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:GetPolicy"):
            assert may(deployer, action, made)
    for action in ("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy"):
        assert not may(deployer, action, BOUNDARY)
        assert not may(deployer, action, "arn:aws:iam::123456789012:policy/x")


def test_the_boundary_opens_no_secret_and_no_balancer_of_others(whole: Plan):
    bounds = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    place = "ap-southeast-1:123456789012"
    assert not may(bounds, "secretsmanager:GetSecretValue", f"{SECRET}-0-AbCdEf")
    assert not may(bounds, "ssm:GetParameter", f"arn:aws:ssm:{place}:parameter/other/key")
    assert may(bounds, "ssm:GetParameter", f"arn:aws:ssm:{place}:parameter/demo-default/network/vpc-id")
    rule = f"arn:aws:elasticloadbalancing:{place}:listener-rule/app/x/1/2/3"
    own = {
        "aws:ResourceTag/mlopsgen:pipeline": "demo",
        "aws:ResourceTag/mlopsgen:environment": "default",
    }
    assert may(bounds, "elasticloadbalancing:ModifyRule", rule, own)
    assert not may(bounds, "elasticloadbalancing:ModifyRule", rule)
    assert may(bounds, "ecs:RunTask", f"arn:aws:ecs:{place}:task-definition/demo-default-api:1")
    assert not may(bounds, "ecs:RunTask", f"arn:aws:ecs:{place}:task-definition/demo-other-api:1")
    assert not may(bounds, "ecs:UpdateService", f"arn:aws:ecs:{place}:service/demo-default-other/api")


def test_each_star_says_why(whole: Plan):
    for principal in whole.principals:
        for grant in principal.grants:
            if "*" in grant.resources and grant.effect == "Allow":
                assert grant.reason
