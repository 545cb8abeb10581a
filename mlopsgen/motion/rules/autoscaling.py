"""Groups of instances."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on

_GROUP = "AWS::AutoScaling::AutoScalingGroup"


@on(
    "group-does-not-go",
    "left-over",
    ("delete",),
    (_GROUP,),
    instead="end its tasks, take the instances' scale-in protection away and end them, then delete the group",
    source="EC2 Auto Scaling API reference, DeleteAutoScalingGroup: not while it has instances "
    "(containers-roadmap issue 2862)",
)
def _stuck(event: Event) -> Iterator[Said]:
    """A group whose instances are protected from scale-in does not go while one lives."""
    if event.old.word("NewInstancesProtectedFromScaleIn") == "true":
        yield Said("its instances are protected from scale-in", assumption="an instance of the group lives")


@on(
    "instances-exchanged",
    "interrupts",
    ("update",),
    (_GROUP,),
    instead="do it while nothing runs on it",
    source="CloudFormation template reference, AWS::AutoScaling::AutoScalingGroup, VPCZoneIdentifier: some "
    "interruptions; EC2 Auto Scaling API reference, UpdateAutoScalingGroup, MixedInstancesPolicy",
)
def _exchanged(event: Event) -> Iterator[Said]:
    """Instances outside the group's subnets, or of a launch template before a policy, are replaced."""
    zones = event.changed("VPCZoneIdentifier")
    lost = zones and set(event.old.items("VPCZoneIdentifier")) - set(event.new.items("VPCZoneIdentifier"))
    mixed = event.changed("MixedInstancesPolicy")
    to_mixed = mixed and not event.old.at("MixedInstancesPolicy")
    if lost or to_mixed:
        yield Said("instances that run may be replaced", zones or mixed, assumption="instances are running")
