"""The delivery workflow: one for GitHub Actions, with a job for each environment."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from mlopsgen import __version__
from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.aws.partitions import partition, url_suffix
from mlopsgen.emit.deploy import first_after_images, last_before_images
from mlopsgen.model.names import variable
from mlopsgen.model.plan import Command, DeliveryWorkflow, Image, Plan
from mlopsgen.text.templates import render

ACTIONS = {
    "checkout": "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "credentials": "aws-actions/configure-aws-credentials@ec61189d14ec14c8efccab744f656cffd0e33f37 # v6.1.0",
    "qemu": "docker/setup-qemu-action@c7c53464625b32c7a7e944ae62b3e17d2b600130 # v3.7.0",
    "setup_python": "actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0",
}
"""Each action by commit: a tag can be moved to other code."""

RUNNERS = {"linux/amd64": "ubuntu-24.04", "linux/arm64": "ubuntu-24.04-arm"}

# `aws ecs wait services-stable` describes at most ten services (ECS API reference, DescribeServices).
_BATCH = 10


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`ci/deploy.yml`, if any environment is delivered by a workflow."""
    delivered = [(plan, plan.workflow) for plan in plans if plan.workflow]
    if not delivered:
        return
    delivered.sort(key=lambda each: _order(*each))
    jobs: list[dict[str, Any]] = []
    for plan, workflow in delivered:
        before = [f"deploy-{jobs[-1]['environment']}"] if jobs else []
        jobs.append(_job(plan, workflow, ["check", *before], folder))
    text = render(
        "workflow.yml.j2",
        actions=ACTIONS,
        folder=folder,
        branches=sorted({workflow.branch for _, workflow in delivered}),
        jobs=jobs,
        name=plans[0].name,
        needs_account=any(plan.account is None for plan, _ in delivered),
        version=__version__,
    )
    yield Artifact("ci/deploy.yml", text)


def set_up(plan: Plan, workflow: DeliveryWorkflow, folder: str) -> Command:
    """What a person does once so that the workflow can deliver to an environment."""
    environment, repository = plan.environment, workflow.repository
    lines = [
        f"mkdir -p .github/workflows && cp {shlex.quote(folder)}/ci/deploy.yml .github/workflows/deploy.yml",
        f"gh api --method PUT repos/{repository}/environments/{environment}",
    ]
    if not plan.account:
        setting = f"gh variable set AWS_ACCOUNT_ID --repo {repository} --env {environment}"
        lines.append(f'{setting} --body "$(aws sts get-caller-identity --query Account --output text)"')
    return Command("Delivery", f"Let GitHub deliver to {environment}", tuple(lines))


def _order(plan: Plan, workflow: DeliveryWorkflow) -> tuple[int, str]:
    """As the pipeline lists them; by name if it lists none."""
    listed = [name for name, _ in workflow.stages]
    return (listed.index(plan.environment) if plan.environment in listed else 0, plan.environment)


def _job(plan: Plan, workflow: DeliveryWorkflow, needs: list[str], folder: str) -> dict[str, Any]:
    account = plan.account or "${{ vars.AWS_ACCOUNT_ID }}"
    roles = f"arn:{partition(plan.region)}:iam::{account}:role{workflow.role_path}"
    platforms = sorted({image.platform for image in plan.images})
    runner = platforms[0] if len(platforms) == 1 else "linux/amd64"
    services = sorted(task.name for task in plan.tasks if task.kind != "job")
    clusters = sorted({task.cluster for task in plan.tasks if task.kind != "job"})
    return {
        "branch": workflow.branch,
        "cluster": clusters[0] if clusters else "",
        "delivery_role": roles + workflow.role_name,
        "emulated": any(platform != runner for platform in platforms),
        "environment": plan.environment,
        "images": [_image(image, folder) for image in sorted(plan.images, key=lambda each: each.name)],
        "needs": needs,
        "prefix": plan.prefix,
        "region": plan.region,
        "registry": f"{account}.dkr.ecr.{plan.region}.{url_suffix(plan.region)}",
        "repository": workflow.repository,
        "rest": first_after_images(plan),
        "until": last_before_images(plan),
        "runner": RUNNERS[runner],
        "script": f"{folder}/{plan.environment}/deploy.sh",
        "services": [services[at : at + _BATCH] for at in range(0, len(services), _BATCH)],
        "stack_role": roles + workflow.stack_role_name,
    }


def _image(image: Image, folder: str) -> dict[str, str]:
    return {
        "context": image.context,
        "dockerfile": image.dockerfile or f"{folder}/images/{image.name}/Dockerfile",
        "platform": image.platform,
        "repository": image.repository,
        "variable": f"{variable(image.name)}_DIGEST",
    }
