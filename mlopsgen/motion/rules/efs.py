"""File systems."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on

_TARGET = "AWS::EFS::MountTarget"


@on(
    "mount-target-exists",
    "fails",
    ("create", "replace"),
    (_TARGET,),
    instead="take the old one away with a deployment of its own",
    source="Amazon EFS API reference, CreateMountTarget: one for each Availability Zone "
    "(MountTargetConflict, "
    "aws-cdk issue 10170)",
)
def _one_per_zone(event: Event) -> Iterator[Said]:
    """A file system has one mount target in a zone."""

    def zone(subnet: str) -> str:
        found = event.world.found("AWS::EC2::Subnet", subnet)
        return found.word("AvailabilityZone") if found else subnet

    own = zone(event.new.word("SubnetId"))
    for each in event.world.of(_TARGET):
        if each.word("FileSystemId") == event.new.word("FileSystemId") and zone(each.word("SubnetId")) == own:
            yield Said(f"{each.title} is still in that zone", event.changed("SubnetId"))


@on(
    "mounts-cut",
    "interrupts",
    ("delete",),
    (_TARGET,),
    instead="deploy what mounts it without the volume first",
    source="Amazon EFS API reference, DeleteMountTarget: it forcibly breaks mounts; uncommitted "
    "writes may be lost",
)
def _cut(event: Event) -> Iterator[Said]:
    """What is mounted through a target is cut off with it."""
    for each in event.world.of("AWS::ECS::TaskDefinition"):
        if each.stack and event.old.word("FileSystemId") in each.text:
            yield Said(f"{each.title} mounts it")
            return


@on(
    "file-system-in-use",
    "left-over",
    ("delete",),
    ("AWS::EFS::FileSystem",),
    instead="take its mount targets away first",
    source="Amazon EFS API reference, DeleteFileSystem: FileSystemInUse while it has mount targets",
)
def _in_use(event: Event) -> Iterator[Said]:
    """A file system stays as long as it has mount targets."""
    for each in event.world.users(event.old, _TARGET):
        yield Said(f"{each.title} leads to it")
        return
