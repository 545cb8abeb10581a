"""Topics and who hears of them."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.rule import Event, Said, on
from mlopsgen.motion.stacks import Json


@on(
    "waits-for-confirmation",
    "silent",
    ("create", "replace"),
    ("AWS::SNS::Subscription",),
    instead="confirm it by the link in the message, which holds for two days",
    source="Amazon SNS API reference, Subscribe: the owner of the endpoint has to confirm",
)
def _confirm(event: Event) -> Iterator[Said]:
    """An e-mail address gets nothing until somebody has confirmed it."""
    if event.new.word("Protocol").startswith("email"):
        yield Said(f"{event.new.word('Endpoint')} has to confirm", assumption="nobody has confirmed it")


@on(
    "events-cannot-publish",
    "silent",
    ("create", "update", "replace"),
    ("AWS::SNS::TopicPolicy",),
    instead="a statement of its own for events.amazonaws.com, without a condition",
    source='Amazon EventBridge user guide, "Resource-based policies": no Condition blocks in '
    "topic policies for "
    "EventBridge",
)
def _events(event: Event) -> Iterator[Said]:
    """EventBridge publishes only where the topic's policy has no condition for it."""
    if event.trigger == "update" and not event.changed("PolicyDocument"):
        return
    document = event.new.at("PolicyDocument", "Statement")
    asks, _ = events_allowed(document)
    if asks:
        yield Said("its policy has a condition for EventBridge", event.changed("PolicyDocument"))


def events_allowed(found: Json) -> tuple[list[str], bool]:
    """The conditions under which a policy allows EventBridge anything, and whether it does so without any."""
    conditions = [
        str(each.get("Condition") or "")
        for each in (found if isinstance(found, list) else ())
        if isinstance(each, dict)
        and each.get("Effect") == "Allow"
        and "events.amazonaws.com" in str(each.get("Principal"))
    ]
    return [each for each in conditions if each], any("aws:Source" not in each for each in conditions)
