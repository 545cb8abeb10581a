"""Schedules."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on


@on(
    "schedules-go-with-group",
    "interrupts",
    ("delete",),
    ("AWS::Scheduler::ScheduleGroup",),
    instead="move the schedules to another group first",
    source="EventBridge Scheduler API reference, DeleteScheduleGroup: its schedules are deleted "
    "with it, and may "
    "still run meanwhile",
)
def _group(event: Event) -> Iterator[Said]:
    """A group takes its schedules with it."""
    for each in event.world.of("AWS::Scheduler::Schedule"):
        if each.word("GroupName") == event.old.ref():
            yield Said(f"{each.title} goes with it")
