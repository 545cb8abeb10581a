"""`deploy.sh` in every state that a stack can be in, against the answers that AWS documents."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from mlopsgen.emit.deploy import emit
from tests.cases import case
from tests.components.pipelines import plan, service

STUB = Path(__file__).parent
GUARDED = [
    "AWS::EC2::Subnet", "AWS::EC2::VPC", "AWS::ECR::Repository", "AWS::EFS::FileSystem", "AWS::KMS::Key",
    "AWS::S3::Bucket",
]  # fmt: skip


class Account:
    """An account in some state, and what was asked of it."""

    def __init__(self, folder: Path, pipeline: str = "imdb-sentiment", environment: str = "dev") -> None:
        self.file = folder / "account.json"
        self.script = case(pipeline).built / environment / "deploy.sh"
        self.prefix = f"{pipeline}-{environment}"
        self.state: dict[str, Any] = {"stacks": {}, "changes": {}, "calls": [], "objects": [], "tags": {}}

    def name(self, stack: str) -> str:
        return f"{self.prefix}-{stack}"

    def stands(self, *stacks: str, status: str = "CREATE_COMPLETE") -> None:
        self.state["stacks"] |= {self.name(each): [status] for each in stacks}

    def lists(self, *stacks: str, environment: str = "dev") -> None:
        """Stacks that an earlier pipeline made, the oldest first."""
        tags = f"mlopsgen:pipeline\timdb-sentiment\nmlopsgen:environment\t{environment}"
        names = [self.name(each) for each in stacks]
        found = [f"2026-01-{day:02}T00:00:00Z\t{name}" for day, name in enumerate(names, 1)]
        self.state.setdefault("listed", []).extend(found)
        self.state["tags"] |= dict.fromkeys(names, tags)

    def change(self, stack: str, **outcome: Any) -> None:
        self.state["changes"][self.name(stack)] = outcome

    @property
    def environment(self) -> dict[str, str]:
        self.file.write_text(json.dumps(self.state))
        path = f"{STUB}{os.pathsep}{os.environ['PATH']}"
        given = {"ACCOUNT": str(self.file), "PATH": path, "POLL_SECONDS": "0", "IMAGE_TAG": ""}
        return {**os.environ, **given}

    def run(self, *words: str, answer: str = "", **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the script; afterwards `state` is what it left."""
        done = subprocess.run(
            ["bash", str(self.script), *words],
            env=self.environment | variables, input=answer, capture_output=True, text=True,
        )  # fmt: skip
        self.state = json.loads(self.file.read_text())
        return done

    def asked(self, operation: str) -> list[list[str]]:
        return [words for name, *words in self.state["calls"] if name == operation]

    def deployed(self) -> list[str]:
        found = [words[words.index("--change-set-name") + 1] for words in self.asked("execute-change-set")]
        return [each.removeprefix(f"arn:change/{self.prefix}-") for each in found]


@pytest.fixture
def account(tmp_path: Path) -> Account:
    return Account(tmp_path)


def test_a_stack_is_made_with_a_change_set(account: Account):
    """It is created if it is not there, waited for, and protected once it is."""
    done = account.run("foundation")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("foundation ... done in ")
    (options,) = account.asked("create-change-set")
    assert options[options.index("--change-set-type") + 1] == "CREATE"
    assert "--import-existing-resources" in options
    assert "--enable-termination-protection" in account.asked("update-termination-protection")[0]
    policy = json.loads(account.asked("set-stack-policy")[0][3])
    assert policy["Statement"][1] == {
        "Effect": "Deny",
        "Action": ["Update:Replace", "Update:Delete"],
        "Principal": "*",
        "Resource": "*",
        "Condition": {"StringEquals": {"ResourceType": GUARDED}},
    }


