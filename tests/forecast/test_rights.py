"""Whose rights widen or narrow, by what policies come to and not by how they are written."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.forecast.rights import changed_rights
from mlopsgen.motion.live import Account
from mlopsgen.motion.replay import settled
from mlopsgen.motion.stacks import StackTemplate, TemplateSet

BUCKET = "arn:aws:s3:::data"


def account(**resources: Any) -> Account:
    template = {"Resources": resources}
    return settled(Account(), TemplateSet("shop-prod", "eu-west-1", (StackTemplate("api", template),)))


def role(*statements: dict[str, Any], **more: Any) -> dict[str, Any]:
    policy = {"PolicyName": "own", "PolicyDocument": {"Version": "2012-10-17", "Statement": list(statements)}}
    trust = more.pop(
        "trust",
        [
            {
                "Effect": "Allow",
                "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                "Action": "sts:AssumeRole",
            }
        ],
    )
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Statement": trust}, "Policies": [policy], **more},
    }


def may(action: Any, resource: Any = f"{BUCKET}/*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def never(action: Any, resource: Any = f"{BUCKET}/*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource, **more}


def sentences(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    return [each.sentence for each in changed_rights(account(Role=before), account(Role=after))]


WRITTEN_OTHERWISE = {
    "a list": (role(may("s3:GetObject")), role(may(["s3:GetObject"]))),
    "two statements": (
        role(may(["s3:GetObject", "s3:PutObject"])),
        role(may("s3:PutObject"), may("s3:GetObject")),
    ),
    "another case": (role(may("s3:getobject")), role(may("s3:GetObject"))),
    "said twice": (role(may("s3:*")), role(may("s3:*"), may("s3:GetObject"))),
    "a resource that another covers": (
        role(may("s3:GetObject")),
        role(may("s3:GetObject", [f"{BUCKET}/*", f"{BUCKET}/raw/*"])),
    ),
    "another Sid": (role(may("s3:GetObject", Sid="A")), role(may("s3:GetObject", Sid="B"))),
}


@pytest.mark.parametrize("name", WRITTEN_OTHERWISE)
def test_what_is_only_written_otherwise_is_silent(name: str):
    """Two ways to say the same change nothing."""
    assert sentences(*WRITTEN_OTHERWISE[name]) == []


def test_an_action_more():
    """One action more is told alone."""
    assert sentences(role(may("s3:GetObject")), role(may(["s3:GetObject", "s3:PutObject"]))) == [
        "may from now on: s3:PutObject on data/*"
    ]


def test_a_wildcard_widens_and_back_narrows():
    """`s3:Get*` is more than `s3:GetObject`."""
    one, other = role(may("s3:GetObject")), role(may("s3:Get*"))
    assert sentences(one, other) == ["may from now on: s3:Get* on data/*"]
    assert sentences(other, one) == ["may no longer: s3:Get* on data/*"]


def test_a_deny_that_goes_widens():
    """What was denied and is no longer, is a right, though no Allow changes."""
    with_deny = role(may("s3:*"), never("s3:DeleteObject"))
    assert sentences(with_deny, role(may("s3:*"))) == ["is no longer denied: s3:DeleteObject on data/*"]
    assert sentences(role(may("s3:*")), with_deny) == ["is denied from now on: s3:DeleteObject on data/*"]


def test_an_allow_under_a_deny_is_none():
    """An Allow that a Deny covers gives nothing, so that nothing is told of it."""
    before = role(never("s3:*"))
    assert sentences(before, role(never("s3:*"), may("s3:GetObject"))) == []


def test_a_condition_that_goes_widens():
    """Without its condition a statement lets more through."""
    held = may("s3:GetObject", Condition={"StringEquals": {"aws:SourceVpc": "vpc-1"}})
    assert sentences(role(held), role(may("s3:GetObject"))) == ["may from now on: s3:GetObject on data/*"]
    assert sentences(role(may("s3:GetObject")), role(held)) == ["may no longer: s3:GetObject on data/*"]


def test_a_condition_with_more_values_widens():
    """One prefix more to list is a right more, and says which."""

    def listing(*prefixes: str) -> dict[str, Any]:
        return may("s3:ListBucket", BUCKET, Condition={"StringLike": {"s3:prefix": list(prefixes)}})

    assert sentences(role(listing("raw/*")), role(listing("raw/*", "models/*"))) == [
        "may from now on: s3:ListBucket on data, where s3:prefix is models/* or raw/*"
    ]
    assert sentences(role(listing("raw/*", "models/*")), role(listing("raw/*"))) == [
        "may no longer: s3:ListBucket on data, where s3:prefix is models/* or raw/*"
    ]


def test_a_negated_condition_with_more_values_narrows():
    """Whoever must not be one of three is held closer than whoever must not be one of two."""

    def but(*keys: str) -> dict[str, Any]:
        return may("kms:Decrypt", "*", Condition={"StringNotEquals": {"kms:ViaService": list(keys)}})

    (only,) = changed_rights(account(Role=role(but("a", "b"))), account(Role=role(but("a", "b", "c"))))
    assert only.direction == "narrower"


def boundary(*statements: dict[str, Any]) -> dict[str, Any]:
    return {
        "Type": "AWS::IAM::ManagedPolicy",
        "Properties": {"ManagedPolicyName": "limit", "PolicyDocument": {"Statement": list(statements)}},
    }


def held(*statements: dict[str, Any]) -> dict[str, Any]:
    return role(*statements, PermissionsBoundary="arn:aws:iam::123456789012:policy/limit")


def test_a_boundary_counts():
    """What a boundary does not let through is no right, until it does."""
    before = account(Limit=boundary(may("s3:GetObject")), Role=held(may("s3:*")))
    after = account(Limit=boundary(may(["s3:GetObject", "s3:PutObject"])), Role=held(may("s3:*")))
    assert [each.sentence for each in changed_rights(before, after)] == [
        "may from now on: s3:PutObject on data/*"
    ]


def test_a_boundary_that_goes_widens():
    """Without its boundary a role has all that its policies say."""
    before = account(Limit=boundary(may("s3:GetObject")), Role=held(may("s3:*")))
    after = account(Limit=boundary(may("s3:GetObject")), Role=role(may("s3:*")))
    assert [each.sentence for each in changed_rights(before, after)] == ["may from now on: s3:* on data/*"]


def test_who_may_act_as_a_role():
    """A trust policy that lets somebody else in is a right of theirs."""
    before = role(may("s3:GetObject"))
    open_ = role(
        may("s3:GetObject"),
        trust=[
            {
                "Effect": "Allow",
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    )
    assert sentences(before, open_) == [
        "can be acted as by: iam root", "can no longer be acted as by: ecs-tasks.amazonaws.com",
    ]  # fmt: skip


def test_a_resources_own_policy():
    """A bucket that everybody may read says so."""

    def policy(*statements: dict[str, Any]) -> dict[str, Any]:
        return {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": "data", "PolicyDocument": {"Statement": list(statements)}},
        }

    public = may("s3:GetObject", Principal="*")
    found = changed_rights(account(Policy=policy()), account(Policy=policy(public)))
    assert [each.sentence for each in found] == ["may from now on: s3:GetObject on data/* by everybody"]


def test_a_role_that_is_replaced_keeps_its_rights():
    """Another name is another role, with the same rights."""
    before, after = role(may("s3:GetObject"), RoleName="one"), role(may("s3:GetObject"), RoleName="two")
    assert sentences(before, after) == []
