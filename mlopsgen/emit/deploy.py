"""`deploy.sh`: the `aws cloudformation deploy` commands in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.model.plan import Phase, Plan, Stack, Task
from mlopsgen.text.templates import render


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`ENVIRONMENT/deploy.sh`, one for each environment."""
    for plan in plans:
        yield Artifact(f"{plan.environment}/deploy.sh", _script(plan), executable=True)


def _script(plan: Plan) -> str:
    tasks = {each.stack: each for each in plan.tasks}
    stacks = [_stack(plan, stack, tasks.get(stack.name)) for stack in plan.stacks]
    return render(
        "deploy.sh.j2",
        plan=plan,
        stacks=stacks,
        images=sorted({stack["image"] for stack in stacks if stack["image"]}),
        last_before_images=last_before_images(plan),
        first_after_images=first_after_images(plan),
    )


def last_before_images(plan: Plan) -> str | None:
    """The last stack that holds no task; None if there is none."""
    names = [stack.name for stack in plan.phase(Phase.BEFORE_IMAGES)]
    return names[-1] if names else None


def first_after_images(plan: Plan) -> str | None:
    """The first stack that waits for images; None if there is none."""
    return next((stack.name for stack in plan.stacks if stack.phase > Phase.BEFORE_IMAGES), None)


def capability(stack: Stack) -> str | None:
    """What CloudFormation wants to hear before it makes roles."""
    if stack.names_iam:
        return "CAPABILITY_NAMED_IAM"
    return "CAPABILITY_IAM" if stack.needs_iam else None


def _stack(plan: Plan, stack: Stack, task: Task | None) -> dict[str, Any]:
    names = {each.name for each in stack.parameters}
    image = task.image if task and "ImageDigest" in names else None
    repository = next((each.repository for each in plan.images if each.name == image), None)
    return {
        "name": stack.name,
        "capability": capability(stack),
        "image": image,
        "repository": repository,
    }
