"""Secrets."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on


@on(
    "secret-in-recovery",
    "fails",
    ("create",),
    ("AWS::SecretsManager::Secret",),
    instead="restore the secret, or delete it without recovery",
    source="AWS Secrets Manager API reference, DeleteSecret: a name is free only after 7 to 30 days",
)
def _again(event: Event) -> Iterator[Said]:
    """A secret's name is taken as long as the secret can be restored."""
    if event.new.number > 1 and event.new.at("Name"):
        yield Said("a secret of this name was deleted", assumption="it can still be restored")
