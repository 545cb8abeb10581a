"""`spec.queues`: messages that wait for workers."""

from typing import Annotated

from pydantic import Field

from mlopsgen.components.monitoring.spec import QueueAlarmsSpec
from mlopsgen.language.base import Item, NotYet, Spec
from mlopsgen.language.values import DAY, MINUTE, Arn, Duration


class ExistingQueueSpec(Spec):
    """A queue that somebody else owns. It is used and never changed."""

    arn: Arn
    """Its ARN."""

    kms_key: Arn | None = None
    """The ARN of the key that it is encrypted with, if that is a KMS key of its owner's."""


class QueueSpec(Item):
    """A queue of SQS, encrypted, for requests over TLS alone. Beside it stands one for dead letters, for two weeks.

    A message lives on through a change of the queue, and goes with it when the queue is taken away.
    """

    existing: ExistingQueueSpec | None = None
    """Somebody else's; beside it nothing."""

    visibility_timeout: Duration = 5 * MINUTE
    """How long nobody else gets a message that was received, up to 12h: at least as long as the work of one takes."""

    max_receives: Annotated[int, Field(ge=1, le=1000)] = 3
    """How often a message is received; then it goes to the dead letters."""

    retention: Duration = 4 * DAY
    """How long a message waits, 1m to 14d; then it is gone."""

    delay: Duration = 0
    """How long each message is kept back at first, up to 15m."""

    fifo: NotYet = None
    """In the order of sending, each once."""

    subscriptions: NotYet = None
    """Topics whose messages it gets."""

    alarms: QueueAlarmsSpec = Field(default_factory=QueueAlarmsSpec)
    """Its own, before `monitoring.alarms.queues`, key by key."""
