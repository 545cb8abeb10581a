"""File systems of EFS, each with its way in: an access point, and a mount target in each zone."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, Select, ec2, efs

from mlopsgen.components.volumes.names import STACK, access_point_id, file_system_id, security_group_id
from mlopsgen.components.volumes.spec import EfsSpec
from mlopsgen.language.values import DAY
from mlopsgen.model.binding import Bindings
from mlopsgen.model.names import logical
from mlopsgen.model.plan import Command, Declaration, FlowNode, StackDescription
from mlopsgen.model.site import Site, by_name
from mlopsgen.model.values import Body, Value
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.network import PRIVATE_SUBNETS, vpc, vpc_id
from mlopsgen.parts.resource import Scope, output, publish


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """Each volume of the pipeline's own; of somebody else's the picture alone."""
    yield StackDescription(STACK, "file systems that outlive tasks")
    for volume in by_name(site.spec.volumes):
        yield FlowNode(f"volume:{volume.name}", volume.name, "store")
        if volume.efs:
            scope = Scope(site, STACK, ("spec", "volumes", volume.name))
            yield from _file_system(scope, volume.name, volume.efs)
            yield from _way_in(scope, volume.name)
            yield _look(site, volume.name)


def _file_system(scope: Scope, name: str, spec: EfsSpec) -> Iterator[Declaration]:
    start, key = logical(name), key_arn(scope.site)
    body = efs.FileSystem(
        f"{start}FileSystem",
        Encrypted=True,
        PerformanceMode="generalPurpose",
        ThroughputMode=spec.throughput,
        BackupPolicy=efs.BackupPolicy(Status="ENABLED" if spec.backup else "DISABLED"),
        LifecyclePolicies=[
            efs.LifecyclePolicy(TransitionToIA=cold_class(spec.cold_after)),
            efs.LifecyclePolicy(TransitionToPrimaryStorageClass="AFTER_1_ACCESS"),
        ],
        FileSystemPolicy=_policy(),
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
        **({"KmsKeyId": key} if key else {}),
    )
    yield scope.resource(body)
    yield publish(file_system_id(name), Ref(body.title), scope.origin, kept=_LATER)
    point = efs.AccessPoint(
        f"{start}AccessPoint",
        FileSystemId=Ref(body.title),
        PosixUser=efs.PosixUser(Uid=str(spec.user), Gid=str(spec.user)),
        # A folder of its own: the root of a file system belongs to root, and nobody else may write there.
        RootDirectory=efs.RootDirectory(
            Path=f"/{name}",
            CreationInfo=efs.CreationInfo(
                OwnerUid=str(spec.user), OwnerGid=str(spec.user), Permissions="0750"
            ),
        ),
    )
    yield scope.resource(point)
    yield publish(access_point_id(name), Ref(point.title), scope.origin, kept=_LATER)
    yield output(STACK, f"{body.title}Id", Ref(body.title), f"The file system of volume {name}")


_LATER = "a workload that is added later mounts it"


def cold_class(seconds: int) -> str:
    """EFS's word for the age at which a file moves to infrequent access."""
    days = seconds // DAY
    return f"AFTER_{days}_DAY" if days == 1 else f"AFTER_{days}_DAYS"


def _policy() -> dict[str, Body]:
    """Nobody connects without TLS, or without a right of their own.

    A file system without a policy lets in whoever reaches a mount target; with one, only those whom a policy
    allows (Amazon EFS user guide, "Using IAM to control access to file systems").
    """
    statement = {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [statement]}


def _way_in(scope: Scope, name: str) -> Iterator[Declaration]:
    """A mount target in each zone of the network, behind a group that lets in nobody by itself."""
    start = logical(name)
    group = ec2.SecurityGroup(
        f"{start}SecurityGroup",
        VpcId=vpc_id(scope.site),
        GroupDescription=f"NFS to volume {name}, from the tasks that mount it",
        SecurityGroupEgress=[
            ec2.SecurityGroupRule(
                IpProtocol="-1", CidrIp="127.0.0.1/32", Description="File systems answer and never connect"
            )
        ],
    )
    yield scope.resource(group)
    group_id = GetAtt(group.title, "GroupId")
    yield publish(security_group_id(name), group_id, scope.origin, kept=_LATER)
    for place, subnet in _subnets(scope.site).items():
        yield scope.resource(
            efs.MountTarget(
                f"{start}MountTarget{place}",
                FileSystemId=Ref(f"{start}FileSystem"),
                SubnetId=subnet,
                SecurityGroups=[group_id],
            )
        )


def _subnets(site: Site) -> dict[str, Value]:
    """One private subnet in each zone, by what tells it from the others, in whatever order they are given.

    A mount target that moved to the subnet of another, while that one is there, would be refused (Amazon EFS
    API reference, CreateMountTarget: MountTargetConflict).
    """
    spec = vpc(site)
    if spec is None:
        existing = site.spec.network.existing
        ids = existing.private_subnet_ids if existing else ()
        return {each.removeprefix("subnet-"): each for each in ids}
    return {str(zone + 1): Select(zone, PRIVATE_SUBNETS) for zone in range(spec.availability_zones)}


def _look(site: Site, name: str) -> Command:
    start = logical(name)
    ask = (
        "aws efs describe-file-systems --file-system-id "
        f'"$(aws cloudformation describe-stacks --stack-name {site.prefix}-{STACK} --region {site.region} '
        f"""--query "Stacks[0].Outputs[?OutputKey=='{start}FileSystemId'].OutputValue" --output text)" """
        f"--region {site.region} --query 'FileSystems[0].SizeInBytes'"
    )
    return Command("Volumes", f"See how much volume {name} holds in {site.environment}", (ask,))
