"""For a terminal: the verdict first, then what has to be known, then each stack."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from itertools import groupby

from mlopsgen.forecast.forms import words
from mlopsgen.forecast.outlook import CONCERNS, Changed, Concern, Outlook
from mlopsgen.forecast.report import Report

WIDTH = 80
MANY = 4
"""Rights of one role that are told, if not all are asked for."""


def write(report: Report, *, colour: bool = False, verbose: bool = False) -> str:
    """The whole text. `verbose` names each resource, also what only follows, and the sources."""
    blocks = list(_environments(report, colour=colour, verbose=verbose))
    end = [f"note: {each}" for each in report.notes]
    if any(each.way == "changed" for each in report.outlooks):
        end += ["Taken for granted:", *(f"  {each}" for each in words.granted(report))]
    tail = [line for each in end for line in _wrapped(each, "  " if each.startswith("  ") else "")]
    return "\n".join("\n".join(each) for each in [*blocks, tail] if each) + "\n"


def _environments(report: Report, *, colour: bool, verbose: bool) -> Iterator[list[str]]:
    """The environments, of which one that differs from another by its name alone says so."""
    told: dict[str, str] = {}
    for each in report.outlooks:
        block = list(_environment(each, report, colour=colour, verbose=verbose))
        text = " ".join("\n".join(block[1:]).replace(each.prefix, "PREFIX").split()) + words.headline(each)
        if text in told and len(block) > 2:
            block = [f"{_paint(each.environment, '1', colour)}: the same as {told[text]}", ""]
        told.setdefault(text, each.environment)
        yield block


def _environment(outlook: Outlook, report: Report, *, colour: bool, verbose: bool) -> Iterator[str]:
    style = "31" if outlook.stops else "33" if outlook.said or outlook.way == "gone" else "32"
    yield from _wrapped(
        f"{_paint(outlook.environment, '1', colour)}: {_paint(words.headline(outlook), style, colour)}"
    )
    for advice in words.ways_out(outlook):
        yield from _wrapped(advice, "  ")
    if outlook.way in ("gone", "moved"):
        yield from _wrapped(
            f"{', '.join(outlook.left)}: the `deploy.sh --destroy` of {outlook.environment} that "
            f"{report.before} has takes them down",
            "  ",
        )
    if outlook.way == "first" and not verbose:
        yield ""
        return
    for concern in CONCERNS:
        lines = list(_concern(concern, outlook, report, verbose=verbose))
        if lines:
            yield ""
            yield f"  {_paint(words.head(concern, outlook), '1', colour)}"
            yield from lines
    if outlook.meant.costs:
        yield ""
        yield f"  {_paint('What it costs', '1', colour)}"
        for cost in outlook.meant.costs:
            yield from _marked(cost.cost.sentence, words.lines(cost.causes))
        yield from _wrapped(words.money(outlook), "      ")
    if outlook.changed:
        yield ""
        yield f"  {_paint('Each stack, in the order of deployment', '1', colour)}"
    for name, steps in words.by_stack(outlook):
        number = f"{outlook.order.index(name) + 1} " if name in outlook.order else ""
        whole = words.whole(steps) and not verbose
        mark = f"  {words.lines(steps[0].causes)}" if whole else ""
        yield f"  {number}{name}: {words.counts(steps)}{mark}"
        if not whole:
            yield from _steps(steps, verbose=verbose)
    if outlook.not_reached:
        yield from _wrapped(f"not reached: {', '.join(outlook.not_reached)}", "  ", "      ")
    yield ""


def _concern(concern: Concern, outlook: Outlook, report: Report, *, verbose: bool) -> Iterator[str]:
    for each in words.alike(outlook.of(concern)):
        yield from _said(each, report, verbose=verbose)
    if concern == "rights":
        for owner, own in groupby(outlook.meant.rights, key=lambda each: words.owner(each.right)):
            yield f"  {owner}"
            sentences = dict.fromkeys((each.right.sentence, words.lines(each.causes)) for each in own)
            for number, (sentence, mark) in enumerate(sentences):
                if number == MANY and not verbose:
                    yield f"      and {len(sentences) - MANY} more (-v)"
                    break
                yield from _marked(sentence, mark)
    elif concern == "reach":
        for reached in outlook.meant.reach:
            yield from _marked(reached.reach.sentence, words.lines(reached.causes))


def _marked(text: str, mark: str) -> list[str]:
    """A sentence, and at its end what it is owed to."""
    return _wrapped(f"{text}  {mark}", "      ", "          ")


def _said(each: words.Alike, report: Report, *, verbose: bool) -> Iterator[str]:
    finding = each.first.finding
    yield f"  {words.subject(each.first)}  [{finding.rule}]"
    yield from _wrapped(finding.reason, "      ")
    yield from _wrapped(words.others(each), "      ")
    for cause in words.because(each.first.causes, report):
        yield from _wrapped(f"because of {cause}", "      ", "          ")
    if finding.assumption:
        yield from _wrapped(f"if {finding.assumption}", "      ")
    yield from _wrapped(f"instead: {finding.instead}", "      ", "          ")
    if verbose:
        yield from _wrapped(f"source: {finding.source}", "      ", "          ")


def _steps(steps: tuple[Changed, ...], *, verbose: bool) -> Iterator[str]:
    follow = [each for each in steps if each.follows and not verbose and each.step.action == "update"]
    shown = [each for each in steps if each not in follow]
    width = max((len(each.step.logical_id) for each in shown), default=0)
    for each in shown:
        line = f"      {words.MARKS[each.step.action]} {each.step.logical_id:<{width}}  {words.why(each)}"
        mark = words.lines(each.causes)
        room = WIDTH - len(mark) - 2
        if len(line) > room:
            line = line[: room - 1].rstrip() + "…"
        yield f"{line.rstrip()}  {mark}".rstrip()
    if follow:
        yield from _wrapped(
            f"~ follow: {', '.join(each.step.logical_id for each in follow)}", "      ", "        "
        )


def _wrapped(text: str, indent: str = "", further: str | None = None) -> list[str]:
    return textwrap.wrap(
        text.strip(),
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent if further is None else further,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _paint(text: str, style: str, colour: bool) -> str:
    return f"\x1b[{style}m{text}\x1b[0m" if colour else text
