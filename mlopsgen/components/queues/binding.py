"""What a workload gets because it `sends` to queues and `consumes` them."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.queues.names import Source, consumed, sources, url_variable
from mlopsgen.model.binding import Binding, Contribution
from mlopsgen.model.names import WORKLOAD_TAG
from mlopsgen.model.plan import FlowEdge, Grant
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.key import decrypt_what_is_stored, use_key, via
from mlopsgen.parts.policies import arn

CONSUME = (
    "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:GetQueueUrl",
    "sqs:ReceiveMessage",
)
SEND = ("sqs:GetQueueUrl", "sqs:SendMessage")


def bind(site: Site, workload: Workload) -> Binding:
    """The URL of each queue, the right to use it and its key, and for who consumes that to protect its tasks.

    Both sides need the key (Amazon SQS developer guide, "Key management"): who sends makes a data key and
    reads it again, who receives reads it.
    """
    received, sent = tuple(sources(site, consumed(workload))), tuple(sources(site, workload.spec.sends))
    every = tuple(dict.fromkeys((*received, *sent)))
    if not every:
        return Binding()
    return Binding(
        environment=tuple((url_variable(each.name), each.url) for each in every),
        grants=(
            *(Grant(CONSUME, (each.arn,), f"consumes {each.name}") for each in received),
            *(Grant(SEND, (each.arn,), f"sends to {each.name}") for each in sent),
            *_keys(site, received, sent),
            *(_protect(site, workload) if received else ()),
        ),
        services=("sqs",),
        declarations=(
            *(FlowEdge(f"queue:{each.name}", workload.name, "consumed") for each in received),
            *(FlowEdge(workload.name, f"queue:{each.name}", "sends") for each in sent),
        ),
        contributions=tuple(_bounds(every)),
    )


def _keys(site: Site, received: tuple[Source, ...], sent: tuple[Source, ...]) -> Iterator[Grant]:
    # What waits stays under the key that it was sent with, whatever `encryption` says by now.
    if any(each.key is None for each in received):
        yield decrypt_what_is_stored(site, "decrypt messages through SQS", "sqs")
    if any(each.key is None for each in sent):
        yield from use_key(
            site, ("kms:Decrypt", "kms:GenerateDataKey"), "sqs", "encrypt messages through SQS"
        )
    for each in dict.fromkeys((*received, *sent)):
        if each.key:
            actions = ("kms:Decrypt", "kms:GenerateDataKey") if each in sent else ("kms:Decrypt",)
            yield Grant(actions, (each.key,), f"key of queue {each.name}", (via("sqs"),))


def _protect(site: Site, workload: Workload) -> tuple[Grant, ...]:
    """That scaling and deployments leave a task alone while it works on a message (Amazon ECS developer
    guide, "Amazon ECS task scale-in protection endpoint": these two actions of the task role).
    """
    own = ("StringEquals", f"aws:ResourceTag/{WORKLOAD_TAG}", workload.name)
    actions = ("ecs:GetTaskProtection", "ecs:UpdateTaskProtection")
    return (Grant(actions, (arn("ecs", f"task/{site.cluster}/*"),), "protects its own tasks", (own,)),)


def _bounds(every: tuple[Source, ...]) -> Iterator[Contribution]:
    """The same for the boundary, which is there before the queues."""
    actions = tuple(sorted({*CONSUME, *SEND}))
    yield Contribution("boundary", Grant(actions, tuple(each.bound for each in every), "queues"))
    for each in every:
        if each.key:
            keys = Grant(("kms:Decrypt", "kms:GenerateDataKey"), (each.key,), "keys of queues", (via("sqs"),))
            yield Contribution("boundary", keys)
