"""Every resource that takes tags carries them, in the form of its type."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.aws.resource_types import resource_type, type_names
from mlopsgen.aws.tags import with_tags
from tests.aws.test_resource_types import SAME, schema

TAGS = (("mlopsgen:pipeline", "shop"), ("team", "time-series"))
LIST = [{"Key": "mlopsgen:pipeline", "Value": "shop"}, {"Key": "team", "Value": "time-series"}]
MAP = {"mlopsgen:pipeline": "shop", "team": "time-series"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("AWS::ECS::Service", {"Tags": LIST}),
        ("AWS::KMS::Key", {"Tags": LIST}),
        ("AWS::EFS::FileSystem", {"FileSystemTags": LIST}),
        ("AWS::EFS::AccessPoint", {"AccessPointTags": LIST}),
        ("AWS::Route53::HealthCheck", {"HealthCheckTags": LIST}),
        ("AWS::Scheduler::ScheduleGroup", {"Tags": LIST}),
        ("AWS::SSM::Parameter", {"Tags": MAP}),
        ("AWS::Batch::JobQueue", {"Tags": MAP}),
        ("AWS::Backup::BackupVault", {"BackupVaultTags": MAP}),
        (
            "AWS::AutoScaling::AutoScalingGroup",
            {"Tags": [each | {"PropagateAtLaunch": True} for each in LIST]},
        ),
        ("AWS::CloudFront::AnycastIpList", {"Tags": {"Items": LIST}}),
        (
            "AWS::EC2::CapacityReservation",
            {"TagSpecifications": [{"ResourceType": "capacity-reservation", "Tags": LIST}]},
        ),
        ("AWS::Scheduler::Schedule", {}),
        ("AWS::EFS::MountTarget", {}),
        ("AWS::IAM::InstanceProfile", {}),
        ("AWS::S3::BucketPolicy", {}),
    ],
)
def test_tags_stand_where_the_type_takes_them(name: str, expected: dict[str, Any]):
    assert with_tags(name, {}, TAGS) == expected


def test_all_else_stays_as_it_was():
    properties = {"Engine": {"Ref": "A"}}
    assert with_tags("AWS::S3::Bucket", properties, TAGS) == {"Engine": {"Ref": "A"}, "Tags": LIST}
    assert properties == {"Engine": {"Ref": "A"}}


def test_without_tags_there_is_no_empty_property():
    assert with_tags("AWS::S3::Bucket", {"BucketName": "b"}, ()) == {"BucketName": "b"}
    assert with_tags("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {}}, ()) == {"LaunchTemplateData": {}}


def test_a_tag_of_the_resource_itself_stays_and_comes_first():
    own = [{"Key": "AmazonECSManaged", "Value": "true", "PropagateAtLaunch": True}]
    group = with_tags("AWS::AutoScaling::AutoScalingGroup", {"Tags": own}, TAGS)
    assert [each["Key"] for each in group["Tags"]] == ["AmazonECSManaged", "mlopsgen:pipeline", "team"]
    queue = with_tags("AWS::SQS::Queue", {"Tags": [{"Key": "team", "Value": "other"}]}, TAGS)
    assert queue["Tags"] == [{"Key": "team", "Value": "other"}, LIST[0]]
    parameter = with_tags("AWS::SSM::Parameter", {"Tags": {"team": "other"}}, TAGS)
    assert parameter["Tags"] == {"mlopsgen:pipeline": "shop", "team": "other"}


def test_a_launch_template_tags_itself_and_what_is_started_from_it():
    template = with_tags("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": {"ImageId": "ami-1"}}, TAGS)
    assert template == {
        "LaunchTemplateData": {
            "ImageId": "ami-1",
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": LIST},
                {"ResourceType": "volume", "Tags": LIST},
            ],
        },
        "TagSpecifications": [{"ResourceType": "launch-template", "Tags": LIST}],
    }
    more = {"TagSpecifications": [{"ResourceType": "network-interface", "Tags": []}]}
    data = with_tags("AWS::EC2::LaunchTemplate", {"LaunchTemplateData": more}, TAGS)["LaunchTemplateData"]
    assert [each["ResourceType"] for each in data["TagSpecifications"]] == [
        "network-interface",
        "instance",
        "volume",
    ]
    assert data["TagSpecifications"][0]["Tags"] == []


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("AWS::EC2::Subnet", True),
        ("AWS::EC2::SecurityGroup", True),
        ("AWS::EC2::Instance", True),
        ("AWS::EC2::EIP", True),
        ("AWS::EFS::FileSystem", True),
        ("AWS::ECS::Cluster", False),
        ("AWS::KMS::Key", False),
    ],
)
def test_the_console_shows_a_name_where_there_would_be_a_bare_id(name: str, shown: bool):
    kind = resource_type(name)
    assert kind.tags
    tags = with_tags(name, {}, TAGS, called="shop-prod-Thing")[kind.tags.name]
    assert tags == ([{"Key": "Name", "Value": "shop-prod-Thing"}] if shown else []) + LIST


def test_every_type_that_takes_tags_gets_them_in_a_property_of_its_own():
    for name in type_names():
        tagged = with_tags(name, {"LaunchTemplateData": {}}, TAGS, called="x").keys() - {"LaunchTemplateData"}
        kind = resource_type(name)
        expected = {kind.tags.name} if kind.tags else set()
        if name == "AWS::EC2::LaunchTemplate":
            expected = {"TagSpecifications"}
        assert tagged == expected, name
        assert not SAME or tagged <= schema(name)["properties"].keys(), name
