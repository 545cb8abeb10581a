"""For a browser, a printer or a ticket: one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlopsgen.forecast.forms import words
from mlopsgen.forecast.outlook import CONCERNS, Concern, Outlook
from mlopsgen.forecast.report import Report
from mlopsgen.text.templates import render


def write(report: Report) -> str:
    """The page."""
    return render(
        "diff.html.j2",
        pipeline=report.pipeline,
        before=report.before,
        version=report.version,
        edits=[f"{words.place(each, report)}  {each.title}" for each in report.edits],
        outlooks=[_outlook(each, report) for each in report.outlooks],
        granted=[*words.granted(report), *report.notes],
    )


def _outlook(outlook: Outlook, report: Report) -> dict[str, Any]:
    warned = outlook.said or outlook.way == "gone"
    parts = [(concern, list(_items(concern, outlook, report))) for concern in CONCERNS]
    costs = [f"{each.cost.sentence} ({words.lines(each.causes)})" for each in outlook.meant.costs]
    return {
        "environment": outlook.environment,
        "headline": words.headline(outlook),
        "mood": "stops" if outlook.stops else "warns" if warned else "deploys",
        "advice": words.ways_out(outlook),
        # jinja2 would take `items` for the method of a dict.
        "parts": [_Part(words.head(concern, outlook), found) for concern, found in parts if found],
        "costs": [*costs, *filter(None, [words.money(outlook)])],
        "counts": words.counts(outlook.changed),
        "resources": [
            {
                "stack": each.step.stack,
                "logical_id": each.step.logical_id,
                "verdict": _verdict(words.ACTIONS[each.step.action], words.why(each), follows=each.follows),
                "lines": words.lines(each.causes),
            }
            for each in outlook.changed
        ],
        "not_reached": ", ".join(outlook.not_reached),
    }


class _Part:
    """A section of one environment."""

    def __init__(self, head: str, items: list[dict[str, Any]]) -> None:
        self.head, self.items = head, items


def _verdict(action: str, why: str, *, follows: bool) -> str:
    return action + (", follows" if follows else "") + (f" ({why})" if why else "")


def _items(concern: Concern, outlook: Outlook, report: Report) -> Iterator[dict[str, Any]]:
    for each in words.alike(outlook.of(concern)):
        finding = each.first.finding
        condition = f", if {finding.assumption}" if finding.assumption else ""
        yield {
            "subject": words.subject(each.first),
            "rule": finding.rule,
            "text": finding.reason + condition,
            "more": words.others(each),
            "causes": words.because(each.first.causes, report),
            "instead": finding.instead,
            "source": finding.source,
        }
    plain = {"rule": "", "more": "", "instead": "", "source": ""}
    if concern == "rights":
        for righted in outlook.meant.rights:
            subject, text = words.owner(righted.right), righted.right.sentence
            causes = words.because(righted.causes, report)
            yield {**plain, "subject": subject, "text": text, "causes": causes}
    elif concern == "reach":
        for reached in outlook.meant.reach:
            causes = words.because(reached.causes, report)
            yield {**plain, "subject": "", "text": reached.reach.sentence, "causes": causes}
