"""CloudFormation can do what the handlers of a plan's types do, to this environment, and nothing else."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from typing import Any

import pytest

from mlopsgen.aws import stack_scopes as scopes
from mlopsgen.aws.resource_types import resource_type, type_names
from mlopsgen.components.delivery.stack_rights import StackReach, stack_rights, withheld
from mlopsgen.model.plan import Grant
from mlopsgen.parts.policies import statements
from tests.aws.test_resource_types import SAME
from tests.cases import CASES, case
from tests.policies import authorisation, filled, listed, may

HERE = "ap-southeast-1:123456789012"
BOUNDARY = "arn:aws:iam::123456789012:policy/shop-prod/access/shop-prod-boundary"
ROLES = "arn:aws:iam::123456789012:role/shop-prod"
REACH = StackReach("shop", "prod", BOUNDARY)

OWN = {"aws:ResourceTag/mlopsgen:environment": "prod", "aws:ResourceTag/mlopsgen:pipeline": "shop"}
STACK = {"aws:ResourceTag/aws:cloudformation:stack-name": "shop-prod-network"}
ANOTHERS = {"aws:ResourceTag/mlopsgen:environment": "dev", "aws:ResourceTag/mlopsgen:pipeline": "shop"}


def resource(name: str, **properties: Any) -> tuple[str, dict[str, Any]]:
    if name == "AWS::S3::Bucket":
        properties = {"BucketName": {"Fn::Sub": "shop-prod-data-${AWS::AccountId}"}} | properties
    return name, properties


def policy(*resources: tuple[str, dict[str, Any]], reach: StackReach = REACH) -> list[dict[str, Any]]:
    """The statements of the role for these resources."""
    return filled(statements(stack_rights(resources, reach)))


@pytest.fixture(scope="module")
def everything() -> tuple[Grant, ...]:
    """The grants for one resource of each type."""
    return stack_rights([resource(name) for name in sorted(scopes.TYPES)], REACH)


@pytest.fixture(scope="module")
def whole(everything: tuple[Grant, ...]) -> list[dict[str, Any]]:
    return filled(statements(everything))


def deployed(name: str, environment: str | None = None) -> Iterator[tuple[str, dict[str, Any]]]:
    """The resources of one of the tests' pipelines, but for those that an administrator deploys."""
    for each in case(name).compilations:
        if environment in (None, each.environment):
            for stack in each.plan.stacks:
                if stack.name != "access":
                    yield from ((resource.type, resource.properties) for resource in stack.resources)


def pairs(grants: tuple[Grant, ...]) -> Iterator[tuple[Grant, str, list[str]]]:
    """Each action that is granted, with its ARNs."""
    for grant in grants:
        if grant.effect == "Allow":
            arns = [filled(each) for each in grant.resources]
            yield from ((grant, action, arns) for action in grant.actions)


def made(name: str, **properties: Any) -> set[str]:
    """The actions that are granted for a resource of the type."""
    bucket = [] if name == "AWS::S3::Bucket" else [resource("AWS::S3::Bucket")]
    grants = stack_rights([resource(name, **properties), *bucket], REACH)
    return {action for each in grants if each.because == f"makes {name}" for action in each.actions}


def covered(permission: str, granted: set[str]) -> bool:
    return any(fnmatch.fnmatchcase(permission, pattern) for pattern in granted)


def named_actions(action: str) -> list[str]:
    """The actions of IAM that `action`, or its pattern, names."""
    service, _, verb = action.partition(":")
    return fnmatch.filter(authorisation().get(service, {}).get("Actions", {}), verb.lower())


def test_every_emitted_type_has_been_looked_at():
    emitted = {kind for each in CASES for kind, _ in deployed(each.name)}
    assert len(emitted) > 40
    assert set() == emitted - scopes.TYPES
    assert set(type_names()) >= scopes.TYPES


