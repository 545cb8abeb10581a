"""How many tasks run, and what moves their number: of services and workers alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.aws import cron
from mlopsgen.components.monitoring.spec import ServiceAlarmsSpec, WorkerAlarmsSpec
from mlopsgen.components.workloads.spec import ReplicaScheduleSpec, ReplicasSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import write_percent
from mlopsgen.model.site import Site
from mlopsgen.parts.scaling import bounds, opens
from mlopsgen.rules.places import each, running
from mlopsgen.rules.registry import Scene, rule

BALANCED = ("requests", "latency")
"""Measures that a load balancer takes."""


def _replicas(scene: Scene) -> Iterator[tuple[SpecPath, ReplicasSpec, str]]:
    """The replicas of every service and worker with their place, and its name."""
    for path, spec, _ in running(scene):
        yield (*path, "replicas"), spec.replicas, spec.name


@rule(
    "E340",
    "the fewest replicas are above the most",
    "`replicas.min` is at most `replicas.max`; in an environment too, where one may come from the base.",
    "spec: {services: [{name: api, replicas: {min: 4, max: 2}}]}",
    "spec: {services: [{name: api, replicas: {min: 2, max: 4, metrics: {cpu: 70%}}}]}",
)
def fewest_above_most(scene: Scene) -> Iterable[Finding]:
    """The fewest replicas are not more than the most, whatever a schedule makes of them."""
    for path, replicas, _ in _replicas(scene):
        if replicas.max is not None and replicas.min > replicas.max:
            if "min" in replicas.model_fields_set:
                yield _above(path, replicas.min, replicas.max, (*path, "max"))
            else:
                message = f"max {replicas.max} is below min, which is {replicas.min} when it is left out"
                yield Finding((*path, "max"), message, f"say `min: {replicas.max}` too")
            continue
        mosts = {most for _, most in bounds(replicas)}
        fewests = {fewest for fewest, _ in bounds(replicas)}
        for at, schedule in each((*path, "schedules"), replicas.schedules):
            if schedule.min is not None and schedule.max is not None:
                if schedule.min > schedule.max:
                    yield _above(at, schedule.min, schedule.max, (*at, "max"))
            elif schedule.min is not None and schedule.min > max(mosts):
                yield _above(at, schedule.min, max(mosts), path)
            elif schedule.max is not None and schedule.max < min(fewests):
                message = f"max {schedule.max} is below min {min(fewests)}, which holds then"
                yield Finding((*at, "max"), message, f"say `min` too, or `max: {min(fewests)}` or more")


def _above(path: SpecPath, fewest: int, most: int, other: SpecPath) -> Finding:
    message = f"min {fewest} is above max {most}"
    return Finding((*path, "min"), message, f"say `max: {fewest}` or more", ((other, "the most"),))


@rule(
    "E341",
    "a target that cannot be held",
    "A share of 0% of CPU or memory is what no running program keeps to.",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {cpu: 0%}}}]}",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {cpu: 70%}}}]}",
)
def targets_of_nothing(scene: Scene) -> Iterable[Finding]:
    """A target in percent is above zero."""
    for path, replicas, _ in _replicas(scene):
        for name, target in (("cpu", replicas.metrics.cpu), ("memory", replicas.metrics.memory)):
            if target == 0:
                help_ = "say 70% or so: what is left takes the load until new tasks are up"
                yield Finding((*path, "metrics", name), f"no task runs at 0% of its {name}", help_)


@rule(
    "E212",
    "a measure of a route that is not there",
    "`requests` and `latency` are measured where requests pass: at the load balancer of a route.",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {latency: 200ms}}}]}",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {cpu: 70%}}}]}",
)
def measure_of_a_route(scene: Scene) -> Iterable[Finding]:
    """Requests and latency are measured by a load balancer."""
    for path, spec, workload in running(scene):
        for name in BALANCED:
            if getattr(spec.replicas.metrics, name) is not None and not workload.routes:
                help_ = "scale on `cpu` or `memory`"
                yield Finding(
                    (*path, "replicas", "metrics", name),
                    f"`{name}` is measured by a load balancer, and `{spec.name}` has no route",
                    f"give it `ingress`, or {help_}" if workload.kind.word == "service" else help_,
                    key=True,
                )


@rule(
    "E384",
    "nothing lifts it from zero",
    """With `min: 0` scaling can stop the last task, and then none is there whose load would bring one back. What
    is to have no task at all says `{min: 0, max: 0}`. A worker's `backlog` does: messages wait without a task.""",
    "spec: {services: [{name: api, replicas: {min: 0, max: 4, metrics: {cpu: 70%}}}]}",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {cpu: 70%}}}]}",
)
def nothing_lifts(scene: Scene) -> Iterable[Finding]:
    """What can come down to no task comes up again."""
    for path, replicas, name in _replicas(scene):
        most = replicas.min if replicas.max is None else replicas.max
        lifted = any(schedule.min for schedule in replicas.schedules)
        if replicas.min == 0 and most > 0 and not lifted and replicas.metrics.backlog is None:
            yield Finding(
                (*path, "min"),
                f"`{name}` can come down to no task, and nothing brings one back",
                "say `min: 1`, or lift it by the clock with `schedules`",
            )


