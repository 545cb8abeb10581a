"""What starts jobs, how long they run, and what happens by the clock elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from mlopsgen import regular
from mlopsgen.aws import cron
from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import MINUTE, write_duration
from mlopsgen.model.workload import dockerfile_path
from mlopsgen.rules.places import each
from mlopsgen.rules.registry import Scene, rule
from mlopsgen.rules.said import said


class Clock(NamedTuple):
    """Something that happens by the clock, and its path."""

    path: SpecPath
    cron: str
    time_zone: str


def _jobs(scene: Scene) -> Iterator[tuple[SpecPath, JobSpec]]:
    yield from each(("spec", "jobs"), scene.site.spec.jobs)


def _triggered(scene: Scene) -> Iterator[tuple[Clock, SpecPath, JobSpec]]:
    """The schedules of triggers, each with its job and the job's path."""
    for path, job in _jobs(scene):
        for at, trigger in each((*path, "triggers"), job.triggers):
            if trigger.schedule:
                clock = Clock((*at, "schedule"), trigger.schedule.cron, trigger.schedule.time_zone)
                yield clock, path, job


def _clocks(scene: Scene) -> Iterator[Clock]:
    """All that happens by the clock: triggers, and changes of replicas."""
    yield from (clock for clock, _, _ in _triggered(scene))
    spec = scene.site.spec
    replicas = (
        *((path, service.replicas) for path, service in each(("spec", "services"), spec.services)),
        *((path, worker.replicas) for path, worker in each(("spec", "workers"), spec.workers)),
    )
    for path, own in replicas:
        for at, change in each((*path, "replicas", "schedules"), own.schedules):
            yield Clock(at, change.cron, change.time_zone)


@cache
def zones() -> frozenset[str]:
    """Every name of the IANA time zone database, from the package `tzdata`: the same on every machine.

    `Factory` is for machines that nobody has set up, and no place.
    """
    import tzdata

    return frozenset(Path(tzdata.__file__).with_name("zones").read_text().split()) - {"Factory"}


@rule(
    "E350",
    "times that crontab or AWS cannot express",
    """`cron` has crontab's five fields: minute, hour, day of month, month, day of week. AWS takes the day
    of month or the day of week, not both, and has no way to say crontab's `@daily`.""",
    'spec: {jobs: [{name: trainer, triggers: [{name: daily, schedule: {cron: "0 25 * * *"}}]}]}',
    'spec: {jobs: [{name: trainer, triggers: [{name: daily, schedule: {cron: "0 3 * * *"}}]}]}',
)
def cron_fields(scene: Scene) -> Iterable[Finding]:
    """The five fields are crontab's, and AWS can express them."""
    for clock in _clocks(scene):
        try:
            cron.to_eventbridge(clock.cron)
        except ValueError as error:
            what, _, hint = str(error).partition(": ")
            fields = "the fields are minute, hour, day of month, month, day of week: `0 3 * * 0` is Sundays at three"
            yield Finding((*clock.path, "cron"), what, hint or fields)


@rule(
    "E351",
    "an unknown time zone",
    "Time zones are named as in the IANA database, by continent and city, so that summer time is known.",
    """
    spec:
      jobs:
        - name: trainer
          triggers: [{name: daily, schedule: {cron: "0 3 * * *", timeZone: Asia/Saigon_City}}]
    """,
    """
    spec:
      jobs:
        - name: trainer
          triggers: [{name: daily, schedule: {cron: "0 3 * * *", timeZone: Asia/Ho_Chi_Minh}}]
    """,
)
def time_zone(scene: Scene) -> Iterable[Finding]:
    """The time zone is one of the IANA database."""
    for clock in _clocks(scene):
        if clock.time_zone != "UTC" and clock.time_zone not in zones():
            message = f"there is no time zone `{clock.time_zone}`"
            yield Finding((*clock.path, "timeZone"), message, _zone(clock.time_zone))


_CITY = "a city of the zone, such as `Asia/Ho_Chi_Minh`, or `UTC`"


def _zone(name: str) -> str:
    """The nearest zone: by its whole name, or by that of the city. An offset or abbreviation has none.

    The database's own names of offsets have the sign of POSIX: `Etc/GMT-7` is seven hours ahead of UTC.
    """
    if offset := re.fullmatch(r"(?:UTC|GMT)([+-])0?([0-9]{1,2})(?::?00)?", name):
        sign, hours = offset.groups()
        found = f"Etc/GMT{'-' if sign == '+' else '+'}{hours}"
        return f"say `{found}`, or {_CITY}" if found in zones() else _CITY
    if "/" not in name:
        return _CITY
    cities = {zone.rpartition("/")[2]: zone for zone in sorted(zones(), reverse=True)}
    city = name.rpartition("/")[2]
    if city in cities:
        return f"did you mean `{cities[city]}`?"
    # Another city of the continent is another time: a letter or two may differ, and no more.
    there = {
        place.lower(): place for place in zones() if place.partition("/")[0] == name.partition("/")[0].title()
    }
    close = closest(name.lower(), there, 0.9)
    return f"did you mean `{there[close]}`?" if close else _CITY


@rule(
    "E352",
    "no time to run",
    "`timeout` is the longest that one run may take, a minute or more.",
    "spec: {jobs: [{name: trainer, timeout: 0s}]}",
    "spec: {jobs: [{name: trainer, timeout: 6h}]}",
)
def timeout_of_a_run(scene: Scene) -> Iterable[Finding]:
    """A run has a minute at least; `timeout 0` would mean no limit at all."""
    for path, job in _jobs(scene):
        if job.timeout < MINUTE:
            message = f"a run cannot be over in {write_duration(job.timeout)}"
            yield Finding((*path, "timeout"), message, "give it a minute or more")


