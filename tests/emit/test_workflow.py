"""The delivery workflow: in order, pinned, with few rights, and safe from what a pipeline may hold."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlopsgen.emit import deploy, workflow
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
    assert (
        "build APP_DIGEST app demo-dev/app linux/amd64 app generated/images/app/Dockerfile" in steps[order[1]]
    )


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


class Delivery:
    """A checkout with an image's context, and an account that answers as ECR and SSM do."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("app", "generated/images/app", "bin", "account"):
            (folder / name).mkdir(parents=True)
        (folder / "app" / "main.py").write_text("one")
        (folder / "generated" / "images" / "app" / "Dockerfile").write_text("FROM scratch")
        for name, script in (("aws", AWS_STUB), ("docker", DOCKER_STUB), ("gh", 'cat "$ACCOUNT/rules"')):
            (folder / "bin" / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
            (folder / "bin" / name).chmod(0o755)
        self.git("init", "--quiet")
        self.commit()

    def git(self, *words: str) -> None:
        who = ("-c", "user.name=x", "-c", "user.email=x@example.com", "-c", "commit.gpgsign=false")
        subprocess.run(["git", *who, *words], cwd=self.folder, check=True, capture_output=True)

    def commit(self) -> None:
        self.git("add", "app", "generated")
        self.git("commit", "--quiet", "--message", "x")

    def run(self, document: str, job: str, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """What GitHub runs for a step (GitHub Docs, "Workflow syntax", `shell`), with what it finds there."""
        (step,) = (each for each in jobs(document)[job]["steps"] if each["name"] == name)
        given = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}", "ACCOUNT": str(self.folder / "account"),
            "RUNNER_TEMP": str(self.folder / "account"), "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "1",
            "GITHUB_ENV": str(self.folder / "env"), "GITHUB_OUTPUT": str(self.folder / "output"),
            "GITHUB_REPOSITORY": "owner/name", "GITHUB_SERVER_URL": "https://github.com", "REBUILD": "",
        }  # fmt: skip
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
            cwd=self.folder, env=given | jobs(document)[job]["env"] | environment,
            capture_output=True, text=True,
        )  # fmt: skip

    def holds(self, repository: str, number: int) -> None:
        (self.folder / "account" / f"{repository.replace('/', '_')}@sha256:{number:064d}").touch()

    @property
    def docker(self) -> list[str]:
        """What Docker was asked for."""
        log = self.folder / "account" / "docker"
        return log.read_text().splitlines() if log.exists() else []


AWS_STUB = r"""
case $1-$2 in
  ecr-describe-images)
    [ -e "$ACCOUNT/${4//\//_}@${6#imageDigest=}" ] || { echo ImageNotFoundException >&2; exit 254; } ;;
  ssm-get-parameter) cat "$ACCOUNT/${4//\//_}" 2>/dev/null || { echo ParameterNotFound >&2; exit 254; } ;;
  ssm-put-parameter)
    [ ! -e "$ACCOUNT/denied" ] || { echo AccessDeniedException >&2; exit 254; }
    printf '%s\n' "${@: -1}" >"$ACCOUNT/${4//\//_}" ;;
esac"""

DOCKER_STUB = r"""
echo "$*" >>"$ACCOUNT/docker"
digest=sha256:$(printf '%064d' "$(wc -l <"$ACCOUNT/docker")")
while [ $# -gt 0 ]; do
  case $1 in
    --metadata-file) echo "{\"containerimage.digest\": \"$digest\"}" >"$2" ;;
    --tag) tag=${2#*/} ;;
    *@sha256:*) digest=${1#*@} ;;
  esac
  shift
done
tag=${tag%:*}
[ -e "$ACCOUNT/lost" ] || touch "$ACCOUNT/${tag//\//_}@$digest"
"""

BUILD, COPY = "Build and push the images that have changed", "Copy the images that the stages before have run"


def test_what_was_built_is_what_is_deployed_and_built_once(tmp_path: Path, whole: str):
    """An unchanged image is found by the note of the run that built it; a change or `rebuild` builds anew."""
    there = Delivery(tmp_path)
    first = f"APP_DIGEST=sha256:{1:064d}\n"
    alone = one_image()
    for _ in range(2):
        done = there.run(alone, "deploy-dev", BUILD)
        assert (done.returncode, done.stdout) == (0, first)
        assert len(there.docker) == 1
    assert (tmp_path / "env").read_text() == (tmp_path / "output").read_text() == first * 2
    (tmp_path / "app" / "main.py").write_text("two")
    there.commit()
    assert there.run(alone, "deploy-dev", BUILD).stdout == f"APP_DIGEST=sha256:{2:064d}\n"
    assert there.run(alone, "deploy-dev", BUILD, REBUILD="true").stdout == f"APP_DIGEST=sha256:{3:064d}\n"
    (tmp_path / "account" / f"demo-dev_app@sha256:{3:064d}").unlink()
    assert there.run(alone, "deploy-dev", BUILD).stdout == f"APP_DIGEST=sha256:{4:064d}\n"