@rule(
    "E385",
    "a schedule that goes one way",
    """After a schedule its bound holds until another one changes it: what goes up in the morning needs a schedule
    that brings it down, and what goes to zero in the evening one that brings it back.""",
    """
    spec:
      services:
        - name: api
          replicas: {min: 2, max: 8, metrics: {cpu: 70%}, schedules: [{name: day, cron: "0 8 * * *", min: 4}]}
    """,
    """
    spec:
      services:
        - name: api
          replicas:
            min: 2
            max: 8
            metrics: {cpu: 70%}
            schedules: [{name: day, cron: "0 8 * * *", min: 4}, {name: night, cron: "0 20 * * *", min: 2}]
    """,
)
def one_way(scene: Scene) -> Iterable[Finding]:
    """What a schedule lifts another one lowers, and what one sets to zero another lifts."""
    for path, replicas, _ in _replicas(scene):
        if replicas.max == 0:
            continue
        most = replicas.min if replicas.max is None else replicas.max
        for bound, base in (("min", replicas.min), ("max", most)):
            found = [
                ((*at, bound), getattr(schedule, bound))
                for at, schedule in each((*path, "schedules"), replicas.schedules)
                if getattr(schedule, bound) is not None
            ]
            values = {value for _, value in found}
            if values == {0} and most > 0:
                message = f"{bound} goes to 0 and no schedule lifts it again"
                yield Finding(
                    found[0][0], message, f"add a schedule that does, such as `{bound}: {base or 1}`"
                )
            elif len(values) == 1 and min(values) > base:
                message = f"{bound} goes up from {base} to {min(values)}, and no schedule brings it down"
                yield Finding(found[0][0], message, f"add a schedule with `{bound}: {base}`")


@rule(
    "E386",
    "two schedules at one minute",
    "Which of two schedules of one minute comes last, and so holds, nobody knows.",
    """
    spec:
      services:
        - name: api
          replicas:
            min: 2
            max: 8
            metrics: {cpu: 70%}
            schedules: [{name: day, cron: "0 8 * * *", min: 4}, {name: sunday, cron: "0 8 * * 0", min: 2}]
    """,
    """
    spec:
      services:
        - name: api
          replicas:
            min: 2
            max: 8
            metrics: {cpu: 70%}
            schedules: [{name: day, cron: "0 8 * * 1-6", min: 4}, {name: sunday, cron: "0 8 * * 0", min: 2}]
    """,
)
def same_minute(scene: Scene) -> Iterable[Finding]:
    """No two schedules of one time zone change a bound at one minute."""
    for path, replicas, _ in _replicas(scene):
        listed = tuple(each((*path, "schedules"), replicas.schedules))
        for number, (at, schedule) in enumerate(listed):
            for first_at, first in listed[:number]:
                if _meet(schedule, first):
                    yield Finding(
                        (*at, "cron"),
                        f"`{schedule.name}` and `{first.name}` can come at one minute",
                        "let one of them leave out the days of the other",
                        (((*first_at, "cron"), f"`{first.name}`"),),
                    )
                    break


def _meet(one: ReplicaScheduleSpec, other: ReplicaScheduleSpec) -> bool:
    """Whether both change a bound at some minute, as far as their fields tell."""
    if one.time_zone != other.time_zone or not _bounds(one) & _bounds(other):
        return False
    try:
        pairs = zip(cron.parse(one.cron), cron.parse(other.cron), strict=True)
    except ValueError:
        return False
    return all(a is None or b is None or set(a) & set(b) for a, b in pairs)


def _bounds(schedule: ReplicaScheduleSpec) -> set[str]:
    return {word for word in ("min", "max") if getattr(schedule, word) is not None}


