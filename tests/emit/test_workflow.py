"""The delivery workflow: in order, pinned, with few rights, and safe from what a pipeline may hold."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlopsgen.emit import workflow
from tests.components.pipelines import AWS, plan, service
from tests.tools import needs

GITHUB = "  delivery: {github: {repository: owner/name}, branch: main%s}\n"
ENVIRONMENTS = "  environments: {dev: {}, prod: {}, test: {}}\n"

BOTH = """\
  images: [{name: train}, {name: app}]
  models: [{name: model}]
  jobs: [{name: trainer, image: train, produces: [model]}]
  services: [{name: api, image: app, loads: [model]%s}]
"""


def text(
    more: str = "", *sections: str, names: tuple[str, ...] = ("dev", "prod", "test"), aws: str = AWS
) -> str:
    sections = sections or (BOTH % "",)
    spec = (*sections, GITHUB % more, ENVIRONMENTS)
    (artifact,) = workflow.emit([plan(*spec, environment=name, aws=aws) for name in names])
    assert artifact.path == "ci/deploy.yml"
    return artifact.text


@pytest.fixture(scope="module")
def whole() -> str:
    return text()


def jobs(document: str) -> dict[str, Any]:
    return yaml.safe_load(document)["jobs"]


def scripts(document: str) -> str:
    """Every shell script of the workflow, as one."""
    return "\n".join(step["run"] for job in jobs(document).values() for step in job["steps"] if "run" in step)


def test_environments_are_deployed_one_after_the_other():
    """By name, or those that the pipeline lists, as it lists them."""
    assert [each["needs"] for name, each in jobs(text()).items() if name != "check"] == [
        ["check"],
        ["check", "deploy-dev"],
        ["check", "deploy-prod"],
    ]
    listed = jobs(text(", stages: [{name: test}, {name: dev}]"))
    assert list(listed) == ["check", "deploy-test", "deploy-dev"]


def test_without_delivery_there_is_no_workflow():
    assert list(workflow.emit([plan(service())])) == []


def test_the_order_of_plans_is_irrelevant(whole: str):
    assert text(names=("test", "prod", "dev")) == whole


def test_every_action_is_pinned_by_commit_with_its_version(whole: str):
    uses = re.findall(r"uses: (.*)", whole)
    assert uses
    assert all(re.fullmatch(r"[a-z-]+/[a-z-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each) for each in uses)


def test_only_deploying_jobs_have_an_identity_and_only_on_their_branch(whole: str):
    document = yaml.safe_load(whole)
    assert document["permissions"] == {}
    assert "pull_request_target" not in whole
    for name, job in document["jobs"].items():
        rights = {"contents": "read"} if name == "check" else {"contents": "read", "id-token": "write"}
        assert job["permissions"] == rights
        if name != "check":
            assert job["environment"] == name.removeprefix("deploy-")
            assert "github.ref == 'refs/heads/main'" in job["if"]
            assert "github.repository == 'owner/name'" in job["if"]
            assert job["concurrency"]["cancel-in-progress"] is False


def test_no_expression_reaches_a_shell(whole: str):
    """What GitHub would put into a script, somebody else may have written."""
    assert "${{" not in scripts(whole)


def test_images_are_pushed_between_the_registry_and_the_rest(whole: str):
    steps = [each.get("run", "") for each in jobs(whole)["deploy-dev"]["steps"]]
    order = [
        next(at for at, run in enumerate(steps) if mark in f"{run}\n")
        for mark in (
            "deploy.sh --until training\n",
            "docker buildx build",
            "deploy.sh --from training-trainer\n",
            "services-stable",
        )
    ]
    assert order == sorted(order)
    assert "build APP_DIGEST demo-dev/app linux/amd64 app generated/images/app/Dockerfile" in steps[order[1]]


def test_the_roles_are_those_of_the_environment(whole: str):
    job = jobs(whole)["deploy-prod"]
    role = next(
        step["with"]["role-to-assume"] for step in job["steps"] if "role-to-assume" in step.get("with", {})
    )
    assert role == "arn:aws:iam::${{ vars.AWS_ACCOUNT_ID }}:role/demo-prod/access/demo-prod-delivery"
    assert job["env"]["CLOUDFORMATION_ROLE_ARN"].endswith(":role/demo-prod/access/demo-prod-stacks")


def test_a_known_account_is_written_out():
    known = text(aws="  aws: {region: ap-southeast-1, account: '012345678901'}\n")
    assert "arn:aws:iam::012345678901:role/demo-dev/access/demo-dev-delivery" in known
    assert "vars.AWS_ACCOUNT_ID" not in known


@pytest.mark.parametrize(
    ("region", "arn", "domain"),
    [
        ("eu-west-1", "arn:aws:iam", "amazonaws.com"),
        ("us-gov-west-1", "arn:aws-us-gov:iam", "amazonaws.com"),
        ("cn-north-1", "arn:aws-cn:iam", "amazonaws.com.cn"),
    ],
)
def test_regions_of_other_partitions_have_other_names(region: str, arn: str, domain: str):
    job = jobs(text(aws=f"  aws: {{region: {region}}}\n", names=("dev",)))["deploy-dev"]
    assert job["env"]["CLOUDFORMATION_ROLE_ARN"].startswith(f"{arn}::")
    assert job["env"]["REGISTRY"].endswith(f".dkr.ecr.{region}.{domain}")


def test_arm_images_are_built_on_arm_and_mixed_ones_with_emulation():
    arm = service(architecture="arm64")
    assert jobs(text("", arm, names=("dev",)))["deploy-dev"]["runs-on"] == "ubuntu-24.04-arm"
    mixed = jobs(text("", BOTH % ", architecture: arm64", names=("dev",)))["deploy-dev"]
    assert mixed["runs-on"] == "ubuntu-24.04"
    assert any("setup-qemu-action" in step.get("uses", "") for step in mixed["steps"])


def test_images_that_exist_already_are_not_built():
    given = f"  services: [{{name: api, image: 'example.com/api@sha256:{'0' * 64}'}}]\n"
    document = text("", given, names=("dev",))
    assert "docker" not in scripts(document)
    assert "bash generated/dev/deploy.sh\n" in document


def test_ten_services_are_waited_for_at_a_time():
    many = "".join(f"    - {{name: api-{n}, image: app}}\n" for n in range(23))
    sections = f"  images: [{{name: app}}]\n  services:\n{many}"
    waits = re.findall(
        r"services-stable --cluster demo-dev --services (.*)", text("", sections, names=("dev",))
    )
    assert [len(each.split()) for each in waits] == [10, 10, 3]


def test_zizmor_has_nothing_to_say(whole: str, tmp_path: Path):
    """The auditor of GitHub's workflows, at its strictest."""
    file = tmp_path / ".github" / "workflows" / "deploy.yml"
    file.parent.mkdir(parents=True)
    file.write_text(whole)
    command = [
        needs("zizmor"),
        "--offline",
        "--no-progress",
        "--persona",
        "auditor",
        "--format",
        "plain",
        str(file),
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_workflow_is_what_githubs_schema_wants(whole: str, tmp_path: Path):
    file = tmp_path / "deploy.yml"
    file.write_text(whole)
    command = [
        needs("check-jsonschema"),
        "--builtin-schema",
        "vendor.github-workflows",
        str(file),
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_scripts_are_bash(whole: str):
    run = subprocess.run(["bash", "-n"], input=scripts(whole), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
