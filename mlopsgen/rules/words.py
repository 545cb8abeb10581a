"""Words that say nothing, because of another word beside them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from mlopsgen.components.jobs.spec import TriggerSpec
from mlopsgen.components.workloads.spec import ReplicasSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Item
from mlopsgen.model.site import Site
from mlopsgen.parts.container import health_command
from mlopsgen.rules.places import running
from mlopsgen.rules.registry import Scene, rule


@rule(
    "W356",
    "a word that does nothing",
    """What is turned off is not also set up, a cooldown is between the steps of `metrics`, and without a `command` or
    a route nobody asks whether a task is well. An environment may turn off what the base sets up; where all do, the
    word only looks as if it did something.""",
    "spec: {services: [{name: api, replicas: {min: 2, cooldown: {out: 30s}}}]}",
    "spec: {services: [{name: api, replicas: {min: 2, max: 8, metrics: {cpu: 70%}, cooldown: {out: 30s}}}]}",
)
def idle_words(scene: Scene) -> Iterable[Finding]:
    """What is written does something in some environment."""
    found = dict(_idle(scene))
    if not found:
        return
    others = [dict(_idle(scene._replace(site=site))) for site in scene.sites if site is not scene.site]
    for path, (message, help_) in found.items():
        if all(path in other for other in others):
            yield Finding(path, message, help_, key=True)


def _idle(scene: Scene) -> Iterator[tuple[SpecPath, tuple[str, str]]]:
    """Idle words by their places, with names in place of numbers: environments may have other lists."""
    yield from _turned_off(scene.site)
    for job in scene.site.spec.jobs:
        scheduled = any(trigger.schedule and trigger.enabled for trigger in job.triggers)
        if job.alarms.missing.model_fields_set and job.alarms.missing.enabled is not False and not scheduled:
            at: SpecPath = ("spec", "jobs", job.name, "alarms", "missing")
            message = f"`{job.name}` has no schedule, so that no run can be missing"
            yield at, (message, "give it a trigger, or take it away")
    for path, spec, workload in running(scene):
        at = (*path[:-1], spec.name)
        if "cooldown" in spec.replicas.model_fields_set and not _measures(spec.replicas):
            message = "nothing is measured, so there are no steps to wait between"
            yield (*at, "replicas", "cooldown"), (message, "say `metrics: {cpu: 70%}`, or take it away")
        check = spec.health_check
        if check.enabled and not workload.routes and not health_command(workload):
            for name in sorted(check.model_fields_set - {"enabled"}):
                message = f"nobody asks whether a task of `{spec.name}` is well"
                help_ = "say what ECS shall run in the container: `command: [..]`; or take it away"
                yield (*at, "healthCheck", _word(check, name)), (message, help_)


def _measures(replicas: ReplicasSpec) -> bool:
    return bool(replicas.metrics.model_fields_set)


def _word(spec: BaseModel, name: str) -> str:
    return type(spec).model_fields[name].alias or name


def _turned_off(site: Site) -> Iterator[tuple[SpecPath, tuple[str, str]]]:
    """What stands beside `enabled: false`."""
    waiting: list[tuple[SpecPath, BaseModel]] = [(("spec",), site.spec)]
    while waiting:
        path, spec = waiting.pop()
        written = spec.model_fields_set
        # A trigger that is off is kept for later: that is what its word is for.
        if "enabled" in written and spec.enabled is False and not isinstance(spec, TriggerSpec):  # type: ignore[attr-defined]
            for name in sorted(written - {"enabled", "name", "environments"}):
                message = f"it is turned off, so that `{_word(spec, name)}` does nothing"
                yield (*path, _word(spec, name)), (message, "take it away, or `enabled: false`")
            continue
        for name in written:
            value = getattr(spec, name)
            at = (*path, _word(spec, name))
            if isinstance(value, BaseModel):
                waiting.append((at, value))
            elif isinstance(value, tuple):
                waiting += (((*at, each.name), each) for each in value if isinstance(each, Item))
