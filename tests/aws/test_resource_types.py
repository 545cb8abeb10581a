"""What is known of CloudFormation's resource types is what the registry says, and what is written by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from mlopsgen.aws import refresh, resource_types
from mlopsgen.aws.resource_types import TagProperty, known, resource_type, type_names

SAME = resource_types.source_version() == version("cfn-lint")
"""Whether the installed cfn-lint is the one that the table was made from; another may know more, or less."""


def schema(name: str) -> dict[str, Any]:
    """The registry's schema of a type, as the installed cfn-lint has it."""
    folder = files("cfnlint.data.schemas")
    places = json.loads((folder / "providers" / "us-east-1.json").read_text())
    return json.loads((folder / "resources" / f"{places[name]}.json").read_text())


def test_the_table_is_what_the_registry_says():
    """With another cfn-lint than the table was made from, the table may differ and is still sound."""
    if SAME:
        assert resource_types.TABLE.read_text(encoding="utf-8") == refresh.types()
    for name in ("AWS::ECS::Service", "AWS::EFS::FileSystem", "AWS::S3::Bucket"):
        stated = schema(name)
        assert name in type_names()
        assert resource_type(name).names <= stated["properties"].keys()
        assert resource_type(name).permissions("create")


def test_whole_services_are_known_not_only_what_is_emitted_today():
    assert {resource_type(name).service for name in type_names()} == refresh.SERVICES
    assert type_names() == tuple(sorted(type_names()))
    assert len(type_names()) > 300


def test_a_service_of_ecs():
    service = resource_type("AWS::ECS::Service")
    assert service.tags == TagProperty("Tags", "list", on_create=True, updatable=True, system=False)
    assert service.identifier == ("ServiceArn", "Cluster")
    assert service.names == {"ServiceName"}
    assert service.create_only == {"Cluster", "Role", "SchedulingStrategy", "ServiceName"}
    assert service.maybe_create_only == {"LaunchType"}
    assert service.read_only == {"Name", "ServiceArn"}
    assert "ForceNewDeployment" in service.write_only
    assert service.updatable
    assert not service.deletes_first
    assert "ecs:ListServiceDeployments" in service.permissions("create")
    assert service.permissions("delete") == {"ecs:DeleteService", "ecs:DescribeServices"}
    assert {each.operation: each.minutes for each in service.handlers} == {
        "create": 2160,
        "read": None,
        "update": 2160,
        "delete": 30,
        "list": None,
    }
    assert service.data is None


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("AWS::EFS::FileSystem", ("FileSystemTags", "list")),
        ("AWS::EFS::AccessPoint", ("AccessPointTags", "list")),
        ("AWS::SSM::Parameter", ("Tags", "map")),
        ("AWS::AutoScaling::AutoScalingGroup", ("Tags", "propagated")),
        ("AWS::EC2::CapacityReservation", ("TagSpecifications", "specifications")),
        ("AWS::CloudFront::AnycastIpList", ("Tags", "items")),
        ("AWS::Scheduler::Schedule", None),
        ("AWS::EC2::LaunchTemplate", None),
    ],
)
def test_each_type_takes_its_tags_in_its_own_form(name: str, form: tuple[str, str] | None):
    tags = resource_type(name).tags
    assert (tags and (tags.name, tags.form)) == form


def test_an_instance_profile_takes_no_tags():
    """Its schema names a property for them and does not have it: CloudFormation would refuse the template."""
    assert resource_type("AWS::IAM::InstanceProfile").tags is None


def test_tags_that_cannot_change_are_told_apart():
    assert not resource_type("AWS::EC2::PlacementGroup").tags.updatable
    assert not resource_type("AWS::Route53::HostedZone").tags.on_create


def test_nested_properties_are_paths():
    assert resource_type("AWS::ECS::CapacityProvider").create_only == {
        "AutoScalingGroupProvider/AutoScalingGroupArn",
        "ClusterName",
        "Name",
    }


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("AWS::S3::Bucket", {"BucketName"}),
        ("AWS::IAM::Role", {"RoleName"}),
        ("AWS::EC2::SecurityGroup", {"GroupName"}),
        ("AWS::ElasticLoadBalancingV2::TargetGroup", {"Name"}),
        ("AWS::Logs::MetricFilter", {"FilterName"}),
        ("AWS::Logs::QueryDefinition", set()),
        ("AWS::ECS::TaskDefinition", set()),
        ("AWS::EFS::FileSystem", set()),
        ("AWS::EC2::KeyPair", {"KeyName"}),
        ("AWS::IAM::OIDCProvider", {"Url"}),
        ("AWS::Route53::HostedZone", set()),
    ],
)
def test_a_name_is_what_no_two_can_have(name: str, names: set[str]):
    assert resource_type(name).names == names


def test_what_holds_data_says_what_is_lost():
    assert resource_type("AWS::EFS::FileSystem").data == "files"
    assert resource_type("AWS::SNS::Topic").data is None
    assert {name for name in type_names() if resource_type(name).data} == set(resource_types._DATA)


def test_what_is_written_by_hand_is_of_types_and_properties_that_exist():
    assert resource_types._NAMES.keys() | resource_types._DATA.keys() <= set(type_names())
    for name, names in resource_types._NAMES.items():
        assert not SAME or names <= schema(name)["properties"].keys()


def test_a_type_without_an_update_handler_cannot_change_in_place():
    assert not resource_type("AWS::EC2::SubnetRouteTableAssociation").updatable
    assert resource_type("AWS::EC2::SubnetRouteTableAssociation").deletes_first
    assert resource_type("AWS::IAM::AccessKey").handlers == ()
    assert resource_type("AWS::IAM::AccessKey").updatable


def test_permissions_are_those_of_iam_whatever_their_letters():
    permissions = resource_type("AWS::Batch::JobQueue").permissions("create", "update")
    assert {"batch:CreateJobQueue", "batch:UpdateJobQueue"} <= permissions
    assert {each for each in permissions if each.partition(":")[0] != each.partition(":")[0].lower()} == set()


def test_an_unknown_type_is_our_bug_unless_somebody_asked():
    assert not known("AWS::ECS::Nothing")
    assert not known("AWS::ECS::Service\n  tags")
    assert known("AWS::ECS::Service")
    with pytest.raises(KeyError, match="AWS::ECS::Nothing"):
        resource_type("AWS::ECS::Nothing")


def test_reading_the_table_takes_none_of_what_it_was_made_from():
    code = (
        "import sys; from mlopsgen.aws import resource_types as r; before = r._text.cache_info().currsize;"
        "r.resource_type('AWS::S3::Bucket');"
        "print(before, sorted({'cfnlint', 'moto', 'troposphere', 'pydantic'} & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "0 []\n"


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table of its own in place of all others."""
    path = tmp_path / "small.txt"
    monkeypatch.setattr(refresh, "TABLES", {"small": refresh.Table(path, lambda: "new\n")})
    return path


def test_a_stale_table_is_named_and_left_alone(table: Path, capsys: pytest.CaptureFixture[str]):
    table.write_text("old\n")
    assert refresh.main(["--check"]) == 1
    assert table.read_text() == "old\n"
    assert capsys.readouterr().err == "small.txt is stale: python -m mlopsgen.aws.refresh small\n"


def test_a_refreshed_table_is_not_stale(table: Path):
    assert refresh.main([]) == 0
    assert table.read_text() == "new\n"
    assert refresh.main(["small", "--check"]) == 0


def test_a_table_that_does_not_exist_is_a_usage_error(table: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        refresh.main(["big"])
    assert stopped.value.code == 2
    assert "no table big; there are small" in capsys.readouterr().err
