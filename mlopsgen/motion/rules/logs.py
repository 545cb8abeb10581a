"""Log groups."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on

_GROUP = "AWS::Logs::LogGroup"


@on(
    "logs-expire-sooner",
    "loses",
    ("update",),
    (_GROUP,),
    instead="export what has to stay, before it is deployed",
    source="CloudWatch Logs API reference, PutRetentionPolicy: older events are deleted, within 72 hours",
)
def _sooner(event: Event) -> Iterator[Said]:
    """A shorter retention deletes what is there."""
    before, after = event.old.word("RetentionInDays"), event.new.word("RetentionInDays")
    if after.isdigit() and (not before.isdigit() or int(after) < int(before)):
        yield Said(f"what is older than {after} days goes", event.changed("RetentionInDays"))


@on(
    "old-events-old-key",
    "loses",
    ("update",),
    (_GROUP,),
    instead="keep the old key for as long as the old events are needed",
    source="CloudWatch Logs API reference, AssociateKmsKey: it holds for events that come after it",
)
def _key(event: Event) -> Iterator[Said]:
    """Events that are there stay under the old key."""
    if event.old.at("KmsKeyId") and (change := event.changed("KmsKeyId")):
        yield Said("what is logged already stays under the old key", change, assumption="the old key goes")
