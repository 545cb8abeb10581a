"""Volumes: any workload mounts them, and nobody else reaches them."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.components.volumes.resources import cold_class
from mlopsgen.components.volumes.rules import COLD_DAYS
from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import filled, may, properties, stack, statements

WORKLOADS = """\
  images: [{name: app}, {name: train}]
  volumes:
    - {name: cache, efs: {}}
    - name: shared
      existing:
        fileSystemId: fs-0123456789abcdef0
        accessPointId: fsap-0123456789abcdef0
        securityGroupId: sg-0123456789abcdef0
  services:
    - name: api
      image: app
      volumeMounts: [{name: cache, mountPath: /cache, readOnly: true}, {name: shared, mountPath: /shared}]
    - {name: plain, image: app}
  workers: [{name: worker, image: app, volumeMounts: [{name: cache, mountPath: /cache}]}]
  jobs: [{name: job, image: train, volumeMounts: [{name: cache, mountPath: /data}]}]
  delivery: {github: {repository: acme/demo}}
"""

HERE = "arn:aws:elasticfilesystem:ap-southeast-1:123456789012"
CACHE = f"{HERE}:file-system/ref-VolumesCacheFileSystemId"
POINT = {"elasticfilesystem:AccessPointArn": f"{HERE}:access-point/ref-VolumesCacheAccessPointId"}
SHARED = f"{HERE}:file-system/fs-0123456789abcdef0"
MOUNT, WRITE = "elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"

MOUNTED = {"serving-api": "/cache", "serving-worker": "/cache", "training-job": "/data"}


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan(WORKLOADS)


def container(found: Plan, name: str) -> dict[str, Any]:
    return properties(found, name, "TaskDefinition")["ContainerDefinitions"][0]


@pytest.mark.parametrize("name", MOUNTED)
def test_any_workload_mounts_a_volume(whole: Plan, name: str):
    """Services, workers and jobs see it where they say, encrypted on its way and with their own role."""
    mount = next(each for each in container(whole, name)["MountPoints"] if each["SourceVolume"] == "cache")
    assert mount["ContainerPath"] == MOUNTED[name]
    volumes = {each["Name"]: each for each in properties(whole, name, "TaskDefinition")["Volumes"]}
    assert volumes["cache"]["EFSVolumeConfiguration"] == {
        "FilesystemId": "ref-VolumesCacheFileSystemId",
        "TransitEncryption": "ENABLED",
        "AuthorizationConfig": {"IAM": "ENABLED", "AccessPointId": "ref-VolumesCacheAccessPointId"},
    }


def test_a_workload_that_mounts_nothing_has_nothing_of_it(whole: Plan):
    """Its stack names no volume and waits for none."""
    plain = stack(whole, "serving-plain")
    assert "volumes" not in plain.requires
    assert "olume" not in "".join(each.logical_id for each in plain.resources)
    assert "elasticfilesystem" not in str(statements(whole, "serving-plain", "TaskRole"))


@pytest.mark.parametrize(("name", "writes"), [("serving-api", False), ("training-job", True)])
def test_a_role_may_do_what_its_mount_says(whole: Plan, name: str, writes: bool):
    """Through the access point alone; a mount to read gives no right to write, and none gives root's."""
    own = statements(whole, name, "TaskRole")
    assert may(own, MOUNT, CACHE, POINT)
    assert may(own, WRITE, CACHE, POINT) == writes
    assert not may(own, MOUNT, CACHE)
    assert not may(own, "elasticfilesystem:ClientRootAccess", CACHE, POINT)


def test_nfs_is_open_between_the_two_groups_alone(whole: Plan):
    """The mount targets let in nobody by themselves; each workload that mounts brings its own rule."""
    group = properties(whole, "volumes", "CacheSecurityGroup")
    assert "SecurityGroupIngress" not in group
    for name in MOUNTED:
        way_in = properties(whole, name, "CacheVolumeIngress")
        way_out = properties(whole, name, "CacheVolumeEgress")
        assert (way_in["FromPort"], way_in["ToPort"], way_in["IpProtocol"]) == (2049, 2049, "tcp")
        assert way_in["GroupId"] == way_out["DestinationSecurityGroupId"] == "ref-VolumesCacheSecurityGroupId"
        assert way_in["SourceSecurityGroupId"] == way_out["GroupId"]
        assert "CidrIp" not in way_in and "CidrIp" not in way_out


def test_a_service_starts_when_its_way_is_open(whole: Plan):
    """Its first tasks mount the volume: the rules are there before them."""
    found = next(each for each in stack(whole, "serving-api").resources if each.type == "AWS::ECS::Service")
    assert {"CacheVolumeEgress", "CacheVolumeIngress"} <= set(found.document["DependsOn"])


def test_a_file_system_lets_in_nobody_without_tls_or_a_right(whole: Plan):
    """Its policy allows nothing, so that only a role's own right counts, and denies what is not encrypted."""
    policy = properties(whole, "volumes", "CacheFileSystem")["FileSystemPolicy"]["Statement"]
    assert [(each["Effect"], each["Condition"]) for each in policy] == [
        ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    ]


