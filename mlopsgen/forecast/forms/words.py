"""The words that every form uses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import groupby
from typing import NamedTuple

from mlopsgen.forecast.causes import Causes
from mlopsgen.forecast.edits import Edit
from mlopsgen.forecast.outlook import Changed, Concern, Outlook, Said
from mlopsgen.forecast.report import Report
from mlopsgen.forecast.rights import Right
from mlopsgen.motion.outcome import Action
from mlopsgen.motion.rules.cloudformation import ORPHAN

HEADS: dict[Concern, str] = {
    "stops": "The deployment stops",
    "outage": "Callers or tasks notice",
    "data": "Data is lost, or the way back",
    "rights": "Rights change",
    "reach": "What is reachable changes",
    "orphan": "Is left over",
    "silent": "Deploys, and does not take effect",
}

IN_SHORT: dict[Concern, str] = {
    "outage": "callers or tasks notice",
    "data": "something is lost",
    "rights": "rights widen",
    "reach": "more is reachable",
    "orphan": "something is left over",
    "silent": "something does not take effect",
}

ACTIONS: dict[Action, str] = {
    "create": "created", "update": "changed", "interrupt": "changed, noticed", "replace": "replaced",
    "delete": "deleted", "retain": "kept, outside of its stack", "orphan": "runs on, without a pipeline",
    "import": "taken back",
}  # fmt: skip

MARKS: dict[Action, str] = {
    "create": "+", "update": "~", "interrupt": "~", "replace": "/", "delete": "-", "retain": "=",
    "orphan": "o", "import": "i",
}  # fmt: skip


class Alike(NamedTuple):
    """Findings of one rule with the same causes: one is told, the others are named."""

    first: Said
    others: tuple[Said, ...]


def money(outlook: Outlook) -> str:
    """What the changes come to in a month, or why that is not known; empty if nothing is billed otherwise."""
    found = outlook.meant.money
    if not outlook.meant.costs or found is None:
        return ""
    if found.unknown:
        return f"a month: unknown, since no price is known here of: {', '.join(found.unknown)}"
    if found.low == found.high:
        return f"a month: {_usd(found.high)}"
    return f"a month: {_usd(found.low)} at least, {_usd(found.high)} at most"


def _usd(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else '-' if amount < 0 else '±'}{abs(amount):.2f} USD"


def alike(found: Iterable[Said]) -> Iterator[Alike]:
    """The findings of one stack, rule and cause together."""
    for _, own in groupby(found, key=_kin):
        first, *others = own
        yield Alike(first, tuple(others))


def _kin(said: Said) -> tuple[object, ...]:
    finding = said.finding
    return (finding.rule, "" if finding.rule == ORPHAN.name else finding.stack, said.causes)


def head(concern: Concern, outlook: Outlook) -> str:
    """What a section is called."""
    if concern == "stops" and not outlook.stops:
        return "The deployment may stop"
    return HEADS[concern]


def others(found: Alike) -> str:
    """What the same is true of, in one line; empty if of nothing."""
    names = [_named(each) for each in found.others]
    if not names:
        return ""
    if len({*names, _named(found.first)}) <= len(names):
        reasons = dict.fromkeys(each.finding.reason for each in found.others)
        return "; ".join(each for each in reasons if each != found.first.finding.reason)
    return f"so too {', '.join(names)}"


def _named(said: Said) -> str:
    finding = said.finding
    return finding.stack if finding.rule == ORPHAN.name else finding.logical_id or finding.stack


def headline(outlook: Outlook) -> str:
    """One line that says most: whether it deploys, and what else has to be known."""
    if outlook.way == "same":
        return "nothing changes"
    if outlook.way == "gone":
        count = len(outlook.order)
        return f"the pipeline has it no longer: its {plural(count, 'stack')} {_runs(count)} on, and cost"
    if outlook.way == "moved" and not outlook.stops:
        return (
            f"is deployed anew as {outlook.prefix}: {plural(len(outlook.order), 'stack')}; "
            f"{plural(len(outlook.left), 'stack')} of before {_runs(len(outlook.left))} on, and cost"
        )
    if outlook.way == "first":
        return f"is deployed for the first time: {plural(len(outlook.order), 'stack')}"
    if outlook.stops:
        at, all_ = outlook.position
        words = f"STOPS at `{outlook.stopped_at}`"
        words += f", stack {at} of {all_}" if at else ", which is to be deleted"
    else:
        words = "may stop" if outlook.of("stops") else "deploys"
    said = {each.concern for each in outlook.said}
    meant = {
        "rights": any(each.right.direction == "wider" for each in outlook.meant.rights),
        "reach": any(each.reach.direction == "wider" for each in outlook.meant.reach),
    }
    more = [text for concern, text in IN_SHORT.items() if concern in said or meant.get(concern)]
    return ", and ".join([words, ", ".join(more)]) if more else words


def counts(changed: Iterable[Changed]) -> str:
    """Such as `1 replaced, 3 changed`."""
    found = [ACTIONS[each.step.action].partition(",")[0] for each in changed]
    return ", ".join(f"{found.count(word)} {word}" for word in dict.fromkeys(found))


def by_stack(outlook: Outlook) -> Iterator[tuple[str, tuple[Changed, ...]]]:
    """The steps of each stack, in the order of deployment."""
    stacks = dict.fromkeys(each.step.stack for each in outlook.changed)
    last = len(outlook.order)
    for name in sorted(stacks, key=lambda each: outlook.order.index(each) if each in outlook.order else last):
        yield name, tuple(each for each in outlook.changed if each.step.stack == name)


def whole(steps: Sequence[Changed]) -> bool:
    """Whether a stack comes or goes as a whole, so that its resources need not be named."""
    return len(steps) > 1 and len({each.step.action for each in steps}) == 1 and steps[0].by == ""


def why(changed: Changed) -> str:
    """What makes it happen: the properties."""
    if changed.step.action == "replace" and changed.by:
        return f"{changed.by} cannot change in place"
    return changed.by


def place(edit: Edit, report: Report) -> str:
    """Where an edit stands: `pipeline.yaml:46`, or where it stood before."""
    where = f"{report.pipeline}:{edit.span.line}"
    return f"{where} of {report.before}" if edit.gone else where


def because(causes: Causes, report: Report) -> list[str]:
    """What something is owed to, a line for each."""
    found = [f"{place(each, report)}  {each.title}" for each in causes.edits]
    if causes.compiler:
        found.append(f"mlopsgen {report.earlier or 'before'} -> {report.version}, without any edit")
    return found


def lines(causes: Causes) -> str:
    """What something is owed to, as short as it can be said: `:46 :52`."""
    found = [f":{each.span.line}{' (gone)' if each.gone else ''}" for each in causes.edits]
    return " ".join(dict.fromkeys([*found, *(["mlopsgen"] if causes.compiler else [])]))


def subject(said: Said) -> str:
    """What a finding speaks of."""
    finding = said.finding
    if finding.rule == ORPHAN.name or not finding.logical_id:
        return finding.stack
    return f"{finding.stack} / {finding.logical_id}"


def ways_out(outlook: Outlook) -> list[str]:
    """The shortest advice, where there is one."""
    found = []
    for group in outlook.ways_out:
        places = " and ".join(dict.fromkeys(f"line {each.span.line}" for each in group))
        names = ", ".join(each.name for each in group)
        found.append(f"without {places} ({names}) nothing stops")
    return found


def granted(report: Report) -> list[str]:
    """What is taken for granted, since nobody asked AWS."""
    found = [
        f"{report.before} is deployed as it is there, nobody changed anything by hand, and no run is "
        "under way"
    ]
    found += dict.fromkeys(each for outlook in report.outlooks for each in outlook.assumptions)
    return found


def plural(count: int, word: str) -> str:
    """Such as `3 stacks`."""
    return f"{count} {word}{'' if count == 1 else 's'}"


def _runs(count: int) -> str:
    return "runs" if count == 1 else "run"


def owner(right: Right) -> str:
    """Whose right it is."""
    return f"{right.stack} / {right.logical_id}"
