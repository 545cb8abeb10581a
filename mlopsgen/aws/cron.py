"""crontab's five fields, as EventBridge Scheduler and Application Auto Scaling read them.

Both take `cron(minute hour day-of-month month day-of-week year)` and want `?` in one of the two fields for
days (EventBridge Scheduler user guide, "Schedule types"; Application Auto Scaling user guide, "Schedule
recurring scaling actions using cron expressions"). They count weekdays from 1 for Sunday where crontab counts
from 0; names mean the same to all.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from mlopsgen.language.values import DAY

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_WEEKDAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

MAX_EXPRESSION = 256
"""Characters of a schedule expression (EventBridge Scheduler API reference, CreateSchedule)."""


class _Field(NamedTuple):
    """One of the five fields: what it counts, and the names that its values have besides numbers."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()


_MINUTE = _Field("minute", 0, 59)
_HOUR = _Field("hour", 0, 23)
DAY_OF_MONTH = _Field("day of month", 1, 31)
_MONTH = _Field("month", 1, 12, _MONTHS)
_WEEKDAY = _Field("day of week", 0, 7, _WEEKDAYS)


class Cron(NamedTuple):
    """When something happens: the values of each field, or None where every value will do.

    Weekdays count from 0 for Sunday.
    """

    minutes: tuple[int, ...] | None
    hours: tuple[int, ...] | None
    days: tuple[int, ...] | None
    months: tuple[int, ...] | None
    weekdays: tuple[int, ...] | None


def parse(text: str) -> Cron:
    """The five fields of crontab. Raises ValueError, with what to write, if they are not that."""
    words = text.split()
    if len(words) != 5:
        raise ValueError(
            f"expected five fields (minute, hour, day of month, month, day of week), not {len(words)}"
        )
    minutes, hours, days, months, weekdays = (
        _values(word, field)
        for word, field in zip(words, (_MINUTE, _HOUR, DAY_OF_MONTH, _MONTH, _WEEKDAY), strict=True)
    )
    if days is not None and weekdays is not None:
        raise ValueError(
            "the day of month and the day of week are both given, which AWS cannot express: leave one as `*`"
        )
    if days is not None and not _possible(days, months):
        raise ValueError(
            f"no month that is given has a day {days[0]}, so this would never happen: take a day that it has"
        )
    return Cron(minutes, hours, days, months, weekdays)


def to_eventbridge(text: str) -> str:
    """The same times as a `cron(…)` expression. Raises ValueError for what is not crontab's, or not AWS's."""
    cron = parse(text)
    fields = [
        _written(cron.minutes, _MINUTE),
        _written(cron.hours, _HOUR),
        "?" if cron.weekdays is not None else _written(cron.days, DAY_OF_MONTH),
        _written(cron.months, _MONTH),
        "?" if cron.weekdays is None else _written(cron.weekdays, _WEEKDAY),
        "*",
    ]
    expression = f"cron({' '.join(fields)})"
    if len(expression) > MAX_EXPRESSION:
        raise ValueError(f"this takes more than the {MAX_EXPRESSION} characters that AWS allows: use ranges")
    return expression


def longest_gap(text: str) -> int:
    """The longest time between one start and the next, in seconds, when no clock is set forward or back.

    Raises ValueError as `parse` does.
    """
    cron = parse(text)
    minutes = cron.minutes or tuple(range(60))
    hours = cron.hours or tuple(range(24))
    times = sorted(hour * 3600 + minute * 60 for hour in hours for minute in minutes)
    within = max((after - before for before, after in pairwise(times)), default=0)
    days = _days(cron)
    between = max(after - before for before, after in pairwise(days))
    return max(within, between * DAY - times[-1] + times[0])


def shortest_gap(text: str) -> int:
    """The shortest time between one start and the next, in seconds, when no clock is set forward or back.

    Raises ValueError as `parse` does.
    """
    cron = parse(text)
    times = sorted(
        hour * 3600 + minute * 60
        for hour in cron.hours or range(24)
        for minute in (range(60) if cron.minutes is None else cron.minutes)
    )
    gaps = [after - before for before, after in pairwise(times)]
    overnight = min(after - before for before, after in pairwise(_days(cron)))
    return min(*gaps, overnight * DAY - times[-1] + times[0], overnight * DAY)


