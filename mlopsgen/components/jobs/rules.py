"""What happens by the clock."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path as Folder

from mlopsgen.aws import cron
from mlopsgen.checks.rule import Finding, Scene, nearest, rule
from mlopsgen.checks.services import services
from mlopsgen.source.node import Path
from mlopsgen.spec.quantities import write_duration


def _clocks(scene: Scene) -> Iterator[tuple[Path, str, str]]:
    """Each schedule's path, its cron fields, and its time zone."""
    for index, trainer in enumerate(scene.site.spec.trainers):
        if trainer.schedule:
            path = ("spec", "trainers", index, "schedule")
            yield path, trainer.schedule.cron, trainer.schedule.timezone
    for place, service in services(scene):
        for index, each in enumerate(service.scheduled_scaling):
            yield (*place, "scheduledScaling", index), each.cron, each.timezone


@cache
def zones() -> frozenset[str]:
    """Every name of the IANA time zone database, from the package `tzdata`: the same on every machine."""
    import tzdata

    return frozenset(Folder(tzdata.__file__).with_name("zones").read_text().split())


@rule("E350")
def cron_fields(scene: Scene) -> Iterable[Finding]:
    """The five fields are crontab's, and AWS can express them."""
    for path, fields, _ in _clocks(scene):
        try:
            cron.to_eventbridge(fields)
        except ValueError as error:
            what, _, hint = str(error).partition(": ")
            yield Finding((*path, "cron"), what, hint or 'such as `"0 3 * * 0"`: Sundays at three')


@rule("E351")
def time_zone(scene: Scene) -> Iterable[Finding]:
    """The time zone is one of the IANA database."""
    for path, _, name in _clocks(scene):
        if name != "UTC" and name not in zones():
            yield Finding((*path, "timezone"), f"there is no time zone `{name}`", _zone(name))


def _zone(name: str) -> str:
    """The nearest zone: by its whole name, or by that of the city."""
    cities = {each.rpartition("/")[2]: each for each in sorted(zones(), reverse=True)}
    city = name.rpartition("/")[2]
    if city in cities:
        return f"did you mean `{cities[city]}`?"
    found = nearest(name, zones(), "")
    return found if found.startswith("did") else "a city of the zone, such as `Asia/Ho_Chi_Minh` or `UTC`"


@rule("E352")
def timeout_of_a_run(scene: Scene) -> Iterable[Finding]:
    """A run has a minute at least; `timeout 0` would mean no limit at all."""
    for index, trainer in enumerate(scene.site.spec.trainers):
        if trainer.timeout < 60:
            path = ("spec", "trainers", index, "timeout")
            yield Finding(
                path, f"a run cannot be over in {write_duration(trainer.timeout)}", "give it a minute or more"
            )


@rule("W350")
def runs_that_overlap(scene: Scene) -> Iterable[Finding]:
    """A run may still go on when the next one starts."""
    for index, trainer in enumerate(scene.site.spec.trainers):
        if not trainer.schedule:
            continue
        try:
            gap = cron.shortest_gap(trainer.schedule.cron)
        except ValueError:
            continue
        if trainer.timeout > gap:
            path = ("spec", "trainers", index)
            yield Finding(
                (*path, "schedule", "cron"),
                f"`{trainer.name}` starts every {write_duration(gap)} and may run for "
                f"{write_duration(trainer.timeout)}: two runs can overlap",
                "give it a shorter `timeout`, or start it less often",
                (((*path, "timeout"), "the longest run"),) if "timeout" in trainer.model_fields_set else (),
            )