def test_files_outlive_the_stack(whole: Plan):
    """A file system is kept when its stack goes, encrypted with the pipeline's key and copied every day."""
    found = next(each for each in stack(whole, "volumes").resources if each.logical_id == "CacheFileSystem")
    assert found.document["DeletionPolicy"] == "RetainExceptOnCreate"
    assert found.document["UpdateReplacePolicy"] == "Retain"
    own = filled(found.properties)
    assert (own["Encrypted"], own["KmsKeyId"]) == (
        True,
        "arn:aws:kms:ap-southeast-1:123456789012:key/00000000-0000-0000-0000-000000000000",
    )
    assert own["BackupPolicy"] == {"Status": "ENABLED"}


def test_somebody_elses_file_system_is_used_and_never_changed(whole: Plan):
    """Nothing is made in its owner's place: the way in is a command for the owner."""
    assert not [each for each in stack(whole, "volumes").resources if "hared" in each.logical_id]
    api = {each.logical_id for each in stack(whole, "serving-api").resources}
    assert "SharedVolumeEgress" in api
    assert "SharedVolumeIngress" not in api
    own = statements(whole, "serving-api", "TaskRole")
    point = {"elasticfilesystem:AccessPointArn": f"{HERE}:access-point/fsap-0123456789abcdef0"}
    assert may(own, WRITE, SHARED, point)
    asked = [each for each in whole.commands if each.title.startswith("Let api reach volume shared")]
    assert len(asked) == 1
    assert "--group-id sg-0123456789abcdef0 --protocol tcp --port 2049" in asked[0].lines[0]


def test_the_boundary_holds_the_volumes_of_this_environment(whole: Plan):
    """A role could not mount what its boundary does not hold, and another environment's it may not."""
    boundary = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    tags = {"aws:ResourceTag/mlopsgen:pipeline": "demo", "aws:ResourceTag/mlopsgen:environment": "default"}
    assert may(boundary, WRITE, f"{HERE}:file-system/fs-1", tags)
    assert not may(
        boundary, WRITE, f"{HERE}:file-system/fs-1", tags | {"aws:ResourceTag/mlopsgen:environment": "prod"}
    )
    assert may(boundary, WRITE, SHARED)


def test_each_zone_of_the_network_has_a_way_in():
    """A mount target for each zone of the pipeline's own network, and for each subnet of an existing one."""
    own = plan("  network: {vpc: {availabilityZones: 3}}\n  volumes: [{name: cache, efs: {}}]\n")
    assert len(targets(own)) == 3
    existing = plan(
        "  network:\n"
        "    existing:\n"
        "      vpcId: vpc-0123456789abcdef0\n"
        "      cidrs: [10.0.0.0/16]\n"
        "      privateSubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]\n"
        "  volumes: [{name: cache, efs: {}}]\n"
    )
    assert [each["SubnetId"] for each in targets(existing)] == [
        "subnet-0123456789abcdef0",
        "subnet-0123456789abcdef1",
    ]


def test_a_mount_target_stays_with_its_subnet():
    """Whatever stands before it in the list: one that moved would meet the one that is still there."""
    network = (
        "  network:\n"
        "    existing: {vpcId: vpc-0123456789abcdef0, cidrs: [10.0.0.0/16], privateSubnetIds: [%s]}\n"
        "  volumes: [{name: cache, efs: {}}]\n"
    )
    first, second, third = (f"subnet-0123456789abcdef{number}" for number in range(3))
    before = by_id(plan(network % f"{first}, {second}"))
    after = by_id(plan(network % f"{third}, {second}"))
    kept = before.keys() & after.keys()
    assert [before[each] for each in kept] == [second] == [after[each] for each in kept]


def by_id(found: Plan) -> dict[str, Any]:
    return {
        each.logical_id: each.properties["SubnetId"]
        for each in stack(found, "volumes").resources
        if each.type == "AWS::EFS::MountTarget"
    }


def targets(found: Plan) -> list[dict[str, Any]]:
    return [
        each.properties for each in stack(found, "volumes").resources if each.type == "AWS::EFS::MountTarget"
    ]


def test_ages_are_those_of_efs():
    """The days that are accepted are those in the registry's schema of a file system."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::EFS::FileSystem").schema
    classes = schema["definitions"]["LifecyclePolicy"]["properties"]["TransitionToIA"]["enum"]
    assert {cold_class(days * 86400) for days in COLD_DAYS} == set(classes)


SHARED_IDS = "fileSystemId: fs-0123456789abcdef0, securityGroupId: sg-0123456789abcdef0"
TWO_PATHS = f"""\
  images: [{{name: app}}]
  volumes:
    - {{name: a, existing: {{{SHARED_IDS}, path: /a}}}}
    - {{name: b, existing: {{{SHARED_IDS}, path: /b}}}}
  services:
    - name: api
      image: app
      volumeMounts: [{{name: a, mountPath: /a}}, {{name: b, mountPath: /b}}]
"""


def test_two_paths_of_one_file_system_have_one_way_there():
    """EC2 refuses the same rule twice, from the template and from its owner's command."""
    found = plan(TWO_PATHS)
    rules = [each for each in stack(found, "serving-api").resources if "SecurityGroupEgress" in each.type]
    places = [
        repr(each.document["Properties"]["DestinationSecurityGroupId"])
        for each in rules
        if "DestinationSecurityGroupId" in each.document["Properties"]
    ]
    assert places == ["'sg-0123456789abcdef0'"]
    asked = [each for each in found.commands if "authorize-security-group-ingress" in each.lines[0]]
    assert [each.title for each in asked] == [
        "Let api reach volumes a and b in default, as the owner of sg-0123456789abcdef0"
    ]
