"""For a pull request: one line for each environment, a table, and the rest folded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from mlopsgen.forecast.causes import Causes
from mlopsgen.forecast.forms import words
from mlopsgen.forecast.outlook import CONCERNS, Concern, Outlook
from mlopsgen.forecast.report import Report

LONGEST = 65_000
"""Characters: a comment on GitHub takes 65,536 (GitHub REST API, "Create an issue comment")."""

MARKER = "<!-- mlopsgen diff: {name} -->"
"""By which a workflow finds the comment on this pipeline that it wrote before."""

_SIGNS: dict[Concern, str] = {
    "stops": "🛑", "outage": "🔴", "data": "🔴",
    "rights": "🟠", "reach": "🟠", "orphan": "🟡", "silent": "🟡",
}  # fmt: skip


def write(report: Report) -> str:
    """The comment. What does not fit is left out, and that is said."""
    marker = MARKER.format(name=report.name)
    head = [
        marker,
        f"### What this merge does to {_code(report.name)}",
        "",
        *_lines(report),
        "",
        *_table(report),
    ]
    why = list(_why(report))
    blocks = ["\n".join(head), "\n".join(why)] if why else ["\n".join(head)]
    blocks += [_resources(each, report) for each in report.outlooks if each.changed and each.way == "changed"]
    blocks.append(_granted(report))
    blocks.append(_foot(report))
    text, left = "", []
    for number, block in enumerate(blocks):
        room = LONGEST - len("\n\n".join(blocks[-1:])) - 400
        if text and len(text) + len(block) > room and number < len(blocks) - 1:
            left.append(block)
            continue
        text += ("\n\n" if text else "") + block
    if left:
        text += "\n\nToo long for a comment: `mlopsgen diff` shows the rest."
    return text + "\n"


def _lines(report: Report) -> Iterator[str]:
    for outlook in report.outlooks:
        sign = "🛑" if outlook.stops else "🟠" if outlook.said or outlook.way == "gone" else "🟢"
        advice = "".join(f"; {each}" for each in words.ways_out(outlook))
        yield f"{sign} `{outlook.environment}`: {_escaped(words.headline(outlook) + advice)}  "


def _table(report: Report) -> Iterator[str]:
    shown = [each for each in report.outlooks if each.way == "changed"]
    if not shown:
        return
    yield f"| | {' | '.join(_code(each.environment) for each in shown)} |"
    yield f"|---|{'---|' * len(shown)}"
    for concern in CONCERNS:
        cells = [_cell(concern, each) for each in shown]
        if any(cell != "no" for cell in cells):
            yield f"| {words.HEADS[concern].lower()} | {' | '.join(cells)} |"
    costs = [
        _escaped("; ".join(each.cost.sentence for each in one.meant.costs)) or "the same" for one in shown
    ]
    yield f"| costs | {' | '.join(costs)} |"
    if any(words.money(each) for each in shown):
        yield f"| | {' | '.join(_escaped(words.money(each)) for each in shown)} |"
    yield f"| resources | {' | '.join(words.counts(each.changed) or 'no' for each in shown)} |"


def _cell(concern: Concern, outlook: Outlook) -> str:
    if concern == "rights":
        found = [each.right.direction for each in outlook.meant.rights]
    elif concern == "reach":
        found = [each.reach.direction for each in outlook.meant.reach]
    else:
        count = len(outlook.of(concern))
        if concern == "stops":
            return (
                f"{_SIGNS[concern]} at `{outlook.stopped_at}`" if outlook.stops else "may" if count else "no"
            )
        return f"{_SIGNS[concern]} {count}" if count else "no"
    wider, narrower = found.count("wider"), found.count("narrower")
    parts = [f"{_SIGNS[concern]} {wider} wider"] * bool(wider) + [f"{narrower} narrower"] * bool(narrower)
    return ", ".join(parts) or "no"


def _why(report: Report) -> Iterator[str]:
    """Each finding once, with the environments that have it."""
    told: dict[str, list[str]] = {}
    for outlook in report.outlooks:
        for text in _findings(outlook, report):
            told.setdefault(text, []).append(outlook.environment)
    for text, environments in told.items():
        all_ = len(environments) == len(report.outlooks) > 1
        yield text if all_ else f"{text[:2]}{', '.join(map(_code, environments))}: {text[2:]}"


def _findings(outlook: Outlook, report: Report) -> Iterator[str]:
    for concern in CONCERNS:
        for each in words.alike(outlook.of(concern)):
            finding = each.first.finding
            more = words.others(each)
            text = (
                f"- **{_escaped(words.subject(each.first))}** (`{finding.rule}`): {_escaped(finding.reason)}"
            )
            text += f" ({_escaped(more)})" if more else ""
            text += f", if {_escaped(finding.assumption)}" if finding.assumption else ""
            text += f"  \n  {_because(each.first.causes, report)}"
            yield text + f"  \n  Instead: {_escaped(finding.instead)}"
        if concern == "rights":
            for owner, own in groupby(outlook.meant.rights, key=lambda each: words.owner(each.right)):
                for righted in own:
                    yield (
                        f"- **{_escaped(owner)}** {_escaped(righted.right.sentence)}  \n"
                        f"  {_because(righted.causes, report)}"
                    )
        elif concern == "reach":
            for reached in outlook.meant.reach:
                yield f"- {_escaped(reached.reach.sentence)}  \n  {_because(reached.causes, report)}"


def _because(causes: Causes, report: Report) -> str:
    found = [f"`{words.place(each, report)}` {_escaped(each.title)}" for each in causes.edits]
    if causes.compiler:
        found.append(f"mlopsgen {report.earlier or 'before'} -> {report.version}")
    return f"because of {'; '.join(found)}" if found else "without an edit of the pipeline"


def _resources(outlook: Outlook, report: Report) -> str:
    lines = [
        f"<details><summary>{_escaped(outlook.environment)}: "
        f"{words.plural(len(outlook.changed), 'resource')}</summary>",
        "",
        "| stack | resource | | because of |",
        "|---|---|---|---|",
    ]
    for name, steps in words.by_stack(outlook):
        for each in steps:
            verdict = words.ACTIONS[each.step.action] + (", follows" if each.follows else "")
            why = words.why(each)
            lines.append(
                f"| {_escaped(name)} | {_escaped(each.step.logical_id)} | "
                f"{verdict}{f' ({_escaped(why)})' if why else ''} | {_escaped(words.lines(each.causes))} |"
            )
    return "\n".join([*lines, "", "</details>"])


def _granted(report: Report) -> str:
    lines = ["<details><summary>Taken for granted</summary>", ""]
    lines += [f"- {_escaped(each)}" for each in (*words.granted(report), *report.notes)]
    return "\n".join([*lines, "", "</details>"])


def _foot(report: Report) -> str:
    return f"<sub>mlopsgen {report.version}, compared with {_escaped(report.before)}</sub>"


def _code(text: str) -> str:
    return f"`{text}`"


def _escaped(text: str) -> str:
    """The text as plain words: nothing in it is Markdown, HTML, a mention or the end of a cell."""
    text = re.sub(r"[\\`*_{}\[\]<>#|~]", lambda found: f"\\{found[0]}", text.replace("\n", " "))
    return text.replace("\\<", "&lt;").replace("\\>", "&gt;").replace("@", "&#64;")
