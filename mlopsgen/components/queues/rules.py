"""What SQS takes, and which queues are there and used."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.components.queues.spec import QueueSpec
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import camel
from mlopsgen.language.values import DAY, HOUR, MINUTE, write_duration
from mlopsgen.parts.alarms import counts_tasks
from mlopsgen.rules.places import each, running, workloads
from mlopsgen.rules.registry import Scene, rule


def _queues(scene: Scene) -> Iterator[tuple[SpecPath, QueueSpec]]:
    yield from each(("spec", "queues"), scene.site.spec.queues)


def _verbs(workload: WorkloadSpec) -> Iterator[tuple[str, tuple[str, ...]]]:
    if isinstance(workload, WorkerSpec):
        yield "consumes", workload.consumes
    yield "sends", workload.sends


@rule(
    "E280",
    "an unknown queue",
    "`consumes` and `sends` name queues of `spec.queues`: the rights of a task are derived from them.",
    """
    spec:
      queues: [{name: requests}]
      workers: [{name: reader, image: app, consumes: [request]}]
    """,
    """
    spec:
      queues: [{name: requests}]
      workers: [{name: reader, image: app, consumes: [requests]}]
    """,
)
def unknown_queue(scene: Scene) -> Iterable[Finding]:
    """Workloads send to declared queues, and workers consume them."""
    known = {queue.name for _, queue in _queues(scene)}
    for path, workload in workloads(scene):
        for field, names in _verbs(workload):
            for at, name in each((*path, field), names):
                if name not in known:
                    yield scene.unknown(at, "queue", name, known, "queues")


@rule(
    "E281",
    "what cannot be said of somebody else's queue",
    "A queue with `existing` is used and never changed: how it works and what is watched of it is its owner's.",
    """
    spec:
      queues:
        - {name: requests, existing: {arn: "arn:aws:sqs:eu-west-1:123456789012:requests"}, maxReceives: 5}
      workers: [{name: reader, image: app, consumes: [requests]}]
    """,
    """
    spec:
      queues: [{name: requests, existing: {arn: "arn:aws:sqs:eu-west-1:123456789012:requests"}}]
      workers: [{name: reader, image: app, consumes: [requests]}]
    """,
)
def beside_existing(scene: Scene) -> Iterable[Finding]:
    """Beside `existing` stands nothing but the name."""
    for path, queue in _queues(scene):
        if queue.existing:
            for field in sorted(queue.model_fields_set - {"name", "existing", "environments"}):
                message = f"`{camel(field)}` is the owner's to say: queue `{queue.name}` exists"
                also = (((*path, "existing"), "somebody else's"),)
                yield Finding((*path, camel(field)), message, "take it away", also, key=True)


MEASURED = 4
"""Queues of one worker: an alarm looks at ten metrics (Amazon CloudWatch user guide, "Using math expressions with
CloudWatch metrics"), of which the tasks are one and each queue two."""


@rule(
    "E282",
    "a backlog that cannot be measured",
    """The backlog is the messages of the queues that a worker `consumes`, for each of its tasks. How many run,
    Container Insights tells; the queues' metrics are those of this account, and an alarm takes ten metrics.""",
    "spec: {workers: [{name: reader, image: app, replicas: {min: 1, max: 4, metrics: {backlog: 4}}}]}",
    """
    spec:
      queues: [{name: requests}]
      workers:
        - {name: reader, image: app, consumes: [requests], replicas: {min: 1, max: 4, metrics: {backlog: 4}}}
    """,
)
def backlog(scene: Scene) -> Iterable[Finding]:
    """Where a backlog is to be held there are queues and counted tasks."""
    owner = scene.site.spec.aws.account
    queues = {queue.name: queue for _, queue in _queues(scene)}
    for path, spec, _ in running(scene):
        if spec.replicas.metrics.backlog is None:
            continue
        place = (*path, "replicas", "metrics", "backlog")
        if not isinstance(spec, WorkerSpec):
            message = f"`{spec.name}` is a service: it takes requests, not messages"
            yield Finding(place, message, "scale on `cpu` or `requests`, or make it a worker", key=True)
            continue
        if not spec.consumes:
            message = f"`{spec.name}` consumes no queue, so there is no backlog"
            yield Finding(place, message, "name its queues in `consumes`, or scale on `cpu`", key=True)
        elif len(set(spec.consumes)) > MEASURED:
            message = f"`{spec.name}` consumes {len(set(spec.consumes))} queues; {MEASURED} can be measured together"
            yield Finding(place, message, "give some of the queues to another worker", key=True)
        elif not counts_tasks(scene.site):
            also = ((("spec", "monitoring", "containerInsights"), "disabled here"),)
            message = f"nobody counts the tasks of `{spec.name}` without Container Insights"
            yield Finding(place, message, "enable it, or scale on `cpu`", also, key=True)
        for at, name in each((*path, "consumes"), spec.consumes):
            existing = queues[name].existing if name in queues else None
            theirs = existing.arn.split(":")[4] if existing else owner
            if owner and theirs != owner:
                message = f"the metrics of queue `{name}` are in account {theirs}"
                yield Finding(at, message, "scale on `cpu`, or let the queue be in this account")


# Amazon SQS API reference, SetQueueAttributes.
LIMITS = {
    "visibility_timeout": (1, 12 * HOUR),
    "retention": (MINUTE, 14 * DAY),
    "delay": (0, 15 * MINUTE),
}


@rule(
    "E395",
    "a time that SQS does not take",
    """A message is kept back for at most 15 minutes, hidden from others for at most 12 hours while one works on
    it, and waits from a minute to 14 days. Hidden for longer than it is kept, it would be gone before somebody
    could try again.""",
    "spec: {queues: [{name: requests, visibilityTimeout: 24h}]}",
    "spec: {queues: [{name: requests, visibilityTimeout: 12h}]}",
)
def queue_times(scene: Scene) -> Iterable[Finding]:
    """The times of a queue are those that SQS takes, and fit together."""
    for path, queue in _queues(scene):
        fits = True
        for field, (least, most) in LIMITS.items():
            seconds = getattr(queue, field)
            if not least <= seconds <= most:
                fits = False
                near = write_duration(min(max(seconds, least), most))
                message = f"`{camel(field)}` is {write_duration(seconds)}; SQS takes {write_duration(least)} to {write_duration(most)}"
                yield Finding((*path, camel(field)), message, f"the nearest is `{near}`")
        if fits and queue.visibility_timeout > queue.retention:
            given = "retention" if "retention" in queue.model_fields_set else "visibility_timeout"
            yield Finding(
                (*path, camel(given)),
                f"a message is hidden for {write_duration(queue.visibility_timeout)} and kept for "
                f"{write_duration(queue.retention)}: it would be gone before a second try",
                f"say `retention: {write_duration(2 * queue.visibility_timeout)}` or more",
            )


@rule(
    "W220",
    "a queue that nobody consumes",
    """Messages wait there until they are too old. Who sends may be outside of the pipeline; who consumes is a
    worker of it.""",
    "spec: {queues: [{name: requests}]}",
    """
    spec:
      queues: [{name: requests}]
      workers: [{name: reader, image: app, consumes: [requests]}]
    """,
)
def unused_queue(scene: Scene) -> Iterable[Finding]:
    """The pipeline's own queues are consumed, and somebody else's are used."""
    consumed = {name for worker in scene.site.spec.workers for name in worker.consumes}
    sent = {name for _, workload in workloads(scene) for name in workload.sends}
    for path, queue in _queues(scene):
        if queue.name not in (consumed | sent if queue.existing else consumed):
            verb = "names" if queue.existing else "consumes"
            message = f"nobody {verb} queue `{queue.name}`"
            yield Finding((*path, "name"), message, "name it in a worker's `consumes`, or take it away")
