"""The delivery workflow: one for GitHub Actions, with a job for each environment."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.aws.partitions import partition, url_suffix
from mlopsgen.emit.deploy import first_after_images, first_models, last_before_images
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

# GitHub shows as a notice what a line that begins so says (GitHub Docs, "Workflow commands").
_NOTICE = " --without-models 2> >(sed -u '/ waits for a first version of /s/^deploy.sh: /::notice::/' >&2)"


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`ci/deploy.yml`, if any environment is delivered by a workflow."""
    delivered = [(plan, plan.workflow) for plan in plans if plan.workflow]
    if not delivered:
        return
    delivered.sort(key=lambda each: _order(*each))
    jobs: list[dict[str, Any]] = []
    for at, (plan, workflow) in enumerate(delivered):
        earlier = [each for each, _ in delivered[:at]]
        jobs.append(_job(plan, workflow, earlier, folder))
    first = delivered[0][1]
    file = workflow_file(plans[0], first)
    text = render(
        "workflow.yml.j2",
        actions=ACTIONS,
        compiler=_compiler(first),
        file=file,
        paths=[f"{first.folder}/**", file],
        working_directory=first.folder,
        folder=folder,
        builds=any(job["built"] for job in jobs),
        branches=sorted({workflow.branch for _, workflow in delivered}),
        jobs=jobs,
        name=plans[0].name,
        needs_account=any(plan.account is None for plan, _ in delivered),
    )
    yield Artifact("ci/deploy.yml", text)


def workflow_file(plan: Plan, workflow: DeliveryWorkflow) -> str:
    """Where the workflow goes in the repository: beside those of other pipelines, where there may be some."""
    return f".github/workflows/deploy{f'-{plan.name}' if workflow.folder else ''}.yml"


def _compiler(workflow: DeliveryWorkflow) -> list[str]:
    """What installs the compiler: a list of digests for all of it, or its own file alone by its digest."""
    if workflow.lock:
        return [
            "python -m pip install --require-hashes --only-binary :all: \\",
            f"  --requirement {shlex.quote(workflow.lock)}",
        ]
    if workflow.requirement:
        return [
            f"printf '%s\\n' {shlex.quote(workflow.requirement)} >\"$RUNNER_TEMP/compiler.txt\"",
            "python -m pip download --no-deps --require-hashes \\",
            '  --requirement "$RUNNER_TEMP/compiler.txt" --dest "$RUNNER_TEMP/compiler"',
            'python -m pip install "$RUNNER_TEMP"/compiler/*',
        ]
    if workflow.archive:
        url, sha256 = workflow.archive
        name = url.rpartition("/")[2]
        return [
            'mkdir "$RUNNER_TEMP/compiler" && cd "$RUNNER_TEMP/compiler"',
            f"curl --fail --silent --show-error --location --output {name} {shlex.quote(url)}",
            f"echo '{sha256}  {name}' | sha256sum --check",
            f"python -m pip install ./{name}",
        ]
    return []


def set_up(plan: Plan, workflow: DeliveryWorkflow, folder: str) -> Command:
    """What a person does once so that the workflow can deliver to an environment."""
    environment, repository = plan.environment, workflow.repository
    file = workflow_file(plan, workflow)
    # The pipeline's folder is as many steps below the repository's.
    top = "../" * len([each for each in workflow.folder.split("/") if each])
    put = f"gh api --method PUT repos/{repository}/environments/{environment}"
    if dict(workflow.stages).get(environment):
        # The first who must agree; others are added in the environment's settings.
        put += """ -F 'reviewers[][type]=User' -F "reviewers[][id]=$(gh api user --jq .id)\""""
    lines = [f"mkdir -p {top}.github/workflows && cp {shlex.quote(folder)}/ci/deploy.yml {top}{file}", put]
    if not plan.account:
        setting = f"gh variable set AWS_ACCOUNT_ID --repo {repository} --env {environment}"
        lines.append(f'{setting} --body "$(aws sts get-caller-identity --query Account --output text)"')
    return Command("Delivery", f"Let GitHub deliver to {environment}", tuple(lines))


def _order(plan: Plan, workflow: DeliveryWorkflow) -> tuple[int, str]:
    """As the pipeline lists them; by name if it lists none."""
    listed = [name for name, _ in workflow.stages]
    return (listed.index(plan.environment) if plan.environment in listed else 0, plan.environment)


def _job(plan: Plan, workflow: DeliveryWorkflow, earlier: Sequence[Plan], folder: str) -> dict[str, Any]:
    account = plan.account or "${{ vars.AWS_ACCOUNT_ID }}"
    roles = f"arn:{partition(plan.region)}:iam::{account}:role{workflow.role_path}"
    platforms = sorted({image.platform for image in plan.images})
    runner = platforms[0] if len(platforms) == 1 else "linux/amd64"
    images = sorted(plan.images, key=lambda each: each.name)
    found = {each.name: _source(each, plan, earlier) for each in images}
    built = [_image(each, folder) for each in images if not found[each.name]]
    copied = [{**_image(each, folder), **source} for each in images if (source := found[each.name])]
    needs = ["check", *dict.fromkeys([each["job"] for each in copied])]
    if earlier:
        needs.append(f"deploy-{earlier[-1].environment}")
    return {
        "approval": dict(workflow.stages).get(plan.environment, False),
        "branch": workflow.branch,
        "built": built,
        "copied": copied,
        "delivery_role": roles + workflow.role_name,
        "emulated": any(each["platform"] != runner for each in built),
        "environment": plan.environment,
        "images": images,
        "minutes": workflow.minutes,
        "models": (" --train" if workflow.trains else _NOTICE) if first_models(plan) else "",
        "needs": list(dict.fromkeys(needs)),
        "prefix": plan.prefix,
        "region": plan.region,
        "registry": f"{account}.dkr.ecr.{plan.region}.{url_suffix(plan.region)}",
        "repository": workflow.repository,
        "rest": first_after_images(plan),
        "until": last_before_images(plan),
        "runner": RUNNERS[runner],
        "script": f"{folder}/{plan.environment}/deploy.sh",
        "session": workflow.session,
        "stack_role": roles + workflow.stack_role_name,
    }


def _source(image: Image, plan: Plan, earlier: Sequence[Plan]) -> dict[str, str] | None:
    """The last stage before that has the image in the same registry: an account has one in each region."""
    for other in reversed(earlier):
        if (other.account, other.region) != (plan.account, plan.region):
            continue
        for each in other.images:
            if (each.name, each.platform) == (image.name, image.platform):
                job = f"deploy-{other.environment}"
                digest = f"${{{{ needs.{job}.outputs.{variable(image.name)}_DIGEST }}}}"
                return {"digest": digest, "job": job, "source": each.repository}
    return None


def _image(image: Image, folder: str) -> dict[str, str]:
    return {
        "name": image.name,
        "context": image.context,
        "dockerfile": image.dockerfile or f"{folder}/images/{image.name}/Dockerfile",
        "platform": image.platform,
        "repository": image.repository,
        "variable": f"{variable(image.name)}_DIGEST",
    }
