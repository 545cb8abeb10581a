"""Deployment files for CloudFormation's Git sync, for teams that deploy by merging."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.document import Document
from mlopsgen.model.plan import Plan
from mlopsgen.text import yaml


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`ENVIRONMENT/deployments/STACK.yaml`, with the keys of the CloudFormation user guide.

    Stacks that take an image's digest or a rule's weights have none: they are not in Git, and Git sync passes
    only what is.
    """
    for plan in plans:
        yield from _files(plan, folder)


def _files(plan: Plan, folder: str) -> Iterator[Artifact]:
    for stack in plan.stacks:
        if any(parameter.default is None for parameter in stack.parameters):
            continue
        document: dict[str, Document] = {
            # From the root of the repository, as Git sync reads it.
            "template-file-path": f"{folder}/{plan.environment}/stacks/{stack.name}.yaml",
            "parameters": {},
            "tags": dict(plan.tags),
        }
        text = "# Compiled by mlopsgen. Edit the pipeline, not this file.\n" + yaml.dump(document)
        yield Artifact(f"{plan.environment}/deployments/{stack.name}.yaml", text)
