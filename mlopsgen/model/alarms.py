"""What alarms are by default, and what one of a thing comes to."""

from __future__ import annotations

from typing import NamedTuple

from mlopsgen.components.monitoring.spec import (
    AlarmSpec,
    DurationAlarmSpec,
    LatencyAlarmSpec,
    PercentAlarmSpec,
)


class Alarm(NamedTuple):
    """An alarm with nothing left open. A threshold is in percent, milliseconds or seconds; some have none."""

    enabled: bool
    seconds: int
    above: float | None = None
    below: float | None = None


DEFAULT_ALARMS: dict[str, dict[str, Alarm]] = {
    "services": {
        "cpu": Alarm(True, 300, above=80),
        "memory": Alarm(True, 300, above=85),
        "error_rate": Alarm(True, 180, above=5),
        "latency": Alarm(True, 180, above=2000),
        "unhealthy_tasks": Alarm(True, 300),
        "missing_tasks": Alarm(True, 600),
    },
    "workers": {
        "cpu": Alarm(True, 300, above=80),
        "memory": Alarm(True, 300, above=85),
        "missing_tasks": Alarm(True, 600),
    },
    "jobs": {
        "failed": Alarm(True, 300),
        "missing": Alarm(True, 300),
    },
    "queues": {
        "dead_letters": Alarm(True, 60),
        "oldest_message": Alarm(False, 300, above=3600),
    },
}
"""The alarms of each kind of workload and of queues, by the names of their fields."""


def merged(own: AlarmSpec, base: AlarmSpec, default: Alarm) -> Alarm:
    """A thing's own alarm over the pipeline's of its kind over the language's, key by key.

    A threshold goes as one: a written `below` takes the place of an `above` further away. One that is off by
    default is on as soon as it is written.
    """
    layers = (own, base)
    written = any(each.model_fields_set for each in layers)
    above, below = next(
        (found for each in layers if (found := _threshold(each)) != (None, None)),
        (default.above, default.below),
    )
    return Alarm(
        enabled=next(
            (each.enabled for each in layers if each.enabled is not None), default.enabled or written
        ),
        seconds=next((each.for_ for each in layers if each.for_ is not None), default.seconds),
        above=above,
        below=below,
    )


def _threshold(alarm: AlarmSpec) -> tuple[float | None, float | None]:
    match alarm:
        case PercentAlarmSpec() | LatencyAlarmSpec() | DurationAlarmSpec():
            return alarm.above, alarm.below
        case _:
            return None, None
