"""For programs: JSON with everything, and findings as SARIF or as annotations of GitHub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.finding import Story
from mlopsgen.diagnostics.machine import to_github, to_sarif
from mlopsgen.forecast.causes import Causes
from mlopsgen.forecast.edits import Edit
from mlopsgen.forecast.forms import words
from mlopsgen.forecast.outlook import Changed, Outlook, Said
from mlopsgen.forecast.report import Report
from mlopsgen.motion.rule import rules

SCHEMA = "mlopsgen.io/forecast/v1"


def json_text(report: Report) -> str:
    """One JSON object. Lines and columns count from 1; amounts of money are US dollars a month, as texts."""
    found = {
        "schema": SCHEMA,
        "version": report.version,
        "pipeline": report.pipeline,
        "before": report.before,
        "beforeVersion": report.earlier,
        "stops": report.stops,
        "edits": [_edit(each) for each in report.edits],
        "environments": [_outlook(each) for each in report.outlooks],
        "takenForGranted": words.granted(report),
        "notes": list(report.notes),
    }
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"


def sarif(report: Report) -> str:
    """SARIF 2.1.0: each finding at the lines that it is owed to."""
    told = {
        each.name: Story(f"{each.name} ({each.kind})", f"Instead: {each.instead}. Source: {each.source}")
        for each in rules()
    }
    told |= {
        "rights": Story("Rights widen", "Somebody may do what they could not do before."),
        "reach": Story("More is reachable", "A way is open that was closed before."),
    }
    return to_sarif(tuple(_diagnostics(report)), told)


def github(report: Report) -> str:
    """Workflow commands that GitHub Actions shows beside the lines."""
    return to_github(tuple(_diagnostics(report)))


def _diagnostics(report: Report) -> Iterator[Diagnostic]:
    """The findings as diagnostics, each once for all environments that have it."""
    together: dict[Diagnostic, list[str]] = {}
    for outlook in report.outlooks:
        for each in _of(outlook):
            together.setdefault(each, []).append(outlook.environment)
    for each, environments in together.items():
        yield Diagnostic(
            each.code,
            each.severity,
            f"{', '.join(environments)}: {each.message}",
            each.labels,
            each.help,
            tuple(environments),
        )


def _of(outlook: Outlook) -> Iterator[Diagnostic]:
    for each in words.alike(outlook.said):
        finding, more = each.first.finding, words.others(each)
        message = f"{words.subject(each.first)}: {finding.reason}{f' ({more})' if more else ''}"
        if finding.assumption:
            message += f", if {finding.assumption}"
        severity: Any = "error" if finding.stops else "warning"
        yield Diagnostic(finding.rule, severity, message, _labels(each.first.causes), finding.instead)
    for righted in outlook.meant.rights:
        if righted.right.direction == "wider":
            message = f"{words.owner(righted.right)} {righted.right.sentence}"
            yield Diagnostic("rights", "warning", message, _labels(righted.causes))
    for reached in outlook.meant.reach:
        if reached.reach.direction == "wider":
            yield Diagnostic("reach", "warning", reached.reach.sentence, _labels(reached.causes))


def _labels(causes: Causes) -> tuple[Label, ...]:
    return tuple(Label(each.shown, each.title) for each in causes.edits)


def _outlook(outlook: Outlook) -> dict[str, Any]:
    money = outlook.meant.money
    return {
        "environment": outlook.environment,
        "way": outlook.way,
        "headline": words.headline(outlook),
        "stops": outlook.stops,
        "stoppedAt": outlook.stopped_at,
        "stacks": list(outlook.order),
        "notReached": list(outlook.not_reached),
        "advice": words.ways_out(outlook),
        "findings": [_said(each) for each in outlook.said],
        "rights": [
            {
                **each.right._asdict(),
                "actions": list(each.right.actions),
                "sentence": each.right.sentence,
                "causes": _causes(each.causes),
            }
            for each in outlook.meant.rights
        ],
        "reach": [
            {
                **each.reach.way._asdict(),
                "direction": each.reach.direction,
                "sentence": each.reach.sentence,
                "causes": _causes(each.causes),
            }
            for each in outlook.meant.reach
        ],
        "cost": {
            "units": [
                {
                    "unit": each.cost.unit.name,
                    "before": each.cost.before._asdict(),
                    "after": each.cost.after._asdict(),
                    "sentence": each.cost.sentence,
                    "causes": _causes(each.causes),
                }
                for each in outlook.meant.costs
            ],
            "atLeast": None if money is None or money.unknown else str(money.low),
            "atMost": None if money is None or money.unknown else str(money.high),
            "unknown": list(money.unknown) if money else [],
        },
        "resources": [_changed(each) for each in outlook.changed],
    }


def _said(said: Said) -> dict[str, Any]:
    finding = said.finding
    return {
        "concern": said.concern,
        "rule": finding.rule,
        "stack": finding.stack,
        "logicalId": finding.logical_id or None,
        "type": finding.type,
        "property": finding.change.path if finding.change else None,
        "reason": finding.reason,
        "instead": finding.instead,
        "assumption": finding.assumption,
        "source": finding.source,
        "causes": _causes(said.causes),
    }


def _changed(changed: Changed) -> dict[str, Any]:
    step = changed.step
    return {
        "stack": step.stack,
        "logicalId": step.logical_id,
        "type": step.type,
        "action": step.action,
        "follows": changed.follows,
        "properties": [each.path for each in step.changes],
        "causes": _causes(changed.causes),
    }


def _causes(causes: Causes) -> list[str]:
    return [each.name for each in causes.edits] + (["mlopsgen"] if causes.compiler else [])


def _edit(edit: Edit) -> dict[str, Any]:
    return {
        "path": edit.name,
        "title": edit.title,
        "line": edit.span.line,
        "column": edit.span.column,
        "gone": edit.gone,
        "environment": edit.environment,
    }