def test_each_permission_of_a_handler_is_granted_or_has_its_reason():
    for name in sorted(scopes.TYPES):
        excused = withheld(name, [resource(name)[1]])
        named = resource_type(name).permissions("create", "read", "update", "delete")
        granted = made(name)
        assert {each for each in named - excused.keys() if not covered(each, granted)} == set(), name
        assert {each for each in excused if covered(each, granted)} == set(), name
        assert all(excused.values())


def test_nothing_is_withheld_in_vain():
    for row in scopes.WITHHELD:
        for name in row.types:
            named = resource_type(name).permissions("create", "read", "update", "delete")
            for pattern in row.actions:
                assert fnmatch.filter(named, pattern), f"{name} {pattern}"
        assert set(row.types) <= scopes.TYPES


def test_what_is_withheld_is_granted_to_whoever_declares_it():
    for row in scopes.WITHHELD:
        for name in row.types:
            for key in row.unless:
                declared = {"Deep": [{key: "x"}]}
                released = withheld(name).keys() - withheld(name, [declared]).keys()
                assert any(fnmatch.filter(released, pattern) for pattern in row.actions), f"{name} {key}"
                granted = made(name, **declared)
                assert {each for each in released if not covered(each, granted)} == set(), f"{name} {key}"


def test_every_action_exists(everything: tuple[Grant, ...]):
    """A misspelt action is accepted by IAM, and grants nothing."""
    unknown = [action for _, action, _ in pairs(everything) if not named_actions(action)]
    assert unknown == [] or not SAME


def test_every_action_is_granted_on_a_resource_that_it_knows(everything: tuple[Grant, ...]):
    """On an ARN of another kind it grants nothing; and one that takes no resource must say `*`."""
    wrong = []
    for grant, action, arns in pairs(everything):
        for verb in named_actions(action):
            if arns == ["*"]:
                if not grant.reason:
                    wrong.append(f"{grant.because}: {action} on * without a reason")
            elif "*" not in action and not reached(action, verb, arns):
                wrong.append(f"{grant.because}: {action} on {arns}")
    assert wrong == [] or not SAME


def test_every_tag_that_is_asked_for_is_one_that_the_resource_can_have(everything: tuple[Grant, ...]):
    """Else the condition would never hold, and the deployment be refused."""
    wrong = [
        f"{grant.because}: {action} on {arns}"
        for grant, action, arns in pairs(everything)
        if any(key.startswith("aws:ResourceTag/") for _, key, _ in grant.condition)
        for verb in named_actions(action)
        if not any("aws:ResourceTag/${TagKey}" in each for each in reached(action, verb, arns))
    ]
    assert wrong == [] or not SAME


def reached(action: str, verb: str, arns: list[str]) -> list[list[str]]:
    """The condition keys of each kind of resource that an action takes and that one of the ARNs meets."""
    reference = authorisation()[action.partition(":")[0]]
    known = {name.lower(): each for name, each in reference["Resources"].items()}
    return [
        known[kind.lower()].get("ConditionKeys", [])
        for kind in reference["Actions"][verb].get("Resources", ())
        if any(meets(form, arn) for form in known[kind.lower()]["ARNFormats"] for arn in arns)
    ]


def meets(form: str, arn: str) -> bool:
    """Whether some ARN is of the reference's form and meets our pattern."""
    stated = re.sub(r"\$\{[^}]+\}", "[^:]*", form)
    if arn.endswith(":*") and arn.count(":") == 5:
        return re.match(stated.removesuffix(".*"), arn[:-1] + form.split(":", 5)[5]) is not None
    return any(re.fullmatch(stated, arn.replace("*", part)) for part in ("x", "x/x", "x:x"))


def test_only_look_ups_are_granted_by_a_pattern():
    for service, each in scopes.SCOPES.items():
        for scope in each:
            if scope.whole:
                assert all(re.match("Describe|Get|List", pattern) for pattern in scope.actions), service


