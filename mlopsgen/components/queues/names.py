"""How workloads, alarms and scaling name a queue: known before it is made, or somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from troposphere import Sub

from mlopsgen.components.queues.spec import QueueSpec
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.model.names import variable
from mlopsgen.model.site import Site, by_name
from mlopsgen.model.values import Named, Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.policies import arn

STACK = "queues"


class Source(NamedTuple):
    """A queue as others name it."""

    name: str
    """What the file calls it."""
    url: Value
    arn: Value
    known: str
    """Its name on AWS, which its metrics carry."""
    bound: Value
    """Its ARN for a policy that is there before the queue."""
    key: str | None = None
    """The ARN of somebody else's key."""


def source(site: Site, queue: QueueSpec) -> Source:
    """One of the pipeline's own, or of somebody else's."""
    given = queue.existing
    if given is None:
        own = site.queue(queue.name)
        url = Sub(f"https://sqs.${{AWS::Region}}.${{AWS::URLSuffix}}/${{AWS::AccountId}}/{own}")
        where = arn("sqs", own)
        return Source(queue.name, Named(STACK, url), Named(STACK, where), own, where)
    _, _, _, region, account, name = given.arn.split(":", 5)
    url = Sub(f"https://sqs.{region}.${{AWS::URLSuffix}}/{account}/{name}")
    return Source(queue.name, url, given.arn, name, given.arn, given.kms_key)


def sources(site: Site, names: Iterable[str]) -> Iterator[Source]:
    """Those of the names, each once, by name."""
    wanted = set(names)
    yield from (source(site, each) for each in by_name(site.spec.queues) if each.name in wanted)


def consumed(workload: Workload) -> tuple[str, ...]:
    """The queues that a workload takes messages from; only workers do."""
    return workload.spec.consumes if isinstance(workload.spec, WorkerSpec) else ()


def variables(spec: WorkloadSpec) -> tuple[str, ...]:
    """The variables that a workload gets because of its queues."""
    own = spec.consumes if isinstance(spec, WorkerSpec) else ()
    return tuple(url_variable(name) for name in sorted({*own, *spec.sends}))


def url_variable(queue: str) -> str:
    """The variable that says where a queue is: `REQUESTS_QUEUE_URL`."""
    return f"{variable(queue)}_QUEUE_URL"
