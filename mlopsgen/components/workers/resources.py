"""`spec.workers`: tasks that run for ever and that nobody can connect to."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.queues.names import consumed, sources
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.model.binding import Binding, Bindings
from mlopsgen.model.plan import Declaration, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.model.workload import Workload
from mlopsgen.parts import metrics
from mlopsgen.parts.alarms import declare_alarms, usage_alarms
from mlopsgen.parts.dashboard import HEIGHT, WIDTH, Line, dashboard, usage_widgets, widget
from mlopsgen.parts.network import connection_rule_ids, connection_rules
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.scaling import declare_scaling
from mlopsgen.parts.service import commands, ecs_service, rolling, security_group
from mlopsgen.parts.task import declare_task, phase_of, scope_of


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """One stack for each worker, and one for what is watched of it."""
    for worker in site.workers:
        yield StackDescription(worker.stack, f"worker {worker.name}", phase_of(site, worker))
        yield from _worker(site, worker, bindings[worker.name])
        yield from _observability(site, worker)


def _worker(site: Site, worker: Workload, binding: Binding) -> Iterator[Declaration]:
    scope = scope_of(site, worker)
    assert isinstance(worker.spec, WorkerSpec)
    yield from declare_task(site, worker, binding)
    yield security_group(scope, worker, binding)
    yield from connection_rules(scope, binding.connections)
    body = ecs_service(
        site,
        worker,
        rolling(worker, on_failure=worker.spec.deployment.rollback.on_failure),
        after=connection_rule_ids(binding.connections),
    )
    yield scope.resource(body)
    queues = [each.known for each in sources(site, worker.spec.consumes)]
    yield from declare_scaling(scope, worker, queues=queues)
    yield commands(site, worker, "Workers")


def _observability(site: Site, worker: Workload) -> Iterator[Declaration]:
    stack = f"observability-{worker.name}"
    yield StackDescription(stack, f"what is watched of worker {worker.name}", phase_of(site, worker))
    scope = Scope(site, stack, ("spec", "monitoring", "dashboards"))
    yield from declare_alarms(scope, worker, usage_alarms(site, worker))
    if site.spec.monitoring.dashboards.enabled:
        widgets = [*usage_widgets(site.cluster, worker.name, 0), *_queue_widgets(site, worker, HEIGHT)]
        yield scope.resource(dashboard(site.family(worker.name), widgets, ()))


def _queue_widgets(site: Site, worker: Workload, row: int) -> Iterator[dict[str, Body]]:
    """What waits in the queues that it consumes, what is in work, and for how long the oldest has waited."""
    found = tuple(sources(site, consumed(worker)))
    titles = (
        ("Messages waiting", metrics.WAITING),
        ("Messages in work", "ApproximateNumberOfMessagesNotVisible"),
        ("Oldest message, seconds", "ApproximateAgeOfOldestMessage"),
    )
    for column, (title, metric) in enumerate(titles if found else ()):
        lines: list[Line] = [
            [metrics.SQS, metric, "QueueName", each.known, {"stat": "Maximum", "label": each.name}]
            for each in found
        ]
        yield widget(title, lines, (column * WIDTH, row), yAxis={"left": {"min": 0}})