def test_what_a_plan_does_not_have_its_role_cannot_touch():
    queue = policy(resource("AWS::SQS::Queue"))
    assert may(queue, "sqs:CreateQueue", f"arn:aws:sqs:{HERE}:shop-prod-failed")
    assert not may(queue, "sqs:CreateQueue", f"arn:aws:sqs:{HERE}:shop-dev-failed")
    assert not may(queue, "ecs:CreateCluster", f"arn:aws:ecs:{HERE}:cluster/shop-prod-serving")
    assert not may(queue, "iam:PassRole", f"{ROLES}/serving/x", {"iam:PassedToService": "ec2.amazonaws.com"})


def test_a_queue_that_cloudformation_names_is_in_reach():
    """CloudFormation begins the name with the stack's:
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/resources-section-structure.html"""
    resources = list(deployed("imdb-sentiment", "prod"))
    assert [body for name, body in resources if name == "AWS::SQS::Queue" and "QueueName" in body] == []
    role = policy(*resources, reach=StackReach("imdb-sentiment", "prod", BOUNDARY))
    named = "imdb-sentiment-prod-training-DeadLetters-1A2B3C4D5E6F"
    assert may(role, "sqs:CreateQueue", f"arn:aws:sqs:{HERE}:{named}")
    assert may(role, "sqs:DeleteQueue", f"arn:aws:sqs:{HERE}:{named}")


def test_every_named_resource_of_a_generated_environment_is_in_reach():
    resources = list(deployed("imdb-sentiment", "prod"))
    role = policy(*resources, reach=StackReach("imdb-sentiment", "prod", BOUNDARY))
    out = [
        f"{action} {properties[key]}"
        for name, properties in resources
        for key, action, arn in NAMED.get(name, ())
        if not may(role, action, f"arn:aws:{arn.replace('HERE', HERE)}" % filled(properties[key]))
    ]
    assert out == []
    assert NAMED.keys() <= {name for name, _ in resources}


NAMED = {
    "AWS::CloudWatch::Dashboard": [
        ("DashboardName", "cloudwatch:PutDashboard", "cloudwatch::123456789012:dashboard/%s"),
        ("DashboardName", "cloudwatch:UntagResource", "cloudwatch::123456789012:dashboard/%s"),
    ],
    "AWS::ECR::Repository": [("RepositoryName", "ecr:CreateRepository", "ecr:HERE:repository/%s")],
    "AWS::ECS::CapacityProvider": [("Name", "ecs:CreateCapacityProvider", "ecs:HERE:capacity-provider/%s")],
    "AWS::ECS::Cluster": [("ClusterName", "ecs:CreateCluster", "ecs:HERE:cluster/%s")],
    "AWS::ECS::TaskDefinition": [("Family", "ecs:RegisterTaskDefinition", "ecs:HERE:task-definition/%s:1")],
    "AWS::Events::Rule": [("Name", "events:PutRule", "events:HERE:rule/%s")],
    "AWS::IAM::Role": [("Path", "iam:TagRole", "iam::123456789012:role%sx")],
    "AWS::KMS::Alias": [("AliasName", "kms:CreateAlias", "kms:HERE:%s")],
    "AWS::Logs::LogGroup": [("LogGroupName", "logs:CreateLogGroup", "logs:HERE:log-group:%s")],
    "AWS::S3::Bucket": [("BucketName", "s3:CreateBucket", "s3:::%s")],
    "AWS::SSM::Parameter": [("Name", "ssm:PutParameter", "ssm:HERE:parameter%s")],
    "AWS::Scheduler::ScheduleGroup": [
        ("Name", "scheduler:CreateScheduleGroup", "scheduler:HERE:schedule-group/%s"),
        ("Name", "scheduler:UntagResource", "scheduler:HERE:schedule-group/%s"),
    ],
}
"""A property that names a resource, an action on it, and the ARN that the name makes."""


def test_values_between_stacks_are_read_whatever_a_plan_has():
    queue = policy(resource("AWS::SQS::Queue"))
    image = "arn:aws:ssm:ap-southeast-1::parameter/aws/service/ecs/optimized-ami/x"
    assert may(queue, "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/shop-prod/network/vpc-id")
    assert not may(queue, "ssm:GetParameters", f"arn:aws:ssm:{HERE}:parameter/shop-dev/network/vpc-id")
    assert not may(queue, "ssm:GetParameters", image)
    assert may(policy(resource("AWS::EC2::LaunchTemplate")), "ssm:GetParameters", image)


