"""What makes a comparison fail: the concerns that somebody names, as `stops,data,cost:+20%`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal

from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.forecast.outlook import CONCERNS, Outlook

NAMES = (*CONCERNS, "cost")

_COST = re.compile(r"cost(?::\+?(\d+(?:\.\d+)?)(%|USD))?")


def gates(text: str) -> tuple[str, ...]:
    """The concerns of a comma-separated list. Raises `UserFault` if one is none."""
    found = tuple(each.strip() for each in text.split(",") if each.strip())
    for each in found:
        if each not in CONCERNS and not _COST.fullmatch(each):
            close = closest(each.partition(":")[0], NAMES)
            hint = f"did you mean `{close}`?" if close else f"there are: {', '.join(NAMES)}, `cost:+20%`"
            raise UserFault(f"`--fail-on` knows no `{each}`; {hint}")
    return found


def shut(outlook: Outlook, wanted: tuple[str, ...]) -> Iterator[str]:
    """Which of the concerns an environment gives, in the order in which they were named."""
    for each in wanted:
        cost = _COST.fullmatch(each)
        if _costs_more(outlook, cost) if cost else _given(outlook, each):
            yield each


def _given(outlook: Outlook, concern: str) -> bool:
    if concern == "rights":
        return any(each.right.direction == "wider" for each in outlook.meant.rights)
    if concern == "reach":
        return any(each.reach.direction == "wider" for each in outlook.meant.reach)
    if concern == "orphan" and outlook.way == "gone":
        return True
    return any(each.concern == concern for each in outlook.said)


def _costs_more(outlook: Outlook, limit: re.Match[str]) -> bool:
    """Whether it costs more, by more than a limit if there is one. What is unknown is more."""
    money = outlook.meant.money
    if money is None:
        return False
    more = any(each.cost.after.high > each.cost.before.high for each in outlook.meant.costs)
    if money.unknown:
        return more
    if limit[1] is None:
        return money.high > 0
    allowed = Decimal(limit[1])
    return money.high > (money.before_high * allowed / 100 if limit[2] == "%" else allowed)