@rule(
    "E353",
    "a job without a command",
    """A job's limit of time is kept by a program that starts the job's own, so the command must be known. An image
    that is built with `python` has one; of other images nobody here knows it.""",
    """
    spec:
      jobs: [{name: trainer, image: "public.ecr.aws/docker/library/python:3.12"}]
    """,
    """
    spec:
      jobs:
        - name: trainer
          image: public.ecr.aws/docker/library/python:3.12
          command: [python, -m, timeit]
    """,
)
def command_unknown(scene: Scene) -> Iterable[Finding]:
    """A job whose image is not built with `python` says its command."""
    images = {image.name: image for image in scene.site.spec.images}
    for path, job in _jobs(scene):
        image = images.get(job.image)
        if job.command or (image is not None and image.dockerfile is None):
            continue
        known = image is not None or ":" in job.image or "@" in job.image
        if known:
            yield Finding(
                (*path, "image"),
                f"`{job.name}` does not say what to run, and its image is not built with `python`",
                "say `command`: the program and its arguments",
            )


@rule(
    "W350",
    "runs that overlap",
    """A run may last longer than the time to the next start. Two runs then train at once, pay twice, and
    write the same checkpoints.""",
    """
    spec:
      jobs: [{name: trainer, timeout: 6h, triggers: [{name: hourly, schedule: {cron: "0 * * * *"}}]}]
    """,
    """
    spec:
      jobs: [{name: trainer, timeout: 6h, triggers: [{name: daily, schedule: {cron: "0 3 * * *"}}]}]
    """,
)
def runs_that_overlap(scene: Scene) -> Iterable[Finding]:
    """A run may still go on when the next one starts."""
    for clock, path, job in _triggered(scene):
        try:
            gap = cron.shortest_gap(clock.cron)
        except ValueError:
            continue
        if job.timeout > gap:
            yield Finding(
                (*clock.path, "cron"),
                f"`{job.name}` starts every {write_duration(gap)} and may run for "
                f"{write_duration(job.timeout)}: two runs can overlap",
                "give it a shorter `timeout`, or start it less often",
                (((*path, "timeout"), "the longest run"),) if "timeout" in job.model_fields_set else (),
            )


_WITHOUT_COREUTILS = re.compile(r"(^|[/:-])(scratch|busybox|alpine|distroless|chainguard|wolfi)|[-.]alpine")


@rule(
    "W358",
    "an image that may lack `timeout`",
    """A job is started by `timeout` of GNU coreutils, which keeps its limit of time. Images from `scratch`, Distroless
    and the like have no such program, and busybox's, in Alpine, has other options: no run would start. Install
    coreutils (`apk add coreutils`), or take an image of Debian, Ubuntu or Amazon Linux.""",
    """
    spec:
      jobs: [{name: trainer, image: "public.ecr.aws/docker/library/python:3.12-alpine", command: [python, -m, timeit]}]
    """,
    """
    spec:
      jobs: [{name: trainer, image: "public.ecr.aws/docker/library/python:3.12", command: [python, -m, timeit]}]
    """,
)
def lacks_timeout(scene: Scene) -> Iterable[Finding]:
    """What starts a job is in its image."""
    images = {image.name: image for image in scene.site.spec.images}
    for path, job in _jobs(scene):
        image = images.get(job.image)
        base = _last_base(scene.folder, dockerfile_path(image)) if image else job.image
        if base and _WITHOUT_COREUTILS.search(base.partition("@")[0]):
            yield Finding(
                (*path, "image"),
                f"`{job.name}` is started by GNU `timeout`, which an image from `{base}` hardly has",
                "install coreutils in it, or take one of Debian, Ubuntu or Amazon Linux",
            )


def _last_base(folder: Path | None, dockerfile: str | None) -> str | None:
    """The image from which the last stage starts; None if it cannot be read or installs coreutils itself."""
    if folder is None or dockerfile is None:
        return None
    try:
        text = regular.text(folder / dockerfile)
    except (OSError, ValueError):
        return None
    stages = re.findall(r"(?im)^\s*FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", text)
    if not stages or "coreutils" in text:
        return None
    named = {name.lower(): base for base, name in stages if name}
    base: str = stages[-1][0]
    for _ in stages:
        base = named.get(base.lower(), base)
    return base


@rule(
    "W359",
    "a number that JSON does not have",
    """Parameters go to the program as JSON, which has no `.nan` and no `.inf`: it gets the text `".nan"`. Leave the
    parameter out, or let the program read a word such as `none`.""",
    "spec: {jobs: [{name: trainer, parameters: {clip: .inf}}]}",
    "spec: {jobs: [{name: trainer, parameters: {clip: 1.0e9}}]}",
)
def no_number_of_json(scene: Scene) -> Iterable[Finding]:
    """A parameter that is a number is one in JSON too."""
    for path, job in _jobs(scene):
        for each_ in said(job.parameters, (*path, "parameters")):
            if re.fullmatch(r"[-+]?\.inf|\.nan", each_.text, re.I):
                message = f"JSON has no `{each_.text}`: the program would get it as a text"
                yield Finding(each_.path, message, "leave it out, or write a number")