def test_no_data_can_be_deleted(whole: list[dict[str, Any]]):
    bucket = "arn:aws:s3:::shop-prod-data-123456789012"
    assert may(whole, "s3:PutBucketPolicy", bucket)
    assert may(whole, "s3:ListBucket", bucket)
    for action, arn in (
        ("s3:DeleteBucket", bucket),
        ("s3:DeleteBucketPolicy", bucket),
        ("s3:GetObject", f"{bucket}/raw/x"),
        ("s3:PutReplicationConfiguration", bucket),
        ("s3:PutBucketPolicy", "arn:aws:s3:::somebody-elses"),
        ("kms:ScheduleKeyDeletion", f"arn:aws:kms:{HERE}:key/1"),
        ("kms:DisableKey", f"arn:aws:kms:{HERE}:key/1"),
        ("ecr:DeleteRepository", f"arn:aws:ecr:{HERE}:repository/shop-prod/api"),
        ("elasticfilesystem:DeleteFileSystem", f"arn:aws:elasticfilesystem:{HERE}:file-system/fs-1"),
    ):
        assert not may(whole, action, arn, OWN | STACK), action


def test_pipelines_whose_names_begin_alike_are_kept_apart(
    everything: tuple[Grant, ...], whole: list[dict[str, Any]]
):
    """`shop-prod-*` also begins what pipeline `shop-prod` has in `eu`: its tags keep this role off."""
    theirs = {"aws:ResourceTag/mlopsgen:environment": "eu", "aws:ResourceTag/mlopsgen:pipeline": "shop-prod"}
    asked = {
        (action, arn.replace("shop-prod-*", "shop-prod-eu-x"))
        for _, action, arns in pairs(everything)
        for arn in arns
        if "shop-prod-*" in arn
    }
    assert len(asked) > 100
    assert [each for each in sorted(asked) if may(whole, *each, theirs)] == []


def test_what_is_made_is_within_reach_before_it_has_tags_and_after():
    role = policy(resource("AWS::CloudWatch::Alarm"))
    alarm = f"arn:aws:cloudwatch:{HERE}:alarm:shop-prod-api-errors"
    for action in ("cloudwatch:PutMetricAlarm", "cloudwatch:DeleteAlarms"):
        assert may(role, action, alarm)
        assert may(role, action, alarm, OWN)


def test_a_key_is_the_environments_own_by_its_tags():
    key = f"arn:aws:kms:{HERE}:key/1"
    role = policy(resource("AWS::KMS::Key"), resource("AWS::ECR::Repository", KmsKey="x"))
    request = {"aws:RequestTag/mlopsgen:environment": "prod", "aws:RequestTag/mlopsgen:pipeline": "shop"}
    assert may(role, "kms:CreateKey", "*", request)
    assert not may(role, "kms:CreateKey", "*")
    assert may(role, "kms:PutKeyPolicy", key, OWN)
    assert may(role, "kms:UntagResource", key, OWN)
    assert not may(role, "kms:PutKeyPolicy", key)
    assert not may(role, "kms:PutKeyPolicy", key, ANOTHERS)
    assert may(role, "kms:CreateGrant", key, OWN | {"kms:GrantIsForAWSResource": "true"})
    assert not may(role, "kms:CreateGrant", key, OWN)
    assert may(role, "kms:RetireGrant", key, OWN)


def test_somebody_elses_key_is_used_and_not_changed():
    key = f"arn:aws:kms:{HERE}:key/theirs"
    theirs = StackReach("shop", "prod", BOUNDARY, keys=(key,))
    role = policy(resource("AWS::ECR::Repository", KmsKey=key), reach=theirs)
    assert may(role, "kms:CreateGrant", key, {"kms:GrantIsForAWSResource": "true"})
    assert may(role, "kms:DescribeKey", key)
    assert not may(role, "kms:PutKeyPolicy", key)
    assert not may(role, "kms:DescribeKey", f"arn:aws:kms:{HERE}:key/another")


