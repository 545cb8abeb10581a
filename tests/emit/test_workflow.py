"""The delivery workflow: in order, pinned, with few rights, and safe from what a pipeline may hold."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlopsgen.emit import workflow
from tests.cases import ROOT
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
            "deploy.sh --from training-trainer --without-models",
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


def test_a_service_without_a_first_version_is_left_out_with_a_notice():
    """GitHub shows what the script says of it; with `firstModel: train` the script trains."""
    step = jobs(text(names=("dev",)))["deploy-dev"]["steps"][-1]["run"]
    pipe = step.partition("--without-models ")[2].strip()
    said = "deploy.sh: serving-api waits for a first version of model: train and promote one"
    run = subprocess.run(
        ["bash", "-c", f"talk() {{ echo '{said}' >&2; echo other >&2; sleep 0.2; }}; talk {pipe}; wait"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert run.stderr == f"::notice::{said.removeprefix('deploy.sh: ')}\nother\n"
    assert "--from training-trainer --train\n" in text(", firstModel: train", names=("dev",))
    pinned = (BOTH % "").replace("{name: model}", '{name: model, version: "1"}')
    assert "models" not in jobs(text("", pinned, names=("dev",)))["deploy-dev"]["steps"][-1]["run"]


def test_the_check_sees_what_was_not_built(tmp_path: Path):
    """Without a pinned compiler: a file that was edited, is missing, or was added."""
    build = ROOT / "tests" / "pipelines" / "minimal"
    shutil.copytree(build, tmp_path, dirs_exist_ok=True)
    done = subprocess.run([sys.executable, "-m", "mlopsgen", "build"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0
    (step,) = (each for each in jobs(text())["check"]["steps"] if "python3 -I" in each.get("run", ""))

    def check() -> tuple[int, str]:
        ran = subprocess.run(["bash", "-c", step["run"]], cwd=tmp_path, capture_output=True, text=True)
        return ran.returncode, ran.stdout

    assert check() == (0, "")
    script = tmp_path / "generated" / "default" / "deploy.sh"
    text_ = script.read_text()
    script.write_text(text_.replace("\n", "\r\n"))
    assert check() == (0, "")
    script.write_text(f"{text_}curl example.com\n")
    (tmp_path / "generated" / "more.yaml").write_text("")
    (tmp_path / "generated" / "README.md").unlink()
    code, said = check()
    assert code == 1
    assert said.splitlines() == [
        f"::error::generated/{each} is not as the last build left it: run mlopsgen build"
        for each in ("README.md", "default/deploy.sh", "more.yaml")
    ]
    assert "pip install" not in text()


REQUIREMENT = f", compiler: {{requirement: 'mlopsgen==0.2.0 --hash=sha256:{'a' * 64}'}}"
ARCHIVE = f", compiler: {{archive: {{url: 'https://example.com/mlopsgen-0.2.0.tar.gz', sha256: {'b' * 64}}}}}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (REQUIREMENT, "pip download --no-deps --require-hashes"),
        (ARCHIVE, f"echo '{'b' * 64}  mlopsgen-0.2.0.tar.gz' | sha256sum --check"),
    ],
)
def test_the_compiler_is_what_the_pipeline_pins(more: str, said: str):
    """By its digest, never by a name that anybody may take; then it compiles again and compares."""
    check = jobs(text(more))["check"]
    steps = "\n".join(each.get("run", "") for each in check["steps"])
    assert said in steps
    assert "mlopsgen build --check" in steps
    assert "pip install mlopsgen" not in steps


def test_a_pipeline_in_a_folder():
    """The workflow works there, and runs for changes there alone."""
    document = text(", workingDirectory: services/ml")
    assert yaml.safe_load(document)["defaults"]["run"]["working-directory"] == "services/ml"
    paths = ["services/ml/**", ".github/workflows/deploy-demo.yml"]
    on = yaml.safe_load(document)[True]
    assert on["push"]["paths"] == on["pull_request"]["paths"] == paths
    made = plan(BOTH % "", GITHUB % ", workingDirectory: services/ml", environment="default")
    assert made.workflow
    (copy, *_) = workflow.set_up(made, made.workflow, "generated").lines
    assert copy == (
        "mkdir -p ../../.github/workflows"
        " && cp generated/ci/deploy.yml ../../.github/workflows/deploy-demo.yml"
    )


def test_the_job_takes_as_long_as_the_rollouts():
    """And so does the session of its role; never longer than GitHub lets a job run."""
    for steps, minutes in (
        ("{rolling: {}}", 180),
        ("{canary: {}}", 195),
        ("{linear: {share: 5%, stepTime: 30m}}", 360),
    ):
        more = f", ingress: [{{name: web, loadBalancer: public}}], deployment: {steps}"
        job = jobs(text("", BOTH % more, names=("dev",)))["deploy-dev"]
        assert job["timeout-minutes"] == minutes
        (role,) = (each["with"] for each in job["steps"] if "role-to-assume" in each.get("with", {}))
        assert role["role-duration-seconds"] == minutes * 60


def test_an_approval_holds_its_own_environment_alone():
    """Each environment has a queue of its own, and a run has none: nobody waits for another's approval."""
    document = yaml.safe_load(text(", stages: [{name: dev}, {name: prod, approval: true}]"))
    assert "concurrency" not in document
    groups = [each["concurrency"]["group"] for name, each in document["jobs"].items() if name != "check"]
    assert groups == ["deploy-demo-dev", "deploy-demo-prod"]


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
