"""The workflow can push these images and deploy these stacks, and nothing else; nor can what it deploys."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.plan import Plan
from tests.components.pipelines import SERVICE, plan, trainer
from tests.policies import filled, may, properties, stack, statements

GITHUB = "  delivery: {github: {repository: owner/name, branch: main%s}}\n"
ISSUER = "token.actions.githubusercontent.com"
ROLES = "arn:aws:iam::123456789012:role/demo-default"
STACKS = "arn:aws:cloudformation:ap-southeast-1:123456789012:stack"
BOUNDARY = "arn:aws:iam::123456789012:policy/demo-default/access/demo-default-boundary"


def delivered(more: str = "", **options: Any) -> Plan:
    return plan(trainer(), SERVICE, GITHUB % more, **options)


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
    numbered = delivered(", ownerId: 123456, repositoryId: 456789")
    assert trust(numbered)["Condition"]["StringEquals"][f"{ISSUER}:sub"] == [
        "repo:owner/name:environment:default",
        "repo:owner@123456/name@456789:environment:default",
    ]


def test_each_environment_trusts_its_own_jobs_alone():
    environments = "  environments: {dev: {}, prod: {}}\n"
    dev = plan(SERVICE, GITHUB % "", environments, environment="dev")
    assert trust(dev)["Condition"]["StringEquals"][f"{ISSUER}:sub"] == ["repo:owner/name:environment:dev"]


def test_an_environment_that_the_workflow_does_not_deploy_has_no_such_role():
    environments = "  environments: {dev: {}, prod: {}}\n"
    only = GITHUB % ", environments: [prod]"
    dev = plan(SERVICE, only, environments, environment="dev")
    assert "access" not in {each.name for each in dev.stacks}
    assert dev.workflow is None
    assert "PermissionsBoundary" not in properties(dev, "serving-api", "TaskRole")


def test_the_provider_is_made_only_when_asked_and_stays_for_others():
    made = delivered(", oidcProvider: create")
    provider = next(each for each in stack(made, "access").resources if each.logical_id == "GithubProvider")
    body = provider.body.to_dict()
    assert body["DeletionPolicy"] == "Retain"
    assert body["Properties"]["Url"] == f"https://{ISSUER}"
    assert body["Properties"]["ClientIdList"] == ["sts.amazonaws.com"]
    assert trust(made)["Principal"] == {"Federated": "ref-GithubProvider"}


def test_the_workflow_pushes_these_images_and_no_others(workflow: list[dict[str, Any]]):
    repository = "arn:aws:ecr:ap-southeast-1:123456789012:repository"
    assert may(workflow, "ecr:PutImage", f"{repository}/demo-default/api")
    assert not may(workflow, "ecr:PutImage", f"{repository}/demo-prod/api")
    assert not may(workflow, "ecr:BatchDeleteImage", f"{repository}/demo-default/api")


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


def test_the_workflow_itself_touches_no_data_and_makes_nothing(workflow: list[dict[str, Any]]):
    for action, resource in (
        ("s3:GetObject", "arn:aws:s3:::demo-default-data-123456789012/raw/x"),
        ("s3:PutBucketPolicy", "arn:aws:s3:::demo-default-data-123456789012"),
        ("iam:CreateRole", f"{ROLES}/serving-api/x"),
        ("ecs:UpdateService", "arn:aws:ecs:ap-southeast-1:123456789012:service/demo-default-serving/api"),
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
    assert may(deployer, "ec2:DeleteVpc", vpc, tagged)
    assert not may(deployer, "ec2:DeleteVpc", vpc)


def test_every_other_role_is_inside_the_boundary(whole: Plan):
    """And what it is granted is: else it could not do what it is for."""
    bounds = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    outside = []
    for each in whole.stacks:
        for resource in each.resources:
            if resource.body.resource_type != "AWS::IAM::Role" or each.name == "access":
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
    anywhere = [each | {"Resource": "*", "Condition": {}} for each in bounds]
    return may(anywhere, action, "*")


def test_each_star_says_why(whole: Plan):
    for principal in whole.principals:
        for grant in principal.grants:
            if "*" in grant.resources and grant.effect == "Allow":
                assert grant.reason