def test_every_parameter_is_passed(account: Account):
    """One that is not keeps the path of yesterday's template, whatever today's says."""
    account.stands("cluster")
    account.run("cluster")
    (options,) = account.asked("create-change-set")
    at = options.index("--parameters") + 1
    assert options[at : at + 3] == [
        "ParameterKey=NetworkVpcId,ParameterValue=/imdb-sentiment-dev/network/vpc-id",
        "ParameterKey=NetworkPrivateSubnetIds,ParameterValue=/imdb-sentiment-dev/network/private-subnet-ids",
        "ParameterKey=EcsGpuImageId,ParameterValue="
        "/aws/service/ecs/optimized-ami/amazon-linux-2023/gpu/recommended/image_id",
    ]


@pytest.mark.parametrize(
    "said",
    ["FAILED\tThe submitted information didn't contain changes.", "FAILED\tNo updates are to be performed."],
)
def test_nothing_to_change(account: Account, said: str):
    """The change set goes again, and nothing is executed."""
    account.stands("serving")
    account.change("serving", status=said)
    done = account.run("serving")
    assert (done.returncode, done.stdout) == (0, "serving ... unchanged\n")
    assert len(account.asked("delete-change-set")) == 1
    assert account.deployed() == []


@pytest.mark.parametrize("status", ["ROLLBACK_COMPLETE", "ROLLBACK_FAILED"])
def test_a_creation_that_failed_is_deleted_and_made_anew(account: Account, status: str):
    """CloudFormation updates no stack in this state, and it holds nothing."""
    account.stands("serving", status=status)
    done = account.run("serving")
    assert done.returncode == 0
    assert "its first creation failed, so it is deleted and made anew" in done.stderr
    assert account.deployed() == ["serving"]
    (options,) = account.asked("create-change-set")
    assert options[options.index("--change-set-type") + 1] == "CREATE"


def test_what_is_going_on_is_waited_for(account: Account):
    """A stack that another run left changing is no failure."""
    account.state["stacks"][account.name("serving")] = [
        "UPDATE_IN_PROGRESS",
        "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS",
        "UPDATE_COMPLETE",
    ]
    done = account.run("serving")
    assert done.returncode == 0
    assert "is UPDATE_IN_PROGRESS: waiting until that has ended" in done.stderr
    assert account.deployed() == ["serving"]


@pytest.mark.parametrize(
    ("status", "way"),
    [
        ("UPDATE_ROLLBACK_FAILED", "continue-update-rollback"),
        ("DELETE_FAILED", "aws cloudformation delete-stack"),
    ],
)
def test_a_stuck_stack_says_what_frees_it(account: Account, status: str, way: str):
    """With the command, and without touching anything."""
    account.stands("serving", status=status)
    done = account.run("serving")
    assert done.returncode == 1
    assert way in done.stderr
    assert "as the stack's own events say" in done.stderr
    assert account.asked("create-change-set") == []


@pytest.mark.parametrize("old", [False, True])
def test_a_failure_names_its_reasons(account: Account, old: bool):
    """Those of this change, or the stack's events where the AWS CLI is too old; the script ends there."""
    account.change("network", ends=["ROLLBACK_IN_PROGRESS", "ROLLBACK_COMPLETE"])
    account.state["old cli"] = old
    done = account.run("network", "cluster")
    assert done.returncode == 1
    assert "failed: ROLLBACK_COMPLETE" in done.stderr
    assert ("as the stack's own events say" if old else "tasks did not become healthy") in done.stderr
    assert "Invalid choice" not in done.stderr
    assert account.deployed() == ["network"]


def test_a_refused_change_set_leaves_no_empty_stack(account: Account):
    """And no second error hides the first."""
    account.change("network", status="FAILED\tUnresolved resource dependencies")
    done = account.run("network")
    assert done.returncode == 1
    assert "Unresolved resource dependencies" in done.stderr
    assert account.state["stacks"][account.name("network")] == []


def test_a_stack_that_cannot_be_seen_is_not_taken_for_absent(account: Account):
    """Without the right to look, nothing is made."""
    account.state["denied"] = True
    done = account.run("network")
    assert done.returncode == 1
    assert "AccessDenied" in done.stderr
    assert account.asked("create-change-set") == []