def one_image() -> str:
    image = "  images: [{name: app}]\n  services: [{name: api, image: app}]\n"
    return text(", stages: [{name: dev}, {name: prod, approval: true}]", image, names=("dev", "prod"))


def test_an_image_that_somebody_else_pushed_is_not_deployed(tmp_path: Path):
    """Whatever its tag: the workflow asks for no image by tag, and the note is the delivery role's alone."""
    there = Delivery(tmp_path)
    there.holds("demo-dev/app", 666)
    assert there.run(one_image(), "deploy-dev", BUILD).stdout == f"APP_DIGEST=sha256:{1:064d}\n"
    assert "imageTag" not in one_image()


@pytest.mark.parametrize(
    ("trouble", "said"),
    [("lost", f"::error::app was built as sha256:{1:064d}, which is not in demo-dev/app\n"), ("denied", "")],
)
def test_a_build_that_is_not_noted_deploys_nothing(tmp_path: Path, trouble: str, said: str):
    there = Delivery(tmp_path)
    (tmp_path / "account" / trouble).touch()
    done = there.run(one_image(), "deploy-dev", BUILD)
    assert done.returncode
    assert done.stdout == said
    assert not (tmp_path / "env").exists()


def test_what_ran_in_one_stage_is_copied_to_the_next(tmp_path: Path):
    """By the digest that the stage before gave out; once; and not if it has been cleared away."""
    there, document, digest = Delivery(tmp_path), one_image(), f"sha256:{5:064d}"
    job = jobs(document)["deploy-prod"]
    (step,) = (each for each in job["steps"] if each["name"] == COPY)
    assert step["env"] == {"APP_DIGEST": "${{ needs.deploy-dev.outputs.APP_DIGEST }}"}
    assert jobs(document)["deploy-dev"]["outputs"] == {"APP_DIGEST": "${{ steps.built.outputs.APP_DIGEST }}"}
    assert "deploy-dev" in job["needs"]
    assert "docker buildx build" not in "".join(each.get("run", "") for each in job["steps"])
    gone = there.run(document, "deploy-prod", COPY, APP_DIGEST=digest)
    assert gone.returncode == 1
    assert gone.stdout.startswith(f"::error::{digest} is no longer in demo-dev/app")
    there.holds("demo-dev/app", 5)
    for _ in range(2):
        done = there.run(document, "deploy-prod", COPY, APP_DIGEST=digest)
        assert (done.returncode, done.stdout) == (0, f"APP_DIGEST={digest}\n")
    (copy,) = there.docker
    assert copy.endswith(f"/demo-dev/app@{digest}")
    none = there.run(document, "deploy-prod", COPY, APP_DIGEST="")
    assert none.returncode == 1
    assert none.stdout.startswith("::error::the stage before said no digest of demo-dev/app")


def test_what_the_script_says_is_what_the_job_says(tmp_path: Path, whole: str):
    """It gets the digests by the names that it reads, and its failure is the step's."""
    there = Delivery(tmp_path)
    (script := tmp_path / "generated" / "dev" / "deploy.sh").parent.mkdir()
    waits = "deploy.sh: serving-api waits for a first version of model: train and promote one"
    script.write_text(f'echo "$*"; echo "{waits}" >&2; exit "$CODE"\n')
    for name, words in (
        ("Deploy what images are pushed to", "--until training"),
        ("Deploy the rest, with the images by digest", "--from training-trainer --without-models"),
    ):
        for code in (0, 3):
            done = there.run(whole, "deploy-dev", name, CODE=str(code))
            assert (done.returncode, done.stdout) == (code, f"{words}\n")
    (minimal,) = deploy.emit([plan(BOTH % "", environment="default")])
    assert set(jobs(whole)["deploy-dev"]["outputs"]) == set(re.findall(r"image=(\w+_DIGEST)", minimal.text))


