"""What EFS offers, and which volumes are there and used."""

from __future__ import annotations

from collections.abc import Iterable

from mlopsgen.components.network.rules import ZONES
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.language.values import DAY, write_duration
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

# Amazon EFS API reference, LifecyclePolicy.
COLD_DAYS = (1, 7, 14, 30, 60, 90, 180, 270, 365)


@rule(
    "E215",
    "an unknown volume",
    "`volumeMounts` name one of the workload's own `volumes` or one of `spec.volumes`.",
    """
    spec:
      volumes: [{name: cache, efs: {}}]
      services: [{name: api, volumeMounts: [{name: cash, mountPath: /cache}]}]
    """,
    """
    spec:
      volumes: [{name: cache, efs: {}}]
      services: [{name: api, volumeMounts: [{name: cache, mountPath: /cache}]}]
    """,
)
def unknown_volume(scene: Scene) -> Iterable[Finding]:
    """What is mounted is declared."""
    shared = {volume.name for volume in scene.site.spec.volumes}
    for path, workload in workloads(scene):
        known = shared | {volume.name for volume in workload.volumes}
        for at, mount in each((*path, "volumeMounts"), workload.volume_mounts):
            if mount.name not in known:
                yield scene.unknown((*at, "name"), "volume", mount.name, known, "volumes")


@rule(
    "W205",
    "a volume that nobody mounts",
    "It is made and paid for, and nothing comes of it.",
    "spec: {volumes: [{name: cache, efs: {}}]}",
    """
    spec:
      volumes: [{name: cache, efs: {}}]
      services: [{name: api, volumeMounts: [{name: cache, mountPath: /cache}]}]
    """,
)
def unused_volume(scene: Scene) -> Iterable[Finding]:
    """What is declared is mounted."""
    mounted = {mount.name for _, workload in workloads(scene) for mount in workload.volume_mounts}
    for path, volume in each(("spec", "volumes"), scene.site.spec.volumes):
        if volume.name not in mounted:
            message = f"nobody mounts volume `{volume.name}`"
            yield Finding((*path, "name"), message, "name it in `volumeMounts`, or take it away")
    for path, workload in workloads(scene):
        own = {mount.name for mount in workload.volume_mounts}
        for at, space in each((*path, "volumes"), workload.volumes):
            if space.name not in own:
                message = f"`{workload.name}` does not mount its volume `{space.name}`"
                yield Finding((*at, "name"), message, "name it in `volumeMounts`, or take it away")


@rule(
    "E335",
    "an age that EFS does not offer",
    "EFS moves files to infrequent access after one of nine numbers of days, from 1 to 365.",
    "spec: {volumes: [{name: cache, efs: {coldAfter: 45d}}]}",
    "spec: {volumes: [{name: cache, efs: {coldAfter: 60d}}]}",
)
def cold_days(scene: Scene) -> Iterable[Finding]:
    """Files grow cold after certain numbers of days."""
    for path, volume in each(("spec", "volumes"), scene.site.spec.volumes):
        seconds = volume.efs.cold_after if volume.efs else DAY
        if seconds % DAY or seconds // DAY not in COLD_DAYS:
            near = min(COLD_DAYS, key=lambda days: (abs(days * DAY - seconds), days))
            yield Finding(
                (*path, "efs", "coldAfter"),
                f"EFS cannot move files after {write_duration(seconds)}",
                f"the nearest is `{near}d`",
            )


@rule(
    "E336",
    "a path beside an access point",
    """An access point says which folder its users see, and ECS refuses another one beside it (Amazon ECS API
    reference, EFSVolumeConfiguration).""",
    """
    spec:
      volumes:
        - name: shared
          existing:
            fileSystemId: fs-0123456789abcdef0
            accessPointId: fsap-0123456789abcdef0
            path: /data
            securityGroupId: sg-0123456789abcdef0
    """,
    """
    spec:
      volumes:
        - name: shared
          existing:
            fileSystemId: fs-0123456789abcdef0
            path: /data
            securityGroupId: sg-0123456789abcdef0
    """,
)
def path_and_access_point(scene: Scene) -> Iterable[Finding]:
    """Somebody else's file system is seen through an access point or from a folder."""
    for path, volume in each(("spec", "volumes"), scene.site.spec.volumes):
        given = volume.existing
        if given and given.access_point_id and (given.path or "/") != "/":
            at = (*path, "existing")
            yield Finding(
                (*at, "path"),
                "the access point says which folder is seen",
                "take `path` away, or `accessPointId`",
                (((*at, "accessPointId"), "the access point"),),
            )


@rule(
    "E338",
    "more mount targets than zones",
    """A file system has one mount target in each availability zone (Amazon EFS user guide, "Managing mount
    targets"), and mlopsgen makes one in each private subnet of an existing network.""",
    """
    spec:
      network:
        existing:
          vpcId: vpc-0123456789abcdef0
          cidrs: [10.0.0.0/16]
          privateSubnetIds:
            - subnet-0123456789abcdef0
            - subnet-0123456789abcdef1
            - subnet-0123456789abcdef2
            - subnet-0123456789abcdef3
      volumes: [{name: cache, efs: {}}]
    """,
    """
    spec:
      network:
        existing:
          vpcId: vpc-0123456789abcdef0
          cidrs: [10.0.0.0/16]
          privateSubnetIds:
            - subnet-0123456789abcdef0
            - subnet-0123456789abcdef1
            - subnet-0123456789abcdef2
      volumes: [{name: cache, efs: {}}]
    """,
)
def more_targets_than_zones(scene: Scene) -> Iterable[Finding]:
    """An existing network has no more private subnets than its region has zones."""
    existing, region = scene.site.spec.network.existing, scene.site.region
    has = ZONES.get(region, 3)
    own = [path for path, volume in each(("spec", "volumes"), scene.site.spec.volumes) if volume.efs]
    if existing and own and len(set(existing.private_subnet_ids)) > has:
        count = len(set(existing.private_subnet_ids))
        yield Finding(
            ("spec", "network", "existing", "privateSubnetIds"),
            f"{count} subnets lie in the {has} zones of {region}, and a volume has one way in for each zone",
            "name one subnet of each zone",
            (((*own[0], "efs"), "a volume of its own"),),
        )