def test_images_under_awss_own_key_need_no_right_on_a_key():
    role = policy(resource("AWS::ECR::Repository", RepositoryName="shop-prod/api"))
    assert not any(action.startswith("kms:") for each in role for action in listed(each["Action"]))


def test_an_encrypted_schedule_is_made_with_its_key():
    key = f"arn:aws:kms:{HERE}:key/1"
    assert may(policy(resource("AWS::Scheduler::Schedule", KmsKeyArn="x")), "kms:Decrypt", key, OWN)
    assert not may(policy(resource("AWS::Scheduler::Schedule")), "kms:Decrypt", key, OWN)


def test_roles_are_made_inside_the_boundary_alone():
    role = policy(resource("AWS::IAM::Role"))
    bounded = {"iam:PermissionsBoundary": BOUNDARY}
    assert may(role, "iam:CreateRole", f"{ROLES}/serving/x", bounded)
    assert may(role, "iam:PutRolePolicy", f"{ROLES}/serving/x", bounded)
    assert not may(role, "iam:CreateRole", f"{ROLES}/serving/x")
    assert not may(role, "iam:CreateRole", "arn:aws:iam::123456789012:role/x", bounded)
    assert not may(role, "iam:DeleteRolePermissionsBoundary", f"{ROLES}/serving/x", bounded)


def test_what_does_not_fit_into_a_role_goes_into_policies_beside_it():
    role = policy(resource("AWS::IAM::Role"), resource("AWS::IAM::ManagedPolicy"))
    beside = "arn:aws:iam::123456789012:policy/shop-prod/serving-api/x"
    for action in ("iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:GetPolicy"):
        assert may(role, action, beside)
        assert not may(role, action, "arn:aws:iam::123456789012:policy/another")


def test_what_an_administrator_deploys_stays_as_it_is(whole: list[dict[str, Any]]):
    """Neither its own rights, nor the workflow's, nor the boundary can be changed by what is deployed."""
    context = {"iam:PermissionsBoundary": BOUNDARY, "iam:PassedToService": "ecs-tasks.amazonaws.com"}
    for action in ("iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy", "iam:AttachRolePolicy", "iam:PassRole"):
        assert not may(whole, action, f"{ROLES}/access/shop-prod-stacks", context)
        assert may(whole, action, f"{ROLES}/serving-api/x", context)
    for action in ("iam:CreatePolicyVersion", "iam:DeletePolicy", "iam:SetDefaultPolicyVersion"):
        assert not may(whole, action, BOUNDARY)


def test_a_role_is_handed_only_to_the_services_that_the_plan_hands_roles_to():
    role = policy(resource("AWS::ECS::TaskDefinition"), resource("AWS::Scheduler::Schedule"))
    handed = {
        service
        for service in ("ecs-tasks", "scheduler", "ec2", "lambda")
        if may(role, "iam:PassRole", f"{ROLES}/x", {"iam:PassedToService": f"{service}.amazonaws.com"})
    }
    assert handed == {"ecs-tasks", "scheduler"}


def test_only_what_carries_this_environments_tags_is_changed_or_removed():
    """Neither somebody else's network, nor one that was given this environment's tags just before."""
    role = policy(resource("AWS::EC2::VPC"), resource("AWS::EC2::Route"), resource("AWS::EC2::RouteTable"))
    for action, kind in (
        ("DeleteVpc", "vpc"),
        ("CreateRoute", "route-table"),
        ("DeleteRoute", "route-table"),
    ):
        arn = f"arn:aws:ec2:{HERE}:{kind}/x"
        assert may(role, f"ec2:{action}", arn, OWN | STACK)
        assert not may(role, f"ec2:{action}", arn, OWN)
        assert not may(role, f"ec2:{action}", arn, OWN | {next(iter(STACK)): "shop-dev-network"})
        assert not may(role, f"ec2:{action}", arn)