def test_another_registry_gets_a_build_of_its_own():
    """Accounts and regions have registries of their own; a stage copies from the last before it there."""
    names = "{name: dev}, {name: prod}, {name: test}"
    stages = f"  delivery: {{github: {{repository: owner/name}}, stages: [{names}]}}\n"
    image = "  images: [{name: app}]\n  services: [{name: api, image: app}]\n"
    east = "  aws: {region: us-east-1}\n"
    plans = [
        plan(image, stages, ENVIRONMENTS, environment=name, aws=aws)
        for name, aws in (("dev", AWS), ("prod", east), ("test", AWS))
    ]
    (artifact,) = workflow.emit(plans)
    found = {
        name: [each["name"] for each in job["steps"] if each["name"] in (BUILD, COPY)]
        for name, job in jobs(artifact.text).items()
    }
    assert found == {"check": [], "deploy-dev": [BUILD], "deploy-prod": [BUILD], "deploy-test": [COPY]}
    assert jobs(artifact.text)["deploy-test"]["needs"] == ["check", "deploy-dev", "deploy-prod"]
    assert "copy APP_DIGEST demo-dev/app demo-test/app" in artifact.text


def test_an_approval_that_github_does_not_ask_for_stops_the_job(tmp_path: Path):
    """Before it has any rights in AWS; the set-up makes who runs it the first reviewer."""
    there, document, name = Delivery(tmp_path), one_image(), "See that GitHub asks a person"
    (tmp_path / "account" / "rules").write_text("branch_policy required_reviewers\n")
    assert there.run(document, "deploy-prod", name).returncode == 0
    (tmp_path / "account" / "rules").write_text("branch_policy\n")
    done = there.run(document, "deploy-prod", name)
    assert done.returncode == 1
    assert "has no required reviewers: add them at https://github.com/owner/name/settings" in done.stdout
    (tmp_path / "account" / "rules").unlink()
    assert there.run(document, "deploy-prod", name).returncode
    steps = [each["name"] for each in jobs(document)["deploy-prod"]["steps"]]
    assert steps.index(name) < steps.index("Assume the delivery role")
    assert name not in [each["name"] for each in jobs(document)["deploy-dev"]["steps"]]
    assert jobs(document)["deploy-prod"]["permissions"]["actions"] == "read"
    names = "{name: dev}, {name: prod, approval: true}"
    stages = f"  delivery: {{github: {{repository: owner/name}}, stages: [{names}]}}\n"
    lines = {}
    for environment in ("dev", "prod"):
        made = plan(service(), stages, ENVIRONMENTS, environment=environment)
        assert made.workflow
        lines[environment] = workflow.set_up(made, made.workflow, "generated").lines[1]
    assert lines["dev"] == "gh api --method PUT repos/owner/name/environments/dev"
    assert "reviewers[][id]=$(gh api user --jq .id)" in lines["prod"]


REQUIREMENT = f", compiler: {{requirement: 'mlopsgen==0.2.0 --hash=sha256:{'a' * 64}'}}"
ARCHIVE = f", compiler: {{archive: {{url: 'https://example.com/mlopsgen-0.2.0.tar.gz', sha256: {'b' * 64}}}}}"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (REQUIREMENT, "pip download --no-deps --require-hashes"),
        (
            ", compiler: {lock: ci/compiler.txt}",
            "pip install --require-hashes --only-binary :all: \\\n  --requirement ci/compiler.txt\n",
        ),
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


ALL = (
    ", stages: [{name: dev}, {name: prod, approval: true}], firstModel: train, workingDirectory: services/ml"
)


def judged(whole: str, folder: Path) -> list[str]:
    """The files of a workflow with as little, and one with as much, as a pipeline can say."""
    folder.mkdir(parents=True)
    much = text(f"{ALL}, compiler: {{lock: compiler.txt}}", names=("dev", "prod"))
    for name, document in (("deploy.yml", whole), ("deploy-demo.yml", much)):
        (folder / name).write_text(document)
    return [str(folder / name) for name in ("deploy.yml", "deploy-demo.yml")]


def test_zizmor_has_nothing_to_say(whole: str, tmp_path: Path):
    """The auditor of GitHub's workflows, at its strictest."""
    files = judged(whole, tmp_path / ".github" / "workflows")
    command = [
        needs("zizmor"),
        "--offline",
        "--no-progress",
        "--persona",
        "auditor",
        "--format",
        "plain",
        *files,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_workflow_is_what_githubs_schema_wants(whole: str, tmp_path: Path):
    files = judged(whole, tmp_path / "workflows")
    command = [
        needs("check-jsonschema"),
        "--builtin-schema",
        "vendor.github-workflows",
        *files,
    ]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_scripts_are_bash(whole: str):
    run = subprocess.run(["bash", "-n"], input=scripts(whole), capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