def test_a_dry_run_leaves_nothing(account: Account):
    """What would change is a table; change sets and empty stacks go again."""
    account.stands("foundation")
    account.change(
        "network", refused="Unable to fetch parameters [/x] from parameter store for this account."
    )
    done = account.run("--dry-run", "foundation", "network", "registry-sentiment-api")
    assert done.returncode == 0
    assert "foundation ... would change\n| Modify | True | Thing" in done.stdout
    assert "network ... new; it waits for what the stacks before it publish" in done.stdout
    assert account.deployed() == []
    assert account.state["stacks"] == {
        account.name("foundation"): ["CREATE_COMPLETE"],
        account.name("registry-sentiment-api"): [],
    }


def test_a_service_waits_for_its_first_model(account: Account):
    """It is not made before there is a version, and what to do is said."""
    done = account.run("serving-sentiment-api", IMAGE_TAG="x")
    assert done.returncode == 1
    assert "waits for a first version of sentiment" in done.stderr
    assert "--train" in done.stderr
    assert account.asked("create-change-set") == []


def test_a_service_can_be_left_out(account: Account):
    """With what takes values of it; the others are deployed, and a notice says what is missing."""
    stacks = ("training", "serving-sentiment-api", "observability-sentiment-api")
    done = account.run(*stacks, "--without-models")
    assert done.returncode == 0
    assert "serving-sentiment-api ... left out" in done.stdout
    assert "observability-sentiment-api ... left out" in done.stdout
    assert account.deployed() == ["training"]


def test_training_is_waited_for(account: Account):
    """With --train the job runs to its end, and the version that it promotes is served."""
    pointer = "models/sentiment/current.json"
    account.state["task"] = {
        "statuses": ["PENDING", "RUNNING", "STOPPED"],
        "exit": "0\tEssential container exited",
        "promotes": [pointer],
    }
    done = account.run("serving-sentiment-api", "--train", SENTIMENT_API_DIGEST=f"sha256:{'a' * 64}")
    assert done.returncode == 0, done.stderr
    assert "sentiment ... PENDING\nsentiment ... RUNNING\nsentiment ... STOPPED\n" in done.stdout
    assert account.deployed() == ["serving-sentiment-api"]


@pytest.mark.parametrize(
    ("exit_", "said"),
    [
        ("1\tEssential container exited", "ended with 1"),
        ("0\tdone", "a person promotes one"),
        ("null\tno capacity", "no capacity"),
    ],
)
def test_training_without_a_version(account: Account, exit_: str, said: str):
    """A run that failed, never started, or waits for a person's promotion ends the script with a reason."""
    account.state["task"] = {"statuses": ["STOPPED"], "exit": exit_}
    done = account.run("serving-sentiment-api", "--train")
    assert done.returncode == 1
    assert said in done.stderr
    assert account.deployed() == []


def test_a_service_that_is_there_is_updated_without_a_look(account: Account):
    """Its model had a version when it was made."""
    account.stands("serving-sentiment-api")
    assert account.run("serving-sentiment-api").returncode == 0
    assert account.asked("list-objects-v2") == []


def test_delivery_leaves_its_own_rights_alone(account: Account):
    """With its role it only says that an administrator has something to do."""
    role = {"CLOUDFORMATION_ROLE_ARN": "arn:aws:iam::123456789012:role/x"}
    done = account.run("access", **role)
    assert (done.returncode, done.stdout) == (0, "access ... left out\n")
    assert "an administrator runs `deploy.sh foundation access`" in done.stderr
    account.state["template"] = (account.script.parent / "stacks" / "access.yaml").read_text()
    assert account.run("access", **role).stdout == "access ... unchanged\n"
    assert account.asked("create-change-set") == []


def test_what_the_pipeline_no_longer_has_is_named(account: Account):
    """A run without --prune leaves it, and says so."""
    account.lists("foundation", "serving-old")
    account.lists("2-serving-api", environment="dev-2")
    account.stands("serving-old")
    done = account.run("--until", "foundation")
    assert done.returncode == 0
    assert f"the pipeline no longer has {account.name('serving-old')}: they run on" in done.stderr
    assert account.asked("delete-stack") == []


