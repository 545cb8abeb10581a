"""Keys."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on
from mlopsgen.motion.rules.sns import events_allowed


@on(
    "key-deleted",
    "loses",
    ("delete",),
    ("AWS::KMS::Key",),
    instead="`DeletionPolicy: Retain`; a key that is to go for good is disabled for a while first",
    source="AWS KMS API reference, ScheduleKeyDeletion: after 7 to 30 days what it encrypted is "
    "unreadable for ever",
)
def _deleted(event: Event) -> Iterator[Said]:
    """With a key goes everything that it has encrypted."""
    yield Said("everything that it has encrypted can be read no more")


@on(
    "events-cannot-encrypt",
    "silent",
    ("create", "update", "replace"),
    ("AWS::KMS::Key",),
    instead="a statement of its own for events.amazonaws.com, without aws:SourceAccount, aws:SourceArn and "
    "aws:SourceOrgID",
    source='Amazon SNS developer guide, "Key management": these keys are not supported for EventBridge to '
    "encrypted topics",
)
def _events(event: Event) -> Iterator[Said]:
    """EventBridge reaches an encrypted topic only by a key that does not ask whom it works for."""
    if event.trigger == "update" and not event.changed("KeyPolicy"):
        return
    document = event.new.at("KeyPolicy", "Statement")
    asks, free = events_allowed(document)
    if any("aws:Source" in each for each in asks) and not free:
        yield Said("its policy asks EventBridge for what it does not send", event.changed("KeyPolicy"))