@rule(
    "E387",
    "a schedule that changes nothing",
    "A schedule sets `min`, `max`, or both, from then on.",
    """
    spec:
      services: [{name: api, replicas: {min: 2, schedules: [{name: day, cron: "0 8 * * *"}]}}]
    """,
    """
    spec:
      services:
        - name: api
          replicas:
            min: 2
            schedules:
              - {name: day, cron: "0 8 * * *", min: 4, max: 4}
              - {name: night, cron: "0 20 * * *", min: 2, max: 2}
    """,
)
def empty_schedule(scene: Scene) -> Iterable[Finding]:
    """A schedule changes a bound."""
    for path, replicas, _ in _replicas(scene):
        for at, schedule in each((*path, "schedules"), replicas.schedules):
            if not _bounds(schedule):
                yield Finding(
                    (*at, "name"), f"schedule `{schedule.name}` changes nothing", "say `min` or `max`"
                )


@rule(
    "W340",
    "nothing to scale",
    """Measures move the number of tasks between `min` and `max`, and rest where these are one. An environment may
    let them rest; in the base, where nothing says otherwise, they are of no use.""",
    "spec: {services: [{name: api, replicas: {min: 2, metrics: {cpu: 70%}}}]}",
    "spec: {services: [{name: api, replicas: {min: 2, max: 8, metrics: {cpu: 70%}}}]}",
)
def nowhere_to_scale(scene: Scene) -> Iterable[Finding]:
    """Measures have room between the fewest and the most tasks in some environment."""
    for path, spec, workload in running(scene):
        fewest, most = bounds(spec.replicas)[0]
        if not spec.replicas.metrics.model_fields_set or opens(spec.replicas) or not 0 < fewest <= most:
            continue
        others = [found for site in scene.sites if (found := _of(site, workload.kind.section, spec.name))]
        first = next(iter(others), spec.replicas)
        if first is spec.replicas and not any(opens(found) for found in others):
            count = spec.replicas.min
            yield Finding(
                (*path, "replicas", "metrics"),
                f"`{spec.name}` always has {_tasks(count)}: there is nothing to scale",
                f"say `max: {max(2 * count, 2)}`",
                key=True,
            )


def _tasks(count: int) -> str:
    return f"{count} task{'s' * (count != 1)}"


def _of(site: Site, section: str, name: str) -> ReplicasSpec | None:
    """The replicas of a service or worker in another environment; None if it is not there."""
    return next((found.replicas for found in getattr(site.spec, section) if found.name == name), None)


@rule(
    "W346",
    "bounds, and nothing that scales",
    """`replicas.max` is how far scaling may go. Without `metrics` or `schedules` the number of tasks stays at
    `min`.""",
    "spec: {services: [{name: api, replicas: {min: 2, max: 8}}]}",
    "spec: {services: [{name: api, replicas: {min: 2, max: 8, metrics: {cpu: 70%}}}]}",
)
def bounds_without_scaling(scene: Scene) -> Iterable[Finding]:
    """What may grow has something that makes it grow."""
    for path, spec, workload in running(scene):
        replicas = spec.replicas
        if replicas.max is not None and replicas.max > replicas.min and not workload.scales:
            yield Finding(
                (*path, "replicas", "max"),
                f"nothing scales `{spec.name}`: it always has {_tasks(replicas.min)}",
                "say what to hold, such as `metrics: {cpu: 70%}`",
            )


@rule(
    "W348",
    "latency alone never scales in",
    """Without requests there is no latency, and without data scaling stops no task (Amazon ECS developer guide,
    "Use a target metric to scale Amazon ECS services"). Beside `cpu`, which is measured always, it does.""",
    """
    spec:
      services:
        - {name: api, ingress: [{name: web}], replicas: {min: 1, max: 4, metrics: {latency: 200ms}}}
    """,
    """
    spec:
      services:
        - {name: api, ingress: [{name: web}], replicas: {min: 1, max: 4, metrics: {latency: 200ms, cpu: 70%}}}
    """,
)
def latency_alone(scene: Scene) -> Iterable[Finding]:
    """Beside latency something is measured without requests too."""
    for path, spec, workload in running(scene):
        wanted = spec.replicas.metrics
        steady = wanted.cpu is not None or wanted.memory is not None
        if wanted.latency is not None and workload.routes and not steady and opens(spec.replicas):
            yield Finding(
                (*path, "replicas", "metrics", "latency"),
                f"while nobody asks, `{spec.name}` keeps as many tasks as it had: there is no latency to "
                "measure",
                "measure `cpu` too, such as `cpu: 70%`",
            )


SCHEDULES = 200
"""Of one scalable target (Application Auto Scaling user guide, "Quotas")."""


