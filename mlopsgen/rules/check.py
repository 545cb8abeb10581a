"""The rules, applied: findings become diagnostics at their places in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mlopsgen.components.patches.spec import PatchSpec
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Severity
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.language.load import Loaded
from mlopsgen.model.plan import Plan
from mlopsgen.model.site import Site
from mlopsgen.rules.registry import (
    BROKEN,
    Fault,
    Planned,
    Scene,
    Template,
    plan_rules,
    spec_rules,
    template_rules,
)
from mlopsgen.source.node import Node, key_place, place


class Broken(Exception):
    """A rule on templates is broken, and no patch did it: a bug of the compiler's."""


def check(environments: Iterable[Loaded], folder: Path | None) -> tuple[Diagnostic, ...]:
    """Everything that the rules on the spec find in any environment, each fault once, sorted by place."""
    environments = tuple(environments)
    sites = tuple(Site(each.pipeline, each.environment) for each in environments)
    found: dict[Diagnostic, None] = {}
    for each, site in zip(environments, sites, strict=True):
        scene = Scene(site, folder, sites)
        for rule in spec_rules():
            for finding in rule(scene):
                found[diagnostic(each.tree, rule.code, rule.severity, finding)] = None
    return tuple(sorted(found, key=lambda each: each.order))


def check_plan(loaded: Loaded, plan: Plan, texts: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """What of a plan, and of the templates that it became, AWS would not take, at what causes it."""
    planned = Planned(Site(loaded.pipeline, loaded.environment), plan, texts)
    return tuple(
        diagnostic(loaded.tree, rule.code, rule.severity, finding)
        for rule in plan_rules()
        for finding in rule(planned)
    )


def check_templates(loaded: Loaded, templates: Mapping[str, Template]) -> tuple[Diagnostic, ...]:
    """What patches broke of the finished templates. Raises `Broken` if something is wrong without a patch."""
    faults = [fault for rule in template_rules() for fault in rule(templates)]
    patches = loaded.pipeline.spec.patches
    if faults and not patches:
        raise Broken("; ".join(f"{each.stack}/{each.resource}: {each.message}" for each in faults))
    return tuple(diagnostic(loaded.tree, BROKEN, "error", each) for each in _patched(faults, patches))


def _patched(faults: Iterable[Fault], patches: Sequence[PatchSpec]) -> Iterator[Finding]:
    """Each fault at the last patch that touched the resource, or else its stack."""
    for fault in faults:
        nearness = [
            (each.stack == fault.stack, each.stack == fault.stack and each.resource == fault.resource, index)
            for index, each in enumerate(patches)
        ]
        index = max(nearness)[2]
        yield Finding(
            ("spec", "patches", index, "value"),
            f"`{fault.resource}` of stack `{fault.stack}`: {fault.message}",
            "mend the patch: without it the resource is sound",
        )


def diagnostic(tree: Node, code: str, severity: Severity, finding: Finding) -> Diagnostic:
    """A finding at its place in the file."""
    where = key_place if finding.key else place
    labels = (
        Label(where(tree, finding.path)),
        *(Label(where(tree, path), text) for path, text in finding.also),
    )
    return Diagnostic(code, severity, finding.message, labels, finding.help)
