"""Models as the programs that train and load them see them."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from mlopsgen.components.models.rules import LOW_WORDS, RATIO_WORDS, words
from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import may, properties, statements
from tests.tools import needs

PROGRAMS = """\
  images: [{name: train}, {name: app}]
  buckets: [{name: lake, prefixes: [{name: registry, path: models}]}]
  models:
    - {name: base, store: registry, version: 20261101T020000Z-0a1b2c3d}
    - {name: tuned, promotion: {metrics: {accuracy: {atLeast: 0.88}, loss: {atMost: 0.4}}}}
  jobs: [{name: tuner, image: train, loads: [base], produces: [tuned]}]
  services:
    - {name: one, image: app, loads: [tuned]}
    - {name: two, image: app, loads: [tuned, base]}
"""


@pytest.fixture(scope="module")
def programs() -> Plan:
    return plan(PROGRAMS)


def environment(found: Plan, stack: str) -> dict[str, str]:
    """The variables that speak of models."""
    container = properties(found, stack, "TaskDefinition")["ContainerDefinitions"][0]
    return {
        each["Name"]: each["Value"]
        for each in container["Environment"]
        if "MODEL" in each["Name"] or each["Name"] in ("CHECKPOINT_URI", "PROMOTION")
    }


TUNED = "s3://demo-default-data-123456789012/models/tuned/"
BASE = "s3://demo-default-lake-123456789012/models/base/"


def test_one_loaded_model_is_the_model(programs: Plan):
    """Who loads one model finds it under its own name and under none."""
    assert environment(programs, "serving-one") == {
        "MODEL_NAME": "tuned",
        "MODEL_URI": TUNED,
        "MODEL_VERSION": "current",
        "TUNED_MODEL_URI": TUNED,
        "TUNED_MODEL_VERSION": "current",
    }


def test_of_two_loaded_models_none_is_the_model(programs: Plan):
    """Who loads two finds each under its own name alone; a version that is said is literal."""
    assert environment(programs, "serving-two") == {
        "BASE_MODEL_URI": BASE,
        "BASE_MODEL_VERSION": "20261101T020000Z-0a1b2c3d",
        "TUNED_MODEL_URI": TUNED,
        "TUNED_MODEL_VERSION": "current",
    }


def test_the_produced_model_is_the_model_of_a_job(programs: Plan):
    """A job that starts from one model and produces another is not told a version of what it produces."""
    found = environment(programs, "training-tuner")
    assert json.loads(found.pop("PROMOTION")) == {
        "metrics": {"accuracy": {"atLeast": 0.88}, "loss": {"atMost": 0.4}},
        "policy": "manual",
    }
    assert found == {
        "BASE_MODEL_URI": BASE,
        "BASE_MODEL_VERSION": "20261101T020000Z-0a1b2c3d",
        "CHECKPOINT_URI": f"{TUNED}checkpoints/",
        "MODEL_NAME": "tuned",
        "MODEL_URI": TUNED,
    }


def test_a_model_is_read_and_written_where_its_store_lies(programs: Plan):
    """The job writes what it produces, reads what it starts from, and nothing beside the two."""
    own = statements(programs, "training-tuner", "TaskRole")
    data, lake = (f"arn:aws:s3:::demo-default-{name}-123456789012" for name in ("data", "lake"))
    assert may(own, "s3:PutObject", f"{data}/models/tuned/1/model.onnx")
    assert may(own, "s3:GetObject", f"{lake}/models/base/1/model.onnx")
    assert not may(own, "s3:PutObject", f"{lake}/models/base/1/model.onnx")
    assert not may(own, "s3:GetObject", f"{data}/models/base/1/model.onnx")


@pytest.mark.parametrize(("policy", "moves"), [("manual", False), ("automatic", True)])
def test_the_pointer_is_moved_by_whom_the_policy_says(policy: str, moves: bool):
    """With `manual` not even the trainer may make a version current."""
    found = plan(
        "  images: [{name: train}]\n"
        f"  models: [{{name: model, promotion: {{policy: {policy}}}}}]\n"
        "  jobs: [{name: trainer, image: train, produces: [model]}]\n"
    )
    own = statements(found, "training-trainer", "TaskRole")
    pointer = "arn:aws:s3:::demo-default-data-123456789012/models/model/current.json"
    assert may(own, "s3:PutObject", pointer) == moves


def test_the_commands_for_people_name_the_models_own_folder(programs: Plan):
    """What is printed for people looks where the model lies, in the account that they are logged in to."""
    lines = [line for each in programs.commands if each.topic == "Models" for line in each.lines]
    account = "$(aws sts get-caller-identity --query Account --output text)"
    assert f'aws s3 ls "s3://demo-default-lake-{account}/models/base/" --region ap-southeast-1' in lines


@pytest.mark.parametrize("name", ["val_loss", "valLoss", "testRMSE", "rmse", "mean_absolute_error"])
def test_what_should_be_low_is_known_by_its_words(name: str):
    """Losses and errors are found in the names that trainers give them."""
    assert words(name) & LOW_WORDS


@pytest.mark.parametrize("name", ["f1_score", "top1Accuracy", "auc", "recall_at_10", "val_acc"])
def test_what_is_a_share_is_known_by_its_words(name: str):
    """Accuracies and the like are found in the names that trainers give them."""
    assert words(name) & RATIO_WORDS


@pytest.mark.parametrize("name", ["glossary", "accident_rate", "terrorism", "lossless_ratio"])
def test_a_word_within_a_word_means_nothing(name: str):
    """Only whole words count."""
    assert not words(name) & (LOW_WORDS | RATIO_WORDS)


AWS = """\
#!/bin/sh
[ "$1" != sts ] || exec echo 123456789012
from=$(echo "$3" | sed "s|^s3://|$STORE/|") to=$(echo "$4" | sed "s|^s3://|$STORE/|")
[ "$to" != - ] || to=/dev/stdout
if [ "$from" = - ]; then cat >"$to"; else cp "$from" "$to"; fi
"""
"""`aws s3 cp` and the account's number, on a folder."""


def promote(programs: Plan, version: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command that the README prints for promoting a version of `tuned`."""
    [lines] = [
        each.lines for each in programs.commands if each.title.startswith("Promote a version of tuned")
    ]
    aws = folder / "bin" / "aws"
    aws.parent.mkdir(exist_ok=True)
    aws.write_text(AWS)
    aws.chmod(0o755)
    told = {"PATH": f"{aws.parent}:{os.environ['PATH']}", "STORE": str(folder)}
    text = "\n".join(lines).replace("VERSION", version)
    return subprocess.run(["bash", "-c", text], cwd=folder, env=told, capture_output=True, text=True)


def test_the_printed_promotion_holds_the_digest_of_what_was_read(programs: Plan, tmp_path: Path):
    """A person promotes the manifest that they fetched, and a version that is not there changes nothing."""
    needs("openssl")
    store = tmp_path / TUNED.removeprefix("s3://")
    (store / "v1").mkdir(parents=True)
    (store / "v1" / "manifest.json").write_text('{"metrics": {}}')
    missing = promote(programs, "v0", tmp_path)
    assert (missing.returncode == 0, (store / "current.json").exists()) == (False, False)
    assert promote(programs, "v1", tmp_path).returncode == 0
    assert json.loads((store / "current.json").read_text()) == {
        "version": "v1",
        "manifestSha256": hashlib.sha256(b'{"metrics": {}}').hexdigest(),
    }