def test_pruning_goes_first_and_asks(account: Account):
    """What is removed goes before the shared stacks let go of what it uses, the newest first, after a yes."""
    old = [account.name("serving-old"), account.name("old-base")]
    account.lists("old-base", "serving-old")
    account.stands("serving-old", "old-base", "foundation")
    refused = account.run("--prune", "--until", "foundation", answer="no\n")
    assert refused.returncode == 1
    assert "nothing was deleted" in refused.stderr
    assert account.asked("delete-stack") == []
    done = account.run("--prune", "--until", "foundation", answer=f"{account.prefix}\n")
    assert done.returncode == 0
    assert [words[1] for words in account.asked("delete-stack")] == old
    operations = [name for name, *_ in account.state["calls"]]
    assert operations.index("delete-stack") < operations.index("create-change-set")
    assert "--no-enable-termination-protection" in account.asked("update-termination-protection")[0]
    assert (
        "Key=deletion_protection.enabled,Value=false" in account.asked("modify-load-balancer-attributes")[0]
    )


def test_what_is_still_used_is_pruned_last(account: Account):
    """A stack that others read from goes once they are deployed and read from it no more."""
    account.lists("volumes", "serving-older", "serving-old")
    account.stands("volumes", "serving-older", "serving-old", "foundation", "serving-sentiment-api")
    path = f"/{account.prefix}/volumes/cache-id /{account.prefix}/serving/older/web-target-group"
    account.state["taken"] = {account.name("serving-sentiment-api"): path}
    account.state["objects"] = ["models/sentiment/current.json"]
    done = account.run("--prune", "--yes", IMAGE_TAG="latest")
    assert done.returncode == 0
    operations = [(name, *words) for name, *words in account.state["calls"]]
    gone = [at for at, (name, *_) in enumerate(operations) if name == "delete-stack"]
    changed = [at for at, (name, *_) in enumerate(operations) if name == "execute-change-set"]
    names = [operations[at][2] for at in gone]
    assert names == [account.name(each) for each in ("serving-old", "serving-older", "volumes")]
    assert gone[0] < min(changed)
    assert max(changed) < gone[1]


def test_a_part_of_a_deployment_keeps_what_is_used(account: Account):
    """It says which run deletes it."""
    account.lists("volumes")
    account.stands("volumes", "foundation", "serving-sentiment-api")
    account.state["taken"] = {account.name("serving-sentiment-api"): f"/{account.prefix}/volumes/cache-id"}
    done = account.run("--prune", "--yes", "--until", "foundation")
    assert done.returncode == 0
    assert f"{account.name('volumes')}: a run with --prune that deploys all stacks deletes" in done.stderr
    assert account.asked("delete-stack") == []


def test_a_protected_balancer_is_not_let_go(account: Account):
    """It would stay without a stack, and cost: nothing is changed, and the two steps that work are said."""
    account.stands("serving")
    account.state["balancers"] = {"arn:balancer": "true"}
    done = account.run("serving")
    assert done.returncode == 1
    assert "with `protection: {loadBalancers: false}`, then this one" in done.stderr
    assert account.deployed() == []
    account.state["balancers"] = {"arn:balancer": "false"}
    assert account.run("serving").returncode == 0
    assert account.deployed() == ["serving"]