@cache
def _days(cron: Cron) -> list[int]:
    """The days on which it happens, as ordinals, over a span in which each pattern of dates comes up."""
    # Days of the week and leap years repeat together every 28 years, as long as no century comes between.
    restricted = cron.days is not None or cron.months is not None
    start = date(2001, 1, 1)
    span = (date(2029, 3, 1) - start).days + 366 if restricted else 15
    result = []
    for offset in range(span):
        day = start + timedelta(days=offset)
        if (
            (cron.months is None or day.month in cron.months)
            and (cron.days is None or day.day in cron.days)
            and (cron.weekdays is None or day.isoweekday() % 7 in cron.weekdays)
        ):
            result.append(day.toordinal())
    return result


def _possible(days: tuple[int, ...], months: tuple[int, ...] | None) -> bool:
    return min(days) <= max(_LENGTHS[month - 1] for month in months or range(1, 13))


def _values(word: str, field: _Field) -> tuple[int, ...] | None:
    """The values that a field names, sorted; None if that is all of them."""
    values: set[int] = set()
    for item in word.split(","):
        values.update(_item(item, field))
    if field is _WEEKDAY:
        values = {value % 7 for value in values}
    everything = 7 if field is _WEEKDAY else field.high - field.low + 1
    return None if len(values) == everything else tuple(sorted(values))


def _item(item: str, field: _Field) -> range:
    match = re.fullmatch(r"(\*|([A-Za-z0-9]+)(?:-([A-Za-z0-9]+))?)(?:/([0-9]{1,3}))?", item)
    if not match:
        raise ValueError(f"`{item}` is no {field.name}{_hint(item)}")
    whole, first, last, step = match.groups()
    if step is not None and whole != "*" and last is None:
        message = f"`{item}` does not say how far it steps"
        raise ValueError(f"{message}: write the range, `{first}-{field.high}/{step}`")
    # Sunday is 0 and 7; only once in a step through the week.
    high = 6 if field is _WEEKDAY and whole == "*" else field.high
    low = field.low if whole == "*" else _value(first, field)
    high = high if whole == "*" else _value(last, field) if last else low
    if field is _WEEKDAY and last and high == 0:
        high = 7
    if low > high:
        raise ValueError(f"`{item}` runs backwards: the {field.name} on the left is the smaller one")
    stride = 1 if step is None else int(step)
    if stride < 1 or stride > field.high:
        raise ValueError(f"`{item}` has a step of {stride}: expected 1-{field.high} in the {field.name}")
    return range(low, high + 1, stride)


def _value(word: str, field: _Field) -> int:
    if word.upper() in field.names:
        return field.names.index(word.upper()) + (field.low if field is _MONTH else 0)
    if not word.isascii() or not word.isdigit() or not field.low <= int(word) <= field.high:
        hint = _hint(word)
        names = f", or {field.names[0]}-{field.names[-1]}" if field.names else ""
        raise ValueError(f"`{word}` is no {field.name}: expected {field.low}-{field.high}{names}{hint}")
    return int(word)


def _hint(word: str) -> str:
    if "?" in word:
        return "; crontab writes `*` where EventBridge writes `?`"
    if word.startswith("@"):
        return "; write the five fields out"
    if re.search(r"[LW#]", word):
        return "; crontab has no L, W or #"
    return ""


def _written(values: tuple[int, ...] | None, field: _Field) -> str:
    """A field as AWS documents it: all, one range, increments, or each value; never ranges within a list."""
    if values is None:
        return "*"
    words = [field.names[value] if field is _WEEKDAY else str(value) for value in values]
    if len(values) < 3:
        return ",".join(words)
    step = values[1] - values[0]
    if values == tuple(range(values[0], values[-1] + 1)):
        return f"{words[0]}-{words[-1]}"
    even = values == tuple(range(values[0], field.high + 1, step))
    return f"{values[0]}/{step}" if even and field is not _WEEKDAY else ",".join(words)
