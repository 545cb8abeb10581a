"""Queues."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on


@on(
    "name-rests-a-minute",
    "fails",
    ("create",),
    ("AWS::SQS::Queue",),
    instead="wait a minute",
    source="Amazon SQS API reference, CreateQueue: QueueDeletedRecently for 60 seconds",
)
def _again(event: Event) -> Iterator[Said]:
    """A queue's name is free 60 seconds after the queue is gone."""
    if event.new.number > 1 and event.new.at("QueueName"):
        yield Said("a queue of this name was deleted", assumption="that was less than 60 seconds ago")
