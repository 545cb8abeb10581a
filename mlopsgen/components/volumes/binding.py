"""What a workload gets because it mounts a volume of `spec.volumes`.

ECS mounts it with the task's role and through the task's network interface, on Fargate and on instances
alike, so the rights and the rules are the workload's own (Amazon ECS developer guide, "Use Amazon EFS volumes
with Amazon ECS"; aws/amazon-ecs-agent, pull request 2372).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from troposphere import Sub, ecs

from mlopsgen.components.volumes.names import access_point_id, file_system_id, security_group_id
from mlopsgen.components.volumes.spec import VolumeSpec
from mlopsgen.components.workloads.spec import MountSpec
from mlopsgen.model.binding import Binding, Connection, Contribution, Mount, TaskVolume, together
from mlopsgen.model.names import logical
from mlopsgen.model.plan import Command, Declaration, FlowEdge, Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.policies import arn

NFS = 2049


class VolumeSource(NamedTuple):
    """The ids of a file system and of the ways to it."""

    file_system: Value
    access_point: Value | None
    path: str | None
    """The folder of it that tasks see, if they come through no access point."""
    group: Value
    """The security group of its mount targets."""


def bind(site: Site, workload: Workload) -> Binding:
    """Each file system that it mounts, the right to do so, and the way there."""
    volumes = {each.name: each for each in site.spec.volumes}
    mounts = sorted(workload.spec.volume_mounts, key=lambda each: each.name)
    bound = (_bound(site, workload, volumes[each.name], each) for each in mounts if each.name in volumes)
    asked = _asked(site, workload, [volumes[each.name] for each in mounts if each.name in volumes])
    return together((Binding(declarations=tuple(asked)), *bound))


def _bound(site: Site, workload: Workload, volume: VolumeSpec, mount: MountSpec) -> Binding:
    name = volume.name
    source = _source(volume)
    actions = ["elasticfilesystem:ClientMount"]
    if not mount.read_only:
        actions.append("elasticfilesystem:ClientWrite")
    through = (
        (("StringEquals", "elasticfilesystem:AccessPointArn", _arn("access-point", source.access_point)),)
        if source.access_point
        else ()
    )
    system = _arn("file-system", source.file_system)
    grant = Grant(tuple(actions), (system,), f"mounts volume {name}", through)
    reach = Connection(
        f"{logical(name)}Volume", source.group, NFS, f"NFS to volume {name}", owned=volume.efs is not None
    )
    return Binding(
        grants=(grant,),
        volumes=(TaskVolume(name, (("EFSVolumeConfiguration", _configuration(source)),)),),
        mounts=(Mount(name, mount.mount_path, mount.read_only),),
        connections=(reach,),
        services=("elasticfilesystem",),
        declarations=(FlowEdge(workload.name, f"volume:{name}", "mounts"),),
        contributions=(Contribution("boundary", _bound_of(site, volume)),),
    )


def _source(volume: VolumeSpec) -> VolumeSource:
    given = volume.existing
    if given:
        return VolumeSource(given.file_system_id, given.access_point_id, given.path, given.security_group_id)
    name = volume.name
    return VolumeSource(file_system_id(name), access_point_id(name), None, security_group_id(name))


def _configuration(source: VolumeSource) -> ecs.EFSVolumeConfiguration:
    """Encrypted on its way and with the task's role, which asks for the encryption (ECS API reference)."""
    way = ecs.AuthorizationConfig(IAM="ENABLED")
    if source.access_point:
        way.AccessPointId = source.access_point
    configuration = ecs.EFSVolumeConfiguration(
        FilesystemId=source.file_system, TransitEncryption="ENABLED", AuthorizationConfig=way
    )
    if source.path:
        configuration.RootDirectory = source.path
    return configuration


def _arn(kind: str, id_: Value | None) -> Sub:
    if isinstance(id_, str):
        return arn("elasticfilesystem", f"{kind}/{id_}")
    return Sub(arn("elasticfilesystem", f"{kind}/${{Id}}").data["Fn::Sub"], Id=id_)


def _bound_of(site: Site, volume: VolumeSpec) -> Grant:
    """The same for the boundary, which is there before a file system has an id: by its tags."""
    actions = ("elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite")
    if volume.existing:
        return Grant(actions, (_arn("file-system", volume.existing.file_system_id),), "volumes")
    tags = {"pipeline": site.name, "environment": site.environment}
    own = tuple(
        ("StringEquals", f"aws:ResourceTag/mlopsgen:{name}", value) for name, value in sorted(tags.items())
    )
    return Grant(actions, (arn("elasticfilesystem", "file-system/*"),), "volumes", own)


def _asked(site: Site, workload: Workload, volumes: Iterable[VolumeSpec]) -> Iterator[Declaration]:
    """What the owners of other people's file systems do to let the workload in, once for each group."""
    groups: dict[str, list[str]] = {}
    for volume in volumes:
        if volume.existing:
            groups.setdefault(volume.existing.security_group_id, []).append(volume.name)
    stack = f"{site.prefix}-{workload.stack}"
    source = (
        f'"$(aws cloudformation describe-stack-resource --stack-name {stack} --region {site.region} '
        "--logical-resource-id SecurityGroup --query StackResourceDetail.PhysicalResourceId --output text)"
        '"'
    )
    for group, names in groups.items():
        line = (
            f"aws ec2 authorize-security-group-ingress --region {site.region} "
            f"--group-id {group} --protocol tcp --port {NFS} --source-group {source}"
        )
        reached = f"volume {names[0]}" if len(names) == 1 else f"volumes {' and '.join(names)}"
        title = f"Let {workload.name} reach {reached} in {site.environment}, as the owner of {group}"
        yield Command("Volumes", title, (line,))
