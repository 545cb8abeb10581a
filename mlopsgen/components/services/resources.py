"""`spec.services`: each service's task, its place behind load balancers, and how versions follow."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.services.observability import declare_observability
from mlopsgen.components.services.rollout import (
    declare_infrastructure_role,
    deployment,
    route_alarms,
    watch,
)
from mlopsgen.components.services.routing import (
    balancing,
    callers,
    declare_routing,
    rules_before,
    targets_of,
)
from mlopsgen.model.binding import Binding, Bindings
from mlopsgen.model.plan import Declaration, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.alarms import declare_alarms
from mlopsgen.parts.network import connection_rule_ids, connection_rules
from mlopsgen.parts.scaling import declare_scaling
from mlopsgen.parts.service import commands, ecs_service, security_group
from mlopsgen.parts.task import declare_task, phase_of, scope_of


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """One stack for each service, and one for what is watched of it."""
    for service in site.services:
        yield StackDescription(service.stack, f"service {service.name}", phase_of(site, service))
        yield from _service(site, service, bindings[service.name])
        yield from declare_observability(site, service)


def _service(site: Site, service: Workload, binding: Binding) -> Iterator[Declaration]:
    scope, watched = scope_of(site, service), watch(site, service)
    yield from declare_task(site, service, binding, environment=_environment(site, service))
    yield security_group(scope, service, binding, callers(site, service))
    yield from connection_rules(scope, binding.connections)
    yield from declare_routing(scope, service)
    body = ecs_service(
        site,
        service,
        deployment(service, watched),
        balancing=balancing(service),
        after=(*rules_before(service), *connection_rule_ids(binding.connections)),
    )
    yield scope.resource(body)
    yield from declare_scaling(
        scope, service, [each for route in service.routes for each in targets_of(route)]
    )
    yield from declare_alarms(scope, service, route_alarms(site, service, watched))
    yield from declare_infrastructure_role(scope, service)
    yield commands(site, service, "Services")


def _environment(site: Site, service: Workload) -> tuple[tuple[str, Value], ...]:
    """What a program that is asked must know: its port, how long callers may keep a connection silent, and
    what the paths of all its requests begin with, since a load balancer passes them on as they are."""
    found = []
    if service.main_port:
        found.append(("PORT", str(service.main_port.port)))
    if service.routes:
        balancers = (site.balancer(each.spec.load_balancer) for each in service.routes)
        found.append(("KEEP_ALIVE_SECONDS", str(max(each.spec.idle_timeout for each in balancers))))
    paths = {path.rstrip("/") for each in service.routes for path in each.spec.paths}
    if len(paths) == 1 and (base := paths.pop()):
        found.append(("BASE_PATH", base))
    return tuple(found)
