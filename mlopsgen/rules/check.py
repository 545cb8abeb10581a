"""The rules, applied: findings become diagnostics at their places in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from mlopsgen.components.patches.spec import PatchSpec
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Severity
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.document import Template
from mlopsgen.language.load import Loaded
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.model.plan import Plan
from mlopsgen.model.site import Site
from mlopsgen.rules.registry import (
    BROKEN,
    Planned,
    Scene,
    TemplateFault,
    plan_rules,
    spec_rules,
    template_rules,
)
from mlopsgen.source.node import Node, key_place, named, place

Environment: TypeAlias = Loaded[Pipeline]


class Broken(Exception):
    """A rule on templates is broken, and no patch did it: a bug of the compiler's."""


def site_of(environment: Environment) -> Site:
    """What lowering and rules see of an environment."""
    absent = frozenset(each.path for each in environment.absent)
    return Site(environment.pipeline, environment.environment, absent)


def check(environments: Sequence[Environment], folder: Path | None) -> dict[str, tuple[Diagnostic, ...]]:
    """What the rules on the spec find in each environment."""
    sites = tuple(site_of(each) for each in environments)
    found: dict[str, tuple[Diagnostic, ...]] = {}
    for each, site in zip(environments, sites, strict=True):
        scene = Scene(site, folder, sites, each.absent, each.taken)
        found[each.environment] = tuple(
            diagnostic(each.tree, rule.code, rule.severity, finding)
            for rule in spec_rules()
            for finding in rule(scene)
        )
    return found


def check_plan(environment: Environment, plan: Plan, texts: Mapping[str, str]) -> tuple[Diagnostic, ...]:
    """What of a plan, and of the templates that it became, AWS would not take, at what causes it."""
    planned = Planned(site_of(environment), plan, texts)
    return tuple(
        diagnostic(environment.tree, rule.code, rule.severity, finding)
        for rule in plan_rules()
        for finding in rule(planned)
    )


def check_templates(templates: Mapping[str, Template]) -> None:
    """Raises `Broken` if a rule on templates finds something in what lowering made."""
    if faults := tuple(_faults(templates)):
        raise Broken("; ".join(f"{each.stack}/{each.resource}: {each.message}" for each in faults))


def check_patched(
    environment: Environment, plans: tuple[Plan, Plan], templates: Mapping[str, Template]
) -> tuple[Diagnostic, ...]:
    """What patches broke of the finished templates, each fault at the patch that did it.

    `plans` are the plan without and with the patches. What a rule on templates says of a patch comes before
    what the schema would say of it.
    """
    # Only who patches waits for what the schemas and IAM say.
    from mlopsgen.components.patches.check import examine

    patches = environment.pipeline.spec.patches
    broken = tuple(_patched(_faults(templates), patches))
    told = {each.path[2] for each in broken}
    return (
        *(diagnostic(environment.tree, BROKEN, "error", each) for each in broken),
        *(
            diagnostic(environment.tree, code, "error" if code.startswith("E") else "warning", finding)
            for code, name, finding in examine(*plans, patches)
            if name not in told
        ),
    )


def _faults(templates: Mapping[str, Template]) -> Iterator[TemplateFault]:
    for rule in template_rules():
        yield from rule(templates)


def _patched(faults: Iterable[TemplateFault], patches: Sequence[PatchSpec]) -> Iterator[Finding]:
    """Each fault at the last patch that touched the resource, or else its stack."""
    for fault in faults:
        nearness = [
            (each.stack == fault.stack, each.stack == fault.stack and each.resource == fault.resource, index)
            for index, each in enumerate(patches)
        ]
        name = patches[max(nearness)[2]].name
        yield Finding(
            ("spec", "patches", name, "value"),
            f"`{fault.resource}` of stack `{fault.stack}`: {fault.message}",
            "mend the patch: without it the resource is sound",
        )


def diagnostic(tree: Node, code: str, severity: Severity, finding: Finding) -> Diagnostic:
    """A finding at its place in the file."""
    where = key_place if finding.key else place
    labels = (
        Label(where(tree, finding.path)),
        *(Label(where(tree, path), text) for path, text in finding.also),
        *(Label(span, text) for span, text in finding.elsewhere),
    )
    return Diagnostic(code, severity, finding.message, labels, finding.help, path=named(tree, finding.path))