def test_a_pool_is_let_go_once_nothing_runs_on_it(account: Account):
    """ECS would refuse it in the middle: nothing is changed, and the two steps that work are said."""
    pool, new = f"{account.prefix}-old", f"{account.prefix}-gpu"
    account.stands("cluster")
    account.state |= {"providers": [pool, new], "services": {"api": ["FARGATE", pool], "other": [new]}}
    done = account.run("foundation", "cluster")
    assert done.returncode == 1
    assert f"the pipeline no longer has {pool}, and there still are api on {pool}. First" in done.stderr
    assert account.asked("create-change-set") == []
    assert account.run("foundation", "cluster", "--dry-run").returncode == 0
    account.state |= {"services": {"other": [new]}, "instances": [new, pool]}
    done = account.run("foundation", "cluster")
    assert f"there still are instances of {pool}. First deploy the pipeline with the pool" in done.stderr
    assert account.asked("execute-change-set") == []
    account.state["instances"] = [new]
    assert account.run("foundation", "cluster").returncode == 0
    assert account.deployed() == ["foundation", "cluster"]


def test_networks_and_data_are_not_let_go_unasked(account: Account):
    """CloudFormation would refuse it half way: nothing of the stack is changed, and what works is said."""
    account.stands("foundation")
    account.state["taken away"] = ["AWS::S3::Bucket\tOldBucket", "AWS::SNS::Topic\tTopic"]
    done = account.run("foundation")
    assert done.returncode == 1
    assert "would replace or let go of OldBucket (AWS::S3::Bucket), which `protection` forbids" in done.stderr
    assert "deploy once with `protection: {stacks: false}`" in done.stderr
    assert account.deployed() == []


def test_an_earlier_policy_is_lifted(tmp_path: Path):
    """Without `protection` the stack lets go of its last bucket, though nothing else in it needs a policy."""
    (script,) = emit((plan(service(), "  protection: {stacks: false}\n"),))
    account = Account(tmp_path, "minimal", "default")
    account.script = tmp_path / "deploy.sh"
    account.script.write_text(script.text)
    account.prefix = "demo-default"
    account.stands("cluster")
    account.state["taken away"] = ["AWS::S3::Bucket\tOldBucket"]
    assert account.run("cluster").returncode == 0
    (words,) = account.asked("set-stack-policy")
    assert "Deny" not in words[3]
    assert account.deployed() == ["cluster"]


@pytest.mark.parametrize("there", [False, True])
def test_a_second_identity_provider_is_not_tried(tmp_path: Path, there: bool):
    """An account has one for GitHub, which stays when its stack lets it go: what to write is said."""
    delivery = "  delivery: {github: {repository: owner/name, oidcProvider: create}}\n"
    (script,) = emit((plan(service(), delivery),))
    account = Account(tmp_path, "minimal", "default")
    account.script = tmp_path / "deploy.sh"
    account.script.write_text(script.text)
    account.prefix = "demo-default"
    if there:
        account.stands("access")
    account.state["provider"] = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    done = account.run("access")
    assert done.returncode == 1
    assert "can have no second one: say `oidcProvider: existing`" in done.stderr
    assert account.deployed() == []
    account.state["provider"] = ""
    done = account.run("access")
    assert (done.returncode, account.deployed()) == (0, ["access"])


def test_an_environment_is_taken_down(account: Account):
    """In the reverse order, but for the stacks without which what is kept could not be found."""
    stacks = [line for line in account.script.read_text().splitlines() if line.startswith("STACKS=(")]
    names = stacks[0].removeprefix("STACKS=(").removesuffix(")").split()
    account.stands(*names)
    done = account.run("--destroy", "--yes")
    assert done.returncode == 0
    gone = [words[1].removeprefix(f"{account.prefix}-") for words in account.asked("delete-stack")]
    assert gone == [each for each in reversed(names) if each != "foundation"]
    assert "Data stays: images, which cost their storage; keys" in done.stdout
    again = account.run("--until", "foundation")
    assert again.returncode == 0


def test_delivery_cannot_take_an_environment_down(account: Account):
    """It would delete the role that it works with."""
    done = account.run("--destroy", "--yes", CLOUDFORMATION_ROLE_ARN="arn:aws:iam::1:role/x")
    assert done.returncode == 1
    assert "an administrator runs it without" in done.stderr


