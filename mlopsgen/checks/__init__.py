"""Rules between components and AWS's limits; presence of a module here is registration of its rules."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mlopsgen.checks.rule import RULES, Finding, Scene
from mlopsgen.components.base import Site
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Severity
from mlopsgen.discovery import modules
from mlopsgen.load import Loaded
from mlopsgen.source.node import Node, key_place, place

_PLAN_LEVEL = ("rule", "structure", "templates")

for _ in modules(__name__, __path__[0], _PLAN_LEVEL):
    # To be imported is to have registered its rules.
    pass


def check(environments: Iterable[Loaded], folder: Path | None) -> tuple[Diagnostic, ...]:
    """Everything that the rules find in any environment, each fault once."""
    found: dict[Diagnostic, None] = {}
    environments = tuple(environments)
    sites = tuple(Site(each.pipeline, each.environment) for each in environments)
    for each, site in zip(environments, sites, strict=True):
        scene = Scene(site, folder, sites)
        for code, severity, rule in RULES:
            for finding in rule(scene):
                found[diagnostic(each.tree, code, severity, finding)] = None
    return tuple(sorted(found, key=lambda each: each.order))


def diagnostic(tree: Node, code: str, severity: Severity, finding: Finding) -> Diagnostic:
    """A finding at its place in the file."""
    where = key_place if finding.key else place
    labels = (
        Label(where(tree, finding.path)),
        *(Label(where(tree, path), text) for path, text in finding.also),
    )
    return Diagnostic(code, severity, finding.message, labels, finding.help)
