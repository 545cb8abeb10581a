"""Queues of SQS, each with one for dead letters, and what is watched of them."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, cloudwatch, sqs

from mlopsgen.components.queues.names import STACK
from mlopsgen.components.queues.spec import QueueSpec
from mlopsgen.language.values import DAY, write_duration
from mlopsgen.model.binding import Bindings
from mlopsgen.model.names import logical
from mlopsgen.model.plan import Command, Declaration, FlowEdge, FlowNode, StackDescription
from mlopsgen.model.site import Site, by_name
from mlopsgen.model.values import Body
from mlopsgen.parts import metrics
from mlopsgen.parts.alarms import Setting, setting_of
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.policies import VERSION
from mlopsgen.parts.resource import Scope, resource

LONG_POLL = 20
"""Seconds that a request for messages waits for one, at most (Amazon SQS developer guide, "Amazon SQS short
and long polling"): an idle worker asks three times a minute."""

DEAD_LETTERS = 14 * DAY
"""As long as SQS keeps a message. A dead letter's age counts from when it was first sent (there, "Configuring
a dead-letter queue")."""


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """Each queue of the pipeline's own; of somebody else's the picture alone."""
    yield StackDescription(STACK, "queues of messages, and their dead letters")
    for queue in by_name(site.spec.queues):
        yield FlowNode(f"queue:{queue.name}", queue.name, "topic")
        if queue.existing is None:
            yield from _queue(Scope(site, STACK, ("spec", "queues", queue.name)), queue)
            yield _dead_letters_back(site, queue.name)


def _queue(scope: Scope, queue: QueueSpec) -> Iterator[Declaration]:
    start = logical(queue.name)
    key = key_arn(scope.site)
    # Messages live two weeks at most, and nobody would look for a queue that its pipeline has not any more.
    common: dict[str, Body] = {"DeletionPolicy": "Delete", "UpdateReplacePolicy": "Delete"}
    common |= {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": True}
    dead = sqs.Queue(f"{start}DeadLetters", MessageRetentionPeriod=DEAD_LETTERS, **common)
    yield scope.resource(dead)
    yield scope.resource(
        sqs.Queue(
            f"{start}Queue",
            QueueName=scope.site.queue(queue.name),
            VisibilityTimeout=queue.visibility_timeout,
            MessageRetentionPeriod=queue.retention,
            DelaySeconds=queue.delay,
            ReceiveMessageWaitTimeSeconds=LONG_POLL,
            RedrivePolicy=sqs.RedrivePolicy(
                deadLetterTargetArn=GetAtt(dead.title, "Arn"), maxReceiveCount=queue.max_receives
            ),
            **common,
        )
    )
    for name in (f"{start}Queue", dead.title):
        policy = sqs.QueuePolicy(f"{name}Policy", Queues=[Ref(name)], PolicyDocument=_tls_only(name))
        yield scope.resource(policy)
    found = tuple(_alarms(scope.site, queue))
    yield from (resource(STACK, body, each.origin) for body, each in found)
    if found:
        yield FlowEdge(f"queue:{queue.name}", "topic:alarms", "alarms")


def _tls_only(queue: str) -> dict[str, object]:
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": GetAtt(queue, "Arn"),
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def _alarms(site: Site, queue: QueueSpec) -> Iterator[tuple[cloudwatch.Alarm, Setting]]:
    start, own = logical(queue.name), ("spec", "queues", queue.name)
    if found := setting_of(site, "queues", queue.alarms, own, "dead_letters"):
        dead = (("QueueName", GetAtt(f"{start}DeadLetters", "QueueName")),)
        yield (
            metrics.alarm(
                f"{start}DeadLettersAlarm",
                f"A message of queue {queue.name} was received {queue.max_receives} times and not done",
                found.alarm,
                [metrics.query("dead", metrics.SQS, metrics.WAITING, dead, "Maximum", returns=True)],
                threshold=0,
            ),
            found,
        )
    if found := setting_of(site, "queues", queue.alarms, own, "oldest_message"):
        how = "more than" if found.alarm.above is not None else "less than"
        limit = found.alarm.above if found.alarm.above is not None else found.alarm.below
        assert limit is not None
        waiting = (("QueueName", GetAtt(f"{start}Queue", "QueueName")),)
        yield (
            metrics.alarm(
                f"{start}OldestMessageAlarm",
                f"The oldest message of queue {queue.name} waits {how} {write_duration(int(limit))}",
                found.alarm,
                [
                    metrics.query(
                        "oldest",
                        metrics.SQS,
                        "ApproximateAgeOfOldestMessage",
                        waiting,
                        "Maximum",
                        returns=True,
                    )
                ],
            ),
            found,
        )


def _dead_letters_back(site: Site, queue: str) -> Command:
    url = (
        f'"$(aws cloudformation describe-stack-resource --region {site.region}'
        f" --stack-name {site.prefix}-{STACK} --logical-resource-id {logical(queue)}DeadLetters"
        ' --query StackResourceDetail.PhysicalResourceId --output text)"'
    )
    attributes = "--attribute-names QueueArn --query Attributes.QueueArn --output text"
    arn = f'"$(aws sqs get-queue-attributes --region {site.region} --queue-url {url} {attributes})"'
    return Command(
        "Queues",
        f"See the dead letters of {queue} in {site.environment}, and send them back",
        (
            f"aws sqs receive-message --region {site.region} --max-number-of-messages 10 --queue-url {url}",
            f"aws sqs start-message-move-task --region {site.region} --source-arn {arn}",
        ),
    )