def test_what_makes_a_resource_may_meet_it_before_its_tags():
    """CloudFormation adds the rules of a new security group before it tags it."""
    role = policy(resource("AWS::EC2::SecurityGroup"))
    group = f"arn:aws:ec2:{HERE}:security-group/x"
    for action in ("ec2:AuthorizeSecurityGroupIngress", "ec2:CreateTags"):
        assert may(role, action, group)
        assert may(role, action, group, OWN)
        assert not may(role, action, group, ANOTHERS)


def test_what_a_create_handler_does_never_waits_for_tags():
    """Unless it acts on another resource, of which the type is a part."""
    reaching = {
        # A file system is there before its access points; a certificate and a key are made by one call.
        "AWS::EFS::AccessPoint": {"elasticfilesystem:CreateAccessPoint"},
        # Cleaning up after a creation that failed is a deletion.
        "AWS::EC2::VPCEndpoint": {"ec2:DeleteTags"},
    }
    for name in sorted(scopes.TYPES - scopes.PART_OF.keys()):
        early = {
            action
            for grant in stack_rights([resource(name)], REACH)
            if ("StringEquals", "aws:ResourceTag/mlopsgen:environment", "prod") in grant.condition
            for action in grant.actions
            if action in resource_type(name).permissions("create") and not action.startswith("kms:")
        }
        assert early == reaching.get(name, set()), name


def test_load_balancers_are_changed_by_their_tags_since_names_are_cut_short():
    role = policy(resource("AWS::ElasticLoadBalancingV2::ListenerRule"))
    rule = f"arn:aws:elasticloadbalancing:{HERE}:listener-rule/app/x/1/2/3"
    assert may(role, "elasticloadbalancing:ModifyRule", rule, OWN | STACK)
    assert not may(role, "elasticloadbalancing:ModifyRule", rule)
    assert not may(role, "elasticloadbalancing:AddTags", rule, ANOTHERS)
    listener = f"arn:aws:elasticloadbalancing:{HERE}:listener/app/x/1/2"
    assert may(role, "elasticloadbalancing:CreateRule", listener)


def test_records_are_written_in_the_zones_that_the_plan_names():
    def record(zone: Any) -> tuple[str, dict[str, Any]]:
        target = {"HostedZoneId": {"Fn::GetAtt": ["Balancer", "CanonicalHostedZoneID"]}}
        return resource("AWS::Route53::RecordSet", HostedZoneId=zone, AliasTarget=target)

    role = policy(record("Z1"))
    assert may(role, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z1")
    assert not may(role, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z2")
    anywhere = policy(record("Z1"), record({"Ref": "Zone"}))
    assert may(anywhere, "route53:ChangeResourceRecordSets", "arn:aws:route53:::hostedzone/Z2")


def test_the_order_of_resources_changes_nothing(everything: tuple[Grant, ...]):
    backwards = [resource(name) for name in sorted(scopes.TYPES, reverse=True)]
    assert statements(stack_rights(backwards, REACH)) == statements(everything)


def test_grants_say_for_which_type_they_are():
    made = [each.because for each in stack_rights([resource("AWS::SNS::Topic")], REACH)]
    assert made == [
        "makes AWS::SNS::Topic",
        "passes values between stacks",
        "change its own rights",
        "unbind a role",
        "touch another pipeline",
    ]


def test_a_type_that_nobody_has_looked_at_is_our_bug():
    with pytest.raises(LookupError, match="nobody has looked at what AWS::IAM::User takes"):
        stack_rights([resource("AWS::IAM::User")], REACH)


def test_a_bucket_whose_name_nobody_can_tell_is_our_bug():
    with pytest.raises(LookupError, match="no ARN can be told"):
        stack_rights([("AWS::S3::Bucket", {"BucketName": {"Ref": "Name"}})], REACH)


def test_every_permission_beyond_the_handlers_has_its_reason():
    for row in scopes.ADDED:
        assert row.reason
        assert row.type in scopes.TYPES
        assert not set(row.actions) & resource_type(row.type).permissions(
            "create", "read", "update", "delete"
        )
