"""Empty volumes of a task: folders on its disk, or in memory."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.workloads.spec import EmptyDirSpec, MountSpec
from mlopsgen.model.binding import Binding, Mount, TaskVolume, Tmpfs
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload

TMP = Mount("tmp", "/tmp")
"""Every program can write there."""


def bind(site: Site, workload: Workload) -> Binding:
    """The folders that its container sees, each open to the container's user.

    A folder on disk belongs to root unless the image has a `VOLUME` at its path (Amazon ECS developer guide,
    "Use bind mounts with Amazon ECS"). Images built with `python` have one; what is mounted in any other is
    opened before the program starts, unless the program is root itself. A tmpfs is open to everybody
    (Docker's documentation, "tmpfs mounts"); on Fargate it is there since January 2026 (AWS, "Amazon ECS now
    supports tmpfs mounts on AWS Fargate and ECS Managed Instances").
    """
    own = {each.name: each.empty_dir for each in workload.spec.volumes if each.empty_dir}
    mounted = [(each, own[each.name]) for each in workload.spec.volume_mounts if each.name in own]
    disk = [*_tmp(workload), *_on_disk(mounted)]
    open_already = workload.built_with_python or workload.user == 0
    return Binding(
        volumes=tuple(TaskVolume(name) for name in sorted({each.volume for each in disk})),
        mounts=tuple(disk),
        tmpfs=tuple(
            Tmpfs(mount.mount_path, spec.size_limit, mount.read_only)
            for mount, spec in mounted
            if spec.medium == "Memory" and spec.size_limit
        ),
        opened=() if open_already else tuple(disk),
    )


def _tmp(workload: Workload) -> Iterator[Mount]:
    """`/tmp` where the root file system cannot be written, unless the workload mounts something there."""
    taken = any(each.mount_path.rstrip("/") == TMP.path for each in workload.spec.volume_mounts)
    if workload.read_only and not taken:
        yield TMP


def _on_disk(mounted: list[tuple[MountSpec, EmptyDirSpec]]) -> Iterator[Mount]:
    for mount, spec in mounted:
        if spec.medium == "disk":
            yield Mount(mount.name, mount.mount_path, mount.read_only)
