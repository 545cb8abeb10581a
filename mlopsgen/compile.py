"""The phases, in order: text → nodes → one pipeline per environment → plans → artifacts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.components.patches.apply import patch
from mlopsgen.diagnostics.diagnostic import Diagnostic, Rejected, errors
from mlopsgen.document import Template
from mlopsgen.emit import emit
from mlopsgen.emit.cloudformation import template, write
from mlopsgen.language.environments import document, told
from mlopsgen.language.load import load
from mlopsgen.lower import lower
from mlopsgen.manifest import digest
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.model.plan import Plan
from mlopsgen.rules.check import (
    check,
    check_patched,
    check_plan,
    check_templates,
    diagnostic,
    site_of,
)
from mlopsgen.source.node import Node
from mlopsgen.source.parse import parse
from mlopsgen.source.read import read


class Compilation(NamedTuple):
    """What one environment of a pipeline became: where every command starts from."""

    environment: str
    tree: Node
    """The merged document, every value with its place."""
    pipeline: Pipeline
    plan: Plan
    templates: Mapping[str, str]
    """The text of each template, by the name of its stack."""
    findings: tuple[Diagnostic, ...]
    """The warnings; whoever has a compilation has no errors."""


class Compiled(NamedTuple):
    """All environments of a pipeline, and the files that they become."""

    compilations: tuple[Compilation, ...]
    artifacts: tuple[Artifact, ...]

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments."""
        return tuple(each.environment for each in self.compilations)

    @property
    def findings(self) -> tuple[Diagnostic, ...]:
        """What is worth a warning in any environment, each once, sorted by place."""
        found = dict.fromkeys(finding for each in self.compilations for finding in each.findings)
        return tuple(sorted(found, key=lambda each: each.order))


def compile_file(path: Path, name: str, output: str = OUTPUT) -> Compiled:
    """Compile the pipeline in `path`, called `name` in messages. Raises `Rejected` with everything wrong.

    `output` is the output folder as files name it that are read beside the pipeline.
    """
    text = read(path, name)
    compilations = compile_pipeline(text, name, path.parent)
    inputs = {Path(name).name: digest(text.encode())}
    return Compiled(compilations, artifacts(compilations, inputs, output))


def compile_pipeline(text: str, name: str, folder: Path | None = None) -> tuple[Compilation, ...]:
    """Compile one pipeline, or raise `Rejected` with everything that is wrong in the first failing phase.

    Build contexts are looked for below `folder`; without it they are taken on trust.
    """
    return compile_document(parse(text, name), folder)


def compile_document(root: Node, folder: Path | None = None) -> tuple[Compilation, ...]:
    """Compile the pipeline that a document says. Raises `Rejected`, as `compile_pipeline` does."""
    loaded = load(root, Pipeline)
    found = {each.environment: () for each in loaded} | check(loaded, folder)
    settle(root, found)
    lowered: dict[str, Plan] = {}
    plans: dict[str, Plan] = {}
    templates: dict[str, dict[str, Template]] = {}
    for each in loaded:
        plan = lowered[each.environment] = lower(site_of(each))
        templates[each.environment] = _templates(plan)
        check_templates(templates[each.environment])
        plans[each.environment], findings = patch(plan, each.pipeline.spec.patches)
        missed = tuple(diagnostic(each.tree, code, "error", finding) for code, finding in findings)
        found[each.environment] += missed
    settle(root, found)
    for each in loaded:
        if each.pipeline.spec.patches:
            templates[each.environment] = _templates(plans[each.environment])
            both = lowered[each.environment], plans[each.environment]
            found[each.environment] += check_patched(each, both, templates[each.environment])
    settle(root, found)
    texts = {
        environment: {name: write(each) for name, each in own.items()}
        for environment, own in templates.items()
    }
    for each in loaded:
        found[each.environment] += check_plan(each, plans[each.environment], texts[each.environment])
    warnings = settle(root, found)
    return tuple(
        Compilation(
            each.environment,
            each.tree,
            each.pipeline,
            plans[each.environment],
            texts[each.environment],
            warnings[each.environment],
        )
        for each in loaded
    )


def _templates(plan: Plan) -> dict[str, Template]:
    return {stack.name: template(stack) for stack in plan.stacks}


def settle(root: Node, found: dict[str, tuple[Diagnostic, ...]]) -> dict[str, tuple[Diagnostic, ...]]:
    """What was found in each environment, as it is told. Raises `Rejected` with all if one is an error."""
    words = told(found, document(root).parts)
    if errors(words.values()):
        raise Rejected(words.values())
    return {name: tuple(dict.fromkeys(words[each] for each in own)) for name, own in found.items()}


def artifacts(
    compilations: Iterable[Compilation], inputs: dict[str, str], output: str = OUTPUT
) -> tuple[Artifact, ...]:
    """Every file that the compilations become. `inputs` gives the SHA-256 of each file that was read."""
    compilations = tuple(compilations)
    plans = tuple(each.plan for each in compilations)
    return emit(plans, tuple(each.templates for each in compilations), inputs, files(plans), output)


def files(plans: Iterable[Plan]) -> tuple[str, ...]:
    """What has to be there, from the pipeline's folder, for the plans to hold."""
    return tuple(
        image.dockerfile or f"{image.context}/{image.requirements}" for plan in plans for image in plan.images
    )
