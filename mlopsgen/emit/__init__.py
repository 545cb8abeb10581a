"""One file per kind of output. Emitters read the plan and nothing above it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from mlopsgen.artifacts import Artifact
from mlopsgen.emit import (
    cloudformation,
    deploy,
    dockerfile,
    git_sync,
    locust,
    manifest,
    readme,
    task_definition,
    workflow,
)
from mlopsgen.plan import Plan


def emit(plans: Sequence[Plan], inputs: Mapping[str, str], files: Iterable[str]) -> tuple[Artifact, ...]:
    """Every file that the plans become, sorted by path; the manifest, which lists the others, comes last."""
    artifacts = [*dockerfile.emit(plans), *workflow.emit(plans), *locust.emit(plans), readme.emit(plans)]
    for plan in plans:
        artifacts += [*cloudformation.emit(plan), *task_definition.emit(plan), *git_sync.emit(plan)]
        artifacts.append(deploy.emit(plan))
    artifacts.sort(key=lambda each: each.path)
    return (*artifacts, manifest.emit(plans, artifacts, inputs, files))
