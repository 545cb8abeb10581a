"""`deploy.sh`: the `aws cloudformation deploy` commands in order."""

from __future__ import annotations

from typing import Any

from mlopsgen.artifacts import Artifact
from mlopsgen.emit.render import render
from mlopsgen.plan import Plan, Stack


def emit(plan: Plan) -> Artifact:
    """`ENVIRONMENT/deploy.sh`."""
    stacks = [_stack(plan, stack) for stack in plan.stacks]
    text = render(
        "deploy.sh.j2",
        plan=plan,
        stacks=stacks,
        images=sorted({stack["image"] for stack in stacks if stack["image"]}),
        versions=sorted(stack["version"] for stack in stacks if stack["version"]),
    )
    return Artifact(f"{plan.environment}/deploy.sh", text, executable=True)


def capability(stack: Stack) -> str | None:
    """What CloudFormation wants to hear before it makes roles."""
    if stack.names_iam:
        return "CAPABILITY_NAMED_IAM"
    return "CAPABILITY_IAM" if stack.needs_iam else None


def _stack(plan: Plan, stack: Stack) -> dict[str, Any]:
    names = {each.name for each in stack.parameters}
    task = next((each for each in plan.tasks if each.stack == stack.name), None)
    image = task.image if task and "ImageDigest" in names else None
    repository = next((each.repository for each in plan.images if each.name == image), None)
    return {
        "name": stack.name,
        "capability": capability(stack),
        "image": image,
        "repository": repository,
        "version": task.name if task and "ModelVersion" in names else None,
    }