def test_what_cannot_be_deleted_is_named(account: Account):
    """And nothing after it is deleted."""
    account.stands("serving", "observability-sentiment-api")
    account.state["undeletable"] = account.name("observability-sentiment-api")
    done = account.run("--destroy", "--yes")
    assert done.returncode == 1
    assert "could not be deleted: it is DELETE_FAILED" in done.stderr
    assert len(account.asked("delete-stack")) == 1


def test_an_interruption_says_that_aws_goes_on(account: Account):
    """Whoever stops the script has not stopped the deployment; the next run waits for it."""
    account.change("network", ends=["CREATE_IN_PROGRESS"])
    process = subprocess.Popen(
        ["bash", str(account.script), "network"], env=account.environment, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    limit = time.monotonic() + 300
    while "execute-change-set" not in account.file.read_text() and time.monotonic() < limit:
        time.sleep(0.05)
    time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate()
    assert process.returncode == 143
    assert f"AWS goes on with {account.name('network')}: run this again to wait for it" in said


def test_a_digest_is_a_digest(account: Account):
    """Anything else is refused before AWS is asked for a change."""
    done = account.run("training-sentiment-trainer", SENTIMENT_TRAINER_DIGEST="latest")
    assert done.returncode == 1
    assert "`latest` is no digest" in done.stderr
    assert account.asked("create-change-set") == []


def weights(account: Account) -> list[str]:
    """The weights that were passed with the last change set."""
    options = account.asked("create-change-set")[-1]
    return [each.partition("=")[2] for each in options if "TargetGroupWeight" in each]


FIRST, SECOND = "WebInternalTargetGroup", "WebInternalAlternateTargetGroup"
BOTH = ["WebListenerRule", FIRST, SECOND]


@pytest.mark.parametrize(
    ("routing", "live", "passed"),
    [
        pytest.param(BOTH, {FIRST: 0, SECOND: 100}, (0, 100), id="moved"),
        pytest.param(BOTH, {SECOND: 5, FIRST: 95}, (95, 5), id="on-the-way"),
        pytest.param(["WebListenerRule", FIRST], {FIRST: 1}, (100, 0), id="rolling-before"),
        pytest.param([], {}, (100, 0), id="no-route-before"),
    ],
)
def test_the_weights_that_live_are_passed(
    tmp_path: Path, routing: list[str], live: dict[str, int], passed: tuple[int, int]
):
    """ECS has moved traffic: an update that set the template's weights would send it where nobody is."""
    account = Account(tmp_path, "strategies", "default")
    account.stands("serving-canary")
    account.state |= {"routing": routing, "weights": live}
    done = account.run("serving-canary", IMAGE_TAG="v1")
    assert (done.returncode, done.stderr) == (0, "")
    assert weights(account) == [
        f"{FIRST}Weight,ParameterValue={passed[0]}",
        f"{SECOND}Weight,ParameterValue={passed[1]}",
    ]


def test_a_new_service_starts_with_its_first_target_group(tmp_path: Path):
    """Of a stack that is not there, no rule is asked."""
    account = Account(tmp_path, "strategies", "default")
    done = account.run("serving-canary", IMAGE_TAG="v1")
    assert done.returncode == 0
    assert [each[-3:] for each in weights(account)] == ["100", "e=0"]
    assert account.asked("describe-rules") == []


@pytest.mark.parametrize(("first", "code"), [(100, 0), (0, 1)])
def test_a_second_target_group_goes_only_without_traffic(account: Account, first: int, code: int):
    """Where a service goes back to rolling deployments, its traffic is moved back first."""
    account.stands("serving-sentiment-api")
    routing = ["WebListenerRule", "WebPublicTargetGroup", "WebPublicAlternateTargetGroup"]
    live = {"WebPublicTargetGroup": first, "WebPublicAlternateTargetGroup": 100 - first}
    account.state |= {"routing": routing, "weights": live}
    done = account.run("serving-sentiment-api")
    assert done.returncode == code
    assert ("--service sentiment-api --force-new-deployment" in done.stderr) == bool(code)
    assert account.deployed() == ([] if code else ["serving-sentiment-api"])
