"""The phases, in order: text → nodes → one pipeline per environment → plans → artifacts."""

from __future__ import annotations

from typing import NamedTuple

import mlopsgen.lean  # noqa: F401 - has its effect on what is imported below

# isort: split
from pathlib import Path

from mlopsgen.artifacts import Artifact
from mlopsgen.checks import check, diagnostic
from mlopsgen.checks.templates import check_patches, check_plans
from mlopsgen.diagnostics.diagnostic import Diagnostic, Rejected, errors
from mlopsgen.emit import emit
from mlopsgen.load import Loaded, environments, load_all
from mlopsgen.lower import lower
from mlopsgen.manifest import digest
from mlopsgen.patches import patch
from mlopsgen.plan import Plan
from mlopsgen.source.parse import parse
from mlopsgen.source.read import read


class Compiled(NamedTuple):
    """What one pipeline became, and what is worth a warning."""

    artifacts: tuple[Artifact, ...]
    environments: tuple[str, ...]
    warnings: tuple[Diagnostic, ...]


def compile_file(path: Path, name: str) -> Compiled:
    """Compile the pipeline in `path`, called `name` in messages. Raises `Rejected` with everything wrong."""
    text = read(path, name)
    return compile_pipeline(text, name, path.parent)


def compile_pipeline(text: str, name: str, folder: Path | None = None) -> Compiled:
    """Compile one pipeline, or raise `Rejected` with everything that is wrong.

    Build contexts are looked for below `folder`; without it they are taken on trust.
    """
    checked, warnings = examine(text, name, folder)
    plans = tuple(plan_of(each) for each in checked)
    artifacts = emit(plans, {Path(name).name: digest(text.encode())}, files(plans))
    settle(check_plans(plans, checked, artifacts))
    return Compiled(artifacts, tuple(each.environment for each in checked), warnings)


def plan_of(checked: Loaded) -> Plan:
    """One environment's plan, with its patches. Raises `Rejected` where a patch has nothing to change."""
    plan, findings = patch(lower(checked.pipeline, checked.environment), checked.pipeline.spec.patches)
    settle(tuple(diagnostic(checked.tree, code, "error", finding) for code, finding in findings))
    settle(check_patches(plan, checked))
    return plan


def examine(text: str, name: str, folder: Path | None) -> tuple[tuple[Loaded, ...], tuple[Diagnostic, ...]]:
    """Every environment, checked, and the warnings. Raises `Rejected`."""
    trees = environments(parse(text, name))
    pipelines = load_all(trees)
    checked = tuple(Loaded(each, tree, pipelines[each]) for each, tree in sorted(trees.items()))
    return checked, settle(check(checked, folder))


def settle(diagnostics: tuple[Diagnostic, ...]) -> tuple[Diagnostic, ...]:
    """The warnings, if nothing else was found; else raises `Rejected` with all of it."""
    if errors(diagnostics):
        raise Rejected(diagnostics)
    return diagnostics


def files(plans: tuple[Plan, ...]) -> tuple[str, ...]:
    """What has to be there, from the pipeline's folder, for the plans to hold."""
    return tuple(
        f"{image.context}/{image.dockerfile or image.requirements}" for plan in plans for image in plan.images
    )