@rule(
    "E391",
    "more schedules than a service takes",
    "Application Auto Scaling keeps 200 scheduled actions for a service, and no more.",
)
def too_many_schedules(scene: Scene) -> Iterable[Finding]:
    """A service's schedules are as many as AWS keeps."""
    for path, replicas, name in _replicas(scene):
        if len(replicas.schedules) > SCHEDULES:
            yield Finding(
                (*path, "schedules", SCHEDULES, "name"),
                f"`{name}` has {len(replicas.schedules)} schedules; AWS keeps {SCHEDULES}",
                "let one of them stand for several: `0 8,20 * * 1-5` are ten starts a week",
            )


LEAST_PERCENT = 1
LEAST_LATENCY = 2
"""Milliseconds: a load balancer in the same zone needs about one by itself."""


@rule(
    "W354",
    "a target that is always or never passed",
    """Hardly a program runs on less than 1% of its CPU or memory, or answers within a millisecond: a service that
    is to keep to it goes to its most tasks and stays there, and an alarm on it always rings. More than 100% no task
    on Fargate uses, so that a target of 100% never adds one. `0.7%` is less than one percent; seventy are `70%`.""",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {cpu: 0.7%}}}]}",
    "spec: {services: [{name: api, replicas: {min: 1, max: 4, metrics: {cpu: 70%}}}]}",
)
def odd_targets(scene: Scene) -> Iterable[Finding]:
    """A target lies where a program can be below it and above it."""
    for path, spec, workload in running(scene):
        wanted = spec.replicas.metrics
        for name, percent in (("cpu", wanted.cpu), ("memory", wanted.memory)):
            at = (*path, "replicas", "metrics", name)
            if percent is not None and 0 < percent < LEAST_PERCENT:
                yield _tiny(at, f"`{spec.name}` always has its most tasks", percent)
            elif percent == 100 and not workload.on_instances:
                message = f"a task never uses more than all of its {name}: no task is ever added"
                yield Finding(at, message, "leave room until new tasks are up, such as `70%`")
        if wanted.latency is not None and wanted.latency < LEAST_LATENCY:
            yield _quick(
                (*path, "replicas", "metrics", "latency"), f"`{spec.name}` always has its most tasks"
            )
        yield from _odd_alarms((*path, "alarms"), spec.alarms)
    alarms = scene.site.spec.monitoring.alarms
    for word, kind in (("services", alarms.services), ("workers", alarms.workers)):
        yield from _odd_alarms(("spec", "monitoring", "alarms", word), kind)


def _odd_alarms(path: SpecPath, alarms: ServiceAlarmsSpec | WorkerAlarmsSpec) -> Iterator[Finding]:
    for name, alarm in (("cpu", alarms.cpu), ("memory", alarms.memory)):
        if alarm.above is not None and alarm.above < LEAST_PERCENT and alarm.enabled is not False:
            yield _tiny((*path, name, "above"), "the alarm always rings", alarm.above)
    if isinstance(alarms, ServiceAlarmsSpec):
        above = alarms.latency.above
        if above is not None and above < LEAST_LATENCY and alarms.latency.enabled is not False:
            yield _quick((*path, "latency", "above"), "the alarm always rings")


def _tiny(path: SpecPath, message: str, percent: float) -> Finding:
    said = write_percent(percent)
    meant = f"`{write_percent(percent * 100)}`, if that was meant" if percent else "a share such as `80%`"
    return Finding(path, f"{message}: hardly a program keeps below {said}", f"say {meant}")


def _quick(path: SpecPath, message: str) -> Finding:
    help_ = "say a time such as `200ms`; a second is `1s`"
    return Finding(path, f"{message}: hardly a program answers within a millisecond", help_)


@rule(
    "W357",
    "what never runs",
    """`replicas: {min: 0}` is no task at all, unless `max` and something that scales say otherwise. An environment
    may do without a service or worker; where all do, nothing comes of it. Who means it says `{min: 0, max: 0}`.""",
    "spec: {services: [{name: api, replicas: {min: 0}}]}",
    "spec: {services: [{name: api, replicas: {min: 1}}]}",
)
def never_runs(scene: Scene) -> Iterable[Finding]:
    """In some environment a service or worker has a task."""
    for path, spec, workload in running(scene):
        section = workload.kind.section
        # Who writes `max: 0` means it.
        if (
            spec.replicas.max != 0
            and not _ever(spec.replicas)
            and not any(_ever(found) for site in scene.sites if (found := _of(site, section, spec.name)))
        ):
            message = f"`{spec.name}` has no task, ever"
            yield Finding(
                (*path, "replicas", "min"), message, "say `min: 1`, or `max: 0` too if that is meant"
            )


def _ever(replicas: ReplicasSpec) -> bool:
    return any(most > 0 for _, most in bounds(replicas))
