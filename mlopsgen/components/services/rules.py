"""How versions of a service follow each other, what tells that it is well, and what is watched of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.components.monitoring.spec import (
    AlarmSpec,
    DurationAlarmSpec,
    LatencyAlarmSpec,
    PercentAlarmSpec,
)
from mlopsgen.components.services.rollout import watch
from mlopsgen.components.services.spec import ShiftSpec
from mlopsgen.components.workloads.spec import ContainerCheckSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Spec, camel
from mlopsgen.language.values import DAY, HOUR, MINUTE, write_duration, write_percent
from mlopsgen.model.workload import Route
from mlopsgen.parts.alarms import counts_tasks, setting
from mlopsgen.parts.balancers import RULE_VALUES, listener_rules, target_group_names
from mlopsgen.rules.places import each, running, services
from mlopsgen.rules.registry import Scene, rule

LONGEST_STEP = 24 * HOUR
"""(Amazon ECS API reference, CanaryConfiguration, LinearConfiguration, DeploymentConfiguration)."""

LONGEST_SHIFT = 33 * HOUR
"""CloudFormation refuses a deployment that would take longer (its template reference, AWS::ECS::Service
CanaryConfiguration and LinearConfiguration)."""

LEAST_STEP = 3.0
"""Percent (Amazon ECS API reference, LinearConfiguration)."""

ROUTES = 5
"""Target groups of a service (Amazon ECS developer guide, "Amazon ECS service quotas")."""

LONGEST_GRACE = 2 * HOUR


@rule(
    "E382",
    "more routes than a service takes",
    "ECS registers the tasks of a service with five target groups at most, and each route has one.",
    """
    spec:
      services:
        - name: api
          ingress:
            - {name: a, paths: [/a]}
            - {name: b, paths: [/b]}
            - {name: c, paths: [/c]}
            - {name: d, paths: [/d]}
            - {name: e, paths: [/e]}
            - {name: f, paths: [/f]}
    """,
    "spec: {services: [{name: api, ingress: [{name: web, paths: [/a, /b, /c, /d, /e, /f]}]}]}",
)
def too_many_routes(scene: Scene) -> Iterable[Finding]:
    """A service has so many routes, and no more."""
    for path, spec, _ in services(scene):
        if len(spec.ingress) > ROUTES:
            yield Finding(
                (*path, "ingress", ROUTES),
                f"`{spec.name}` has {len(spec.ingress)} routes; ECS takes {ROUTES} for a service",
                "put hosts and paths that lead to one port into one route",
            )


@rule(
    "E305",
    "two routes that would share a target group",
    """A target group is named after its route and the route's load balancer, with `alternate` for the second one
    where a deployment shifts traffic. `web-b` through `a` would be called as `web` through `b-a` is.""",
    """
    spec:
      services:
        - name: api
          deployment: {canary: {}}
          ingress: [{name: web, paths: [/a]}, {name: web-alternate, paths: [/b]}]
    """,
    """
    spec:
      services:
        - name: api
          deployment: {canary: {}}
          ingress: [{name: web, paths: [/a]}, {name: second, paths: [/b]}]
    """,
)
def shared_target_group(scene: Scene) -> Iterable[Finding]:
    """Each route has target groups of its own."""
    for path, spec, service in services(scene):
        routes = {route.name: route for route in service.routes}
        seen: dict[str, tuple[SpecPath, Route]] = {}
        for at, own in each((*path, "ingress"), spec.ingress):
            route = routes[own.name]
            published = (group.parameter for group in target_group_names(service, route))
            for name in (*route.target_groups, *published):
                first_at, first = seen.setdefault(name, (at, route))
                # Those that differ in hyphens alone are told of by another rule.
                if first.logical_id != route.logical_id:
                    yield Finding(
                        (*at, "name"),
                        f"`{route.name}` and `{first.name}` would both have `{name}` in templates",
                        "give one of them another name",
                        (((*first_at, "name"), "called so here"),),
                    )
                    break


@rule(
    "E211",
    "traffic cannot be shifted without a route",
    "`blueGreen`, `canary` and `linear` move requests from the old version to the new at a load balancer.",
    "spec: {services: [{name: api, deployment: {canary: {}}}]}",
    "spec: {services: [{name: api, deployment: {canary: {}}, ingress: [{name: web}]}]}",
)
def shift_without_route(scene: Scene) -> Iterable[Finding]:
    """Traffic moves from version to version behind a load balancer."""
    for path, spec, service in services(scene):
        if service.strategy != "rolling" and not spec.ingress:
            yield Finding(
                (*path, "deployment", service.strategy),
                f"`{service.strategy}` moves traffic behind a load balancer, and `{spec.name}` has no route",
                "give it `ingress`, or take `rolling: {}`",
                key=True,
            )


@rule(
    "E268",
    "traffic of several rules cannot be shifted",
    f"""ECS moves the traffic of one listener rule for each route. A rule holds {RULE_VALUES} values, of which a
    path takes two, and its paths are equally deep: what needs more rules is said in several routes.""",
    """
    spec:
      services:
        - name: api
          ingress: [{name: web, paths: [/a, /b, /c]}]
          deployment: {canary: {}}
    """,
    """
    spec:
      services:
        - name: api
          ingress: [{name: web, paths: [/a, /b]}, {name: more, paths: [/c]}]
          deployment: {canary: {}}
    """,
)
def shift_of_several_rules(scene: Scene) -> Iterable[Finding]:
    """A route whose traffic is shifted is one rule."""
    for path, spec, service in services(scene):
        for at, written in each((*path, "ingress"), spec.ingress if service.shifts else ()):
            route = next(route for route in service.routes if route.spec is written)
            count = len(listener_rules(service, route))
            if count > 1:
                field = "paths" if len(written.paths) > 1 else "hosts"
                yield Finding(
                    (*at, field),
                    f"these take {count} rules of the load balancer; `{service.strategy}` moves the traffic "
                    "of one",
                    "make several routes of it",
                    key=True,
                )


@rule(
    "E344",
    "a deployment step out of range",
    """ECS watches a step, and keeps the old version, for whole minutes and a day at most; CloudFormation takes a
    deployment of 33 hours in all. The first step of `canary` is from 0.1% to 99.9%, each step of `linear` from
    3% on, in tenths of a percent.""",
    "spec: {services: [{name: api, ingress: [{name: web}], deployment: {canary: {stepTime: 90s}}}]}",
    "spec: {services: [{name: api, ingress: [{name: web}], deployment: {canary: {stepTime: 2m}}}]}",
)
def deployment_steps(scene: Scene) -> Iterable[Finding]:
    """Steps are as large and as long as ECS and CloudFormation take them."""
    for path, spec, service in services(scene):
        shift = spec.deployment.canary or spec.deployment.linear
        kept = shift or spec.deployment.blue_green
        at = (*path, "deployment", service.strategy)
        if kept is None:
            continue
        wrong = list(
            _times(at, {"bakeTime": kept.bake_time} | ({"stepTime": shift.step_time} if shift else {}))
        )
        yield from wrong
        if shift:
            least = 0.1 if spec.deployment.canary else LEAST_STEP
            yield from _share(at, shift.share, least)
            if not wrong and least <= shift.share < 100:
                yield from _in_all(at, shift, 1 if spec.deployment.canary else shift.waits)


def _times(at: SpecPath, times: dict[str, int]) -> Iterator[Finding]:
    for field, seconds in times.items():
        if seconds % MINUTE or seconds > LONGEST_STEP:
            near = min(max(round(seconds / MINUTE), 1), LONGEST_STEP // MINUTE)
            message = (
                f"{field} is {write_duration(seconds)}; ECS takes whole minutes, up to "
                f"{write_duration(LONGEST_STEP)}"
            )
            yield Finding((*at, field), message, f"say `{write_duration(near * MINUTE)}`")


def _share(at: SpecPath, share: float, least: float) -> Iterator[Finding]:
    most = 99.9
    if not least <= share <= most:
        near = write_percent(min(max(share, least), most))
        message = f"`{at[-1]}` takes a share of {write_percent(least)} to {write_percent(most)}"
        yield Finding((*at, "share"), message, f"say `{near}`")
    elif round(share * 10) != round(share * 10, 6):
        message = f"a share of {write_percent(share)}; ECS takes tenths of a percent"
        yield Finding((*at, "share"), message, f"say `{write_percent(round(share, 1))}`")


def _in_all(at: SpecPath, shift: ShiftSpec, waits: int) -> Iterator[Finding]:
    seconds = waits * shift.step_time + shift.bake_time
    if seconds > LONGEST_SHIFT:
        steps = f"{waits} steps of {write_duration(shift.step_time)}" if waits > 1 else "its step"
        yield Finding(
            (*at, "stepTime"),
            f"{steps} and bakeTime take {write_duration(seconds)} together; CloudFormation takes "
            f"{write_duration(LONGEST_SHIFT)}",
            "shorten them, or take larger steps",
        )


@rule(
    "E265",
    "a rollback on alarms that are not there",
    """Deployments go back on the alarm `errorRate`, and on `latency` where the service sets it itself. Both look
    at a route, and can be turned off.""",
    "spec: {services: [{name: api, deployment: {rollback: {onAlarms: true}}}]}",
    "spec: {services: [{name: api, ingress: [{name: web}], deployment: {rollback: {onAlarms: true}}}]}",
)
def rollback_without_alarms(scene: Scene) -> Iterable[Finding]:
    """Who asks for a rollback on alarms has one of those alarms."""
    for path, spec, service in services(scene):
        if spec.deployment.rollback.on_alarms and not watch(scene.site, service).returns:
            why = "has no route" if not spec.ingress else "has neither `errorRate` nor a `latency` of its own"
            yield Finding(
                (*path, "deployment", "rollback", "onAlarms"),
                f"no alarm could send a deployment back: `{spec.name}` {why}",
                "give it `ingress`"
                if not spec.ingress
                else "turn `alarms.errorRate` on, or set `alarms.latency`",
            )


@rule(
    "E267",
    "no health check behind a load balancer",
    """A load balancer always asks its targets whether they are well, and sends requests to none that does not
    answer. `healthCheck: {enabled: false}` is for services without a route.""",
    "spec: {services: [{name: api, ingress: [{name: web}], healthCheck: {enabled: false}}]}",
    "spec: {services: [{name: api, ingress: [{name: web}], healthCheck: {path: /}}]}",
)
def unchecked_route(scene: Scene) -> Iterable[Finding]:
    """A service with a route has a health check."""
    for path, spec, _ in services(scene):
        if spec.ingress and not spec.health_check.enabled:
            yield Finding(
                (*path, "healthCheck", "enabled"),
                f"load balancers always ask, and `{spec.name}` has a route",
                "say what they shall ask in `path`",
                (((*path, "ingress"), "the route"),),
            )


@rule(
    "E342",
    "a health check out of range",
    """Load balancers ask every 5 to 300 seconds and wait 2 to 120 seconds for an answer, ECS itself up to 60;
    the answer must come before the next question. A new task has up to two hours to start.""",
    "spec: {services: [{name: api, healthCheck: {interval: 5s, timeout: 10s}}]}",
    "spec: {services: [{name: api, healthCheck: {interval: 15s, timeout: 10s}}]}",
)
def health_check_times(scene: Scene) -> Iterable[Finding]:
    """ECS's and the load balancer's ranges, and an answer that is due before the next question."""
    for path, spec, workload in running(scene):
        check = spec.health_check
        if check.enabled:
            yield from _check((*path, "healthCheck"), check, 120 if workload.routes else 60)


def _check(at: SpecPath, check: ContainerCheckSpec, patience: int) -> Iterator[Finding]:
    for field, value, least, most in (
        ("interval", check.interval, 5, 300),
        ("timeout", check.timeout, 2, patience),
        ("startPeriod", check.start_period, 0, LONGEST_GRACE),
    ):
        if not least <= value <= most:
            near = write_duration(min(max(value, least), most))
            said = f"{write_duration(least)} to {write_duration(most)}"
            yield Finding(
                (*at, field), f"{field} is {write_duration(value)}; AWS takes {said}", f"say `{near}`"
            )
    if check.timeout >= check.interval:
        field = "timeout" if "timeout" in check.model_fields_set else "interval"
        yield Finding(
            (*at, field),
            f"an answer may take {write_duration(check.timeout)}, but the next check comes after "
            f"{write_duration(check.interval)}",
            "give `timeout` less than `interval`",
        )


@rule(
    "E383",
    "no deployment could begin",
    """A rolling deployment stops some tasks, starts some more, or both. ECS rounds up what must go on running and
    rounds down what may run at once: with few tasks a small percentage is none.""",
    "spec: {services: [{name: api, replicas: {min: 2}, deployment: {rolling: {maxSurge: 25%}}}]}",
    "spec: {services: [{name: api, replicas: {min: 2}, deployment: {rolling: {maxSurge: 50%}}}]}",
)
def no_room_to_deploy(scene: Scene) -> Iterable[Finding]:
    """At every number of tasks one may stop, or one more may start (Amazon ECS API reference,
    DeploymentConfiguration).
    """
    for path, spec, workload in running(scene):
        least, most = workload.room
        if workload.strategy != "rolling":
            continue
        counts = range(max(spec.replicas.min, 1), max(workload.most, 1) + 1)
        for count in counts:
            kept, room = -(-count * least // 100), count * most // 100
            if kept >= room:
                tasks = "1 task" if count == 1 else f"{count} tasks"
                yield Finding(
                    (*path, "deployment", "rolling"),
                    f"with {tasks} no deployment could begin: {kept} must go on running, and {room} may run",
                    "raise `maxSurge`, or `maxUnavailable` if tasks may be missed meanwhile",
                    key=True,
                )
                break


@rule(
    "E388",
    "two ports with one number",
    "Each port of a container has a name and a number of its own.",
    "spec: {services: [{name: api, ports: [{name: http, port: 8080}, {name: admin, port: 8080}]}]}",
    "spec: {services: [{name: api, ports: [{name: http, port: 8080}, {name: admin, port: 8081}]}]}",
)
def same_port(scene: Scene) -> Iterable[Finding]:
    """No two ports of a service have one number."""
    for path, spec, _ in services(scene):
        seen: dict[int, SpecPath] = {}
        for at, port in each((*path, "ports"), spec.ports):
            first = seen.setdefault(port.port, at)
            if first != at:
                also = (((*first, "port"), "first given here"),)
                help_ = "give each port a number of its own"
                yield Finding((*at, "port"), f"port {port.port} is given twice", help_, also)


@rule(
    "E389",
    "an alarm that cannot be set so",
    """CloudWatch looks at whole minutes, a day at most. An alarm rings above or below one threshold.""",
    "spec: {services: [{name: api, alarms: {cpu: {for: 90s}}}]}",
    "spec: {services: [{name: api, alarms: {cpu: {for: 2m}}}]}",
)
def alarm_settings(scene: Scene) -> Iterable[Finding]:
    """Alarms have times and thresholds that CloudWatch takes (Amazon CloudWatch API reference,
    PutMetricAlarm).
    """
    for path, alarm in _alarms(scene):
        if alarm.for_ is not None and (alarm.for_ % MINUTE or not MINUTE <= alarm.for_ <= DAY):
            near = min(max(round(alarm.for_ / MINUTE), 1), DAY // MINUTE)
            message = f"for is {write_duration(alarm.for_)}; CloudWatch takes whole minutes, up to a day"
            yield Finding((*path, "for"), message, f"say `{write_duration(near * MINUTE)}`")
        match alarm:
            case PercentAlarmSpec() | LatencyAlarmSpec() | DurationAlarmSpec() if None not in (
                alarm.above,
                alarm.below,
            ):
                message = "an alarm rings above or below a threshold, not both"
                yield Finding((*path, "below"), message, "keep one", (((*path, "above"), "the other"),))


def _alarms(scene: Scene) -> Iterator[tuple[SpecPath, AlarmSpec]]:
    """Every alarm that the file sets, with its place."""
    base = scene.site.spec.monitoring.alarms
    start = ("spec", "monitoring", "alarms")
    yield from _fields((*start, "services"), base.services)
    yield from _fields((*start, "workers"), base.workers)
    yield from _fields((*start, "jobs"), base.jobs)
    yield from _fields((*start, "queues"), base.queues)
    for path, spec, _ in running(scene):
        yield from _fields((*path, "alarms"), spec.alarms)
    for path, job in each(("spec", "jobs"), scene.site.spec.jobs):
        yield from _fields((*path, "alarms"), job.alarms)
    for path, queue in each(("spec", "queues"), scene.site.spec.queues):
        yield from _fields((*path, "alarms"), queue.alarms)


def _fields(path: SpecPath, alarms: Spec) -> Iterator[tuple[SpecPath, AlarmSpec]]:
    for name in sorted(alarms.model_fields_set):
        value = getattr(alarms, name)
        if isinstance(value, AlarmSpec):
            yield (*path, camel(name)), value


@rule(
    "E269",
    "an alarm on a route that is not there",
    "`errorRate`, `latency` and `unhealthyTasks` are seen by a load balancer: without a route there are none.",
    "spec: {services: [{name: api, alarms: {latency: {above: 500ms}}}]}",
    "spec: {services: [{name: api, ingress: [{name: web}], alarms: {latency: {above: 500ms}}}]}",
)
def alarms_without_route(scene: Scene) -> Iterable[Finding]:
    """A service that sets an alarm of its route has one."""
    for path, spec, _ in services(scene):
        written = spec.alarms.model_fields_set & {"error_rate", "latency", "unhealthy_tasks"}
        for name in sorted(written if not spec.ingress else ()):
            if getattr(spec.alarms, name).enabled is not False:
                yield Finding(
                    (*path, "alarms", camel(name)),
                    f"`{camel(name)}` is seen by a load balancer, and `{spec.name}` has no route",
                    "give it `ingress`, or take the alarm away",
                    key=True,
                )


@rule(
    "W342",
    "an alarm without its measure",
    """How many tasks are wanted and how many run is measured by Container Insights. Without it the alarm on
    missing tasks is left out.""",
    "spec: {monitoring: {containerInsights: disabled}}",
    """
    spec:
      monitoring: {containerInsights: disabled, alarms: {services: {missingTasks: {enabled: false}}}}
    """,
)
def alarm_without_measure(scene: Scene) -> Iterable[Finding]:
    """Whether tasks are missing is known through Container Insights alone."""
    if counts_tasks(scene.site):
        return
    wanted = [
        workload.name for _, _, workload in running(scene) if setting(scene.site, workload, "missing_tasks")
    ]
    if wanted:
        names = ", ".join(f"`{name}`" for name in wanted)
        yield Finding(
            ("spec", "monitoring", "containerInsights"),
            f"without Container Insights no alarm tells that tasks of {names} are missing",
            "enable it, or say `missingTasks: {enabled: false}` in `monitoring.alarms`",
        )
