"""The programs and variables of docs/contracts.md, as they are printed."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from mlopsgen.rules.references import CONTRACT
from tests.cases import ROOT
from tests.embedded import empty_aws
from tests.local.running import COMMAND, PATIENCE
from tests.tools import needs, needs_extra

PAGE = (ROOT / "docs" / "contracts.md").read_text()
PIPELINE = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)[0]
PROGRAMS = dict(zip(("train", "app"), re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL), strict=True))
ROWS = "".join(f"good,a fine film {n}\nbad,a dull film {n}\n" for n in range(8))


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs_are_short_and_clean(name: str, tmp_path: Path):
    """At most 40 lines, and ruff finds nothing in them."""
    assert len(PROGRAMS[name].splitlines()) <= 40
    (tmp_path / "program.py").write_text(PROGRAMS[name])
    for words in (["check"], ["format", "--check"]):
        subprocess.run(
            [needs("ruff"), *words, "--isolated", "--line-length=110", "."],
            cwd=tmp_path,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The page's programs and pipeline, and data for them."""
    needs_extra("serve")
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    (tmp_path / "reviews.csv").write_text(f"label,text\n{ROWS}")
    for name, program in PROGRAMS.items():
        (tmp_path / name).mkdir()
        # Without it our own package of that name, which is installed here, would go before.
        (tmp_path / name / "__init__.py").touch()
        (tmp_path / name / "__main__.py").write_text(program)
        (asked,) = re.findall(rf"with (.*) in `{name}/requirements.txt`", PAGE)
        locked = "".join(f"{package}=={version(package)}\n" for package in re.findall("`(.*?)`", asked))
        (tmp_path / name / "requirements.txt").write_text(locked)
    return tmp_path


def up(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """One run of all, up to the first predictions."""
    needs_extra("local")
    needs_extra("serve")
    words = (*COMMAND, "up", "--once", "--port", "0", "--data", "reviews.csv", *options)
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, timeout=PATIENCE)


@pytest.mark.xdist_group("local")
def test_the_programs_train_promote_and_serve(project: Path):
    """As they are printed, with the pipeline that is printed with them."""
    done = up(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r'"label": "(good|bad)", "version": "\d{8}T\d{6}Z-[0-9a-f]{8}"', done.stdout)


@pytest.mark.parametrize(
    ("promotion", "promoted"),
    [
        ({"policy": "automatic", "metrics": {}}, True),
        ({"policy": "automatic", "metrics": {"accuracy": {"atLeast": 1, "atMost": 1}}}, True),
        ({"policy": "automatic", "metrics": {"accuracy": {"atLeast": 1.5}}}, False),
        ({"policy": "automatic", "metrics": {"accuracy": {"maxDrop": 0.1}}}, False),
        ({"policy": "automatic", "metrics": {"loss": {"atMost": 1}}}, False),
        ({"policy": "manual", "metrics": {}}, False),
    ],
    ids=str,
)
def test_the_trainer_promotes_only_what_it_must(promotion: object, promoted: bool, project: Path):
    """Every gate holds, and there is no bound that it does not know."""
    published, done = trained(project, {}, promotion)
    assert done.returncode == 0, done.stderr
    version = published[0].partition("/")[0]
    pointer = ["current.json"] if promoted else []
    assert published == [f"{version}/manifest.json", f"{version}/words.json", *pointer]


def test_the_trainer_refuses_unknown_parameters(project: Path):
    """A misspelt one does not pass in silence."""
    published, done = trained(project, {"testevery": 2}, {"policy": "automatic", "metrics": {}})
    assert (published, done.returncode, done.stderr) == ([], 1, "unknown parameters: testevery\n")


def trained(
    project: Path, parameters: object, promotion: object
) -> tuple[list[str], subprocess.CompletedProcess[str]]:
    """What the trainer has put below `MODEL_URI`, sorted, and how it ended."""
    needs_extra("local")
    import boto3

    with empty_aws() as endpoint:
        own = {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing",
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": endpoint,
            "MODEL_NAME": "reviews",
            "MODEL_URI": "s3://data/models/reviews/",
            "PARAMETERS": json.dumps(parameters),
            "PROMOTION": json.dumps(promotion),
            "RAW_URI": "s3://data/raw/",
        }
        session = boto3.Session("testing", "testing", region_name="us-east-1")
        bucket = session.resource("s3", endpoint_url=endpoint).create_bucket(Bucket="data")
        bucket.upload_file(str(project / "reviews.csv"), "raw/reviews.csv")
        done = subprocess.run(
            [sys.executable, "-m", "train"],
            cwd=project,
            env=os.environ | own,
            capture_output=True,
            text=True,
        )
        keys = [each.key for each in bucket.objects.filter(Prefix="models/reviews/")]
    return [each.removeprefix("models/reviews/") for each in keys], done


def variables(path: Path) -> set[str]:
    """The names of what the program of a task definition gets."""
    main, *_ = json.loads(path.read_text())["containerDefinitions"]
    return {each["name"] for each in main["environment"]}


@pytest.mark.parametrize(
    ("title", "workload"),
    [("A program that trains", "sentiment-trainer"), ("A program that serves", "sentiment-api")],
)
def test_every_variable_is_told(title: str, workload: str):
    """What mlopsgen sets stands in the table of its program."""
    (section,) = re.findall(rf"^## {title}\n(.*?)^## ", PAGE, re.DOTALL | re.MULTILINE)
    told = {
        name
        for row in re.findall(r"^\| (`[A-Z].*?) \|", section, re.MULTILINE)
        for name in re.findall("`([A-Z_]+)`", row)
    }
    given = variables(ROOT / "generated" / "dev" / "task-definitions" / f"{workload}.json")
    prefixes = {"LOGS_URI", "PROCESSED_URI", "RAW_URI"}
    assert {re.sub("^SENTIMENT_", "NAME_", name) for name in given - prefixes} <= told


def test_every_variable_that_is_taken_is_told():
    """Names that a pipeline may not set are explained."""
    assert {name for name in CONTRACT if f"`{name}`" not in PAGE} == set()
