"""What a change to a resource comes to is told from its type and its two sets of properties."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.aws import verdicts
from mlopsgen.aws.verdicts import (
    holds_data,
    may_replace,
    named_everywhere,
    names_within,
    refuses,
    renames,
    replaces,
    replaces_after_all,
)

PROVIDER = "AWS::ECS::CapacityProvider"


def provider(group: Any, target: int = 100) -> dict[str, Any]:
    return {
        "Name": "gpu",
        "AutoScalingGroupProvider": {
            "AutoScalingGroupArn": group,
            "ManagedScaling": {"TargetCapacity": target},
        },
    }


def test_a_changed_name_replaces_and_a_changed_count_does_not():
    service = {"ServiceName": "api", "DesiredCount": 2}
    assert replaces("AWS::ECS::Service", service, service | {"DesiredCount": 3}) == frozenset()
    assert replaces("AWS::ECS::Service", service, service | {"ServiceName": "web"}) == {"ServiceName"}


def test_a_property_that_comes_or_goes_is_a_change():
    bucket = {"BucketName": "data"}
    assert replaces("AWS::S3::Bucket", bucket, {}) == {"BucketName"}
    assert replaces("AWS::S3::Bucket", {}, bucket) == {"BucketName"}


def test_a_nested_property_replaces_by_itself():
    same = provider({"Ref": "Group"})
    assert replaces(PROVIDER, same, provider({"Ref": "Group"}, target=80)) == frozenset()
    assert replaces(PROVIDER, same, provider({"Ref": "Other"})) == {
        "AutoScalingGroupProvider/AutoScalingGroupArn"
    }


def test_of_nested_properties_the_outermost_is_named():
    old = {"PosixUser": {"Uid": "1", "Gid": "1"}, "RootDirectory": {"Path": "/a"}}
    new = {"PosixUser": {"Uid": "2", "Gid": "1"}, "RootDirectory": {"Path": "/a"}}
    assert replaces("AWS::EFS::AccessPoint", old, new) == {"PosixUser"}


def test_a_path_through_a_list_reaches_each_item():
    """Today's schemas have one such path, and there the outer property replaces as well."""
    groups = {"Groups": [{"Id": "a", "Note": "x"}, {"Ref": "B"}, {"Note": "y"}]}
    assert verdicts._values(groups, ["Groups", "*", "Id"]) == ["a", {"Ref": "B"}]


def test_an_intrinsic_function_on_the_way_is_compared_as_it_stands():
    before = {"Name": "gpu", "AutoScalingGroupProvider": {"Fn::If": ["Spot", {}, {}]}}
    after = {"Name": "gpu", "AutoScalingGroupProvider": {"Fn::If": ["OnDemand", {}, {}]}}
    assert replaces(PROVIDER, before, before) == frozenset()
    assert replaces(PROVIDER, before, after) == {"AutoScalingGroupProvider/AutoScalingGroupArn"}


def test_a_type_that_cannot_update_is_replaced_for_anything():
    assert replaces(
        "AWS::EC2::SubnetRouteTableAssociation", {"RouteTableId": "a"}, {"RouteTableId": "b"}
    ) == {"RouteTableId"}
    assert may_replace("AWS::EC2::SubnetRouteTableAssociation", {"SubnetId": "a"}, {}) == frozenset()


def test_what_replaces_in_some_cases_is_kept_apart():
    old, new = {"VPCZoneIdentifier": ["a"], "MinSize": "0"}, {"VPCZoneIdentifier": ["b"], "MinSize": "1"}
    assert replaces("AWS::AutoScaling::AutoScalingGroup", old, new) == frozenset()
    assert may_replace("AWS::AutoScaling::AutoScalingGroup", old, new) == {"VPCZoneIdentifier"}


def test_a_group_of_instances_is_replaced_only_if_it_is_told_to_be():
    old, new = {"VPCZoneIdentifier": ["a"]}, {"VPCZoneIdentifier": ["b"]}
    told = {"AutoScalingReplacingUpdate": {"WillReplace": True}}
    group = "AWS::AutoScaling::AutoScalingGroup"
    assert replaces_after_all(group, old, new, {}) == frozenset()
    assert replaces_after_all(group, old, new, told) == {"VPCZoneIdentifier"}


def test_what_may_replace_does_where_nothing_says_when():
    record = "AWS::Route53::RecordSet"
    assert replaces_after_all(record, {"Name": "a.example"}, {"Name": "b.example"}, {}) == {"Name"}


def test_names_are_unique_within_something():
    assert names_within("AWS::ECS::Service") == ("Cluster",)
    assert names_within("AWS::Logs::LogGroup") == ()
    assert (named_everywhere("AWS::S3::Bucket"), named_everywhere("AWS::SQS::Queue")) == (True, False)


def test_another_record_name_may_be_another_record():
    """Its schema lets the name change, and also calls it a part of what identifies the record."""
    assert may_replace("AWS::Route53::RecordSet", {"Name": "a.example"}, {"Name": "b.example"}) == {"Name"}


def test_a_keys_kind_cannot_change_at_all():
    old, new = {"KeySpec": "SYMMETRIC_DEFAULT"}, {"KeySpec": "RSA_2048", "Description": "x"}
    assert refuses("AWS::KMS::Key", old, new) == {"KeySpec"}
    assert replaces("AWS::KMS::Key", old, new) == frozenset()
    assert refuses("AWS::S3::Bucket", {"BucketName": "a"}, {"BucketName": "b"}) == frozenset()


def test_a_replacement_needs_another_name_unless_the_old_one_goes_first():
    assert renames("AWS::ElasticLoadBalancingV2::TargetGroup") == {"Name"}
    assert renames("AWS::Logs::MetricFilter") == frozenset()
    assert renames("AWS::ECS::TaskDefinition") == frozenset()


def test_what_is_lost_with_a_resource():
    assert holds_data("AWS::EFS::FileSystem") == "files"
    assert holds_data("AWS::EFS::MountTarget") is None


def test_a_type_that_nobody_knows_is_our_bug():
    with pytest.raises(KeyError):
        replaces("AWS::Nothing::AtAll", {}, {})
