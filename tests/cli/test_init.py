"""`mlopsgen init`: a new project that builds, trains and serves as it is."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlopsgen.cli import main
from mlopsgen.cli.init import TEMPLATES
from mlopsgen.source.node import plain
from mlopsgen.source.parse import parse
from tests.embedded import empty_aws
from tests.local.running import until
from tests.tools import BIN, needs, needs_extra

NO_ACCOUNT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(params=TEMPLATES)
def project(request: pytest.FixtureRequest, folder: Path) -> Path:
    """A new project of each kind."""
    assert main(["init", "demo", "--template", request.param]) == 0
    return folder / "demo"


@pytest.fixture
def pipeline(folder: Path) -> Path:
    """A new project with a trainer and a service."""
    return made("tabular")


def made(template: str) -> Path:
    """A new project with its data."""
    needs_extra("train")
    needs_extra("serve")
    assert main(["init", "demo", "--template", template]) == 0
    project = Path("demo").absolute()
    if template == "image":
        subprocess.run([sys.executable, "-m", "model.data", "data/raw"], cwd=project, check=True)
    return project


def test_builds_at_once(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Nothing is wrong with it, not even a warning, and it is built."""
    monkeypatch.chdir(project)
    capsys.readouterr()
    assert main(["validate"]) == 0
    assert capsys.readouterr().out == "pipeline.yaml: nothing is wrong\n"
    assert main(["build"]) == 0
    assert main(["build", "--check"]) == 0
    assert capsys.readouterr().err == ""


def test_editor_has_nothing_to_say(project: Path):
    """The schema that comes with it accepts the pipeline."""
    schema = json.loads((project / "pipeline.schema.json").read_text())
    document = plain(parse((project / "pipeline.yaml").read_text(), "pipeline.yaml"))
    assert list(Draft202012Validator(schema).iter_errors(json.loads(json.dumps(document)))) == []


def test_readme_names_what_is_there(project: Path):
    """Every file that the README names is in the project."""
    named = re.findall(r"^\| `([^`*]+)` \|", (project / "README.md").read_text(), re.MULTILINE)
    assert named
    assert [path for path in named if not (project / path).exists()] == []


def test_code_is_clean(project: Path):
    """Ruff finds nothing in the Python code that the user gets."""
    for tool in (
        ["ruff", "check", "--isolated", "--line-length=110"],
        ["ruff", "format", "--check", "--line-length=110"],
    ):
        subprocess.run([needs(tool[0]), *tool[1:], "."], cwd=project, check=True, stdout=subprocess.DEVNULL)


def test_locked_requirements_hold_what_is_imported(project: Path):
    """Each locked list has one version, with hashes, of all that is asked for, and imported."""
    asked = {path.stem: set(path.read_text().split()) for path in project.glob("model/requirements-*.in")}
    locked: set[str] = set()
    for name, packages in asked.items():
        text = (project / "model" / f"{name}.txt").read_text().replace(" \\\n", "")
        lines = [line for line in text.splitlines() if not line.startswith("#")]
        assert [line for line in lines if not LOCKED.fullmatch(line)] == []
        versions = {line.split("==")[0] for line in lines}
        assert packages <= versions
        locked |= versions
    sources = "".join(path.read_text() for path in project.glob("model/*.py"))
    imported = set(re.findall(r"^\s*(?:import|from) (\w+)", sources, re.MULTILINE))
    foreign = {CALLED.get(name, name) for name in imported - sys.stdlib_module_names - {"model", "botocore"}}
    assert foreign - locked == set()


LOCKED = re.compile(r"[a-z0-9-]+==[\d.post]+( {4}--hash=sha256:[0-9a-f]{64})+")
CALLED = {"PIL": "pillow", "sklearn": "scikit-learn"}
"""Packages that are imported by another name."""


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["Demo"], "`Demo` cannot be the name of a pipeline"),
        (["a" * 33], "cannot be the name of a pipeline"),
        (["../demo"], "`../demo` cannot be the name of a pipeline"),
        (["demo--x"], "cannot be the name of a pipeline"),
        (["demo", "--region", "moon"], "`moon` is not a region of AWS"),
        (["demo", "--region", "eu-west-9"], "AWS has no region `eu-west-9`"),
    ],
)
def test_unusable_names_write_nothing(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
):
    """What AWS or the language could not take is refused before anything is written."""
    assert main(["init", *arguments]) == 1
    assert said in capsys.readouterr().err
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("name", ["null", "true", "y", "no", "e1", "abcdefghij-abcdefghij-abcdefghij"])
def test_names_that_yaml_could_mistake(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch):
    """A name that looks like something else to YAML, and the longest one, still build."""
    assert main(["init", name]) == 0
    monkeypatch.chdir(folder / name)
    assert main(["validate"]) == 0


def test_overwrites_nothing(folder: Path, capsys: pytest.CaptureFixture[str]):
    """A folder that has one of the files, a file and a link stay as they are."""
    (folder / "full").mkdir()
    (folder / "full" / "README.md").write_text("mine")
    (folder / "file").write_text("mine")
    (folder / "link").symlink_to("elsewhere")
    for name, said in {
        "full": "full holds README.md already",
        "file": "file is there already",
        "link": "link is there already",
    }.items():
        assert main(["init", "demo", "--output-dir", name]) == 1
        assert said in capsys.readouterr().err
    assert [path.name for path in sorted(folder.rglob("*"))] == ["file", "full", "README.md", "link"]
    assert (folder / "full" / "README.md").read_text() == "mine"


def test_a_folder_that_is_there_is_filled(folder: Path):
    """A repository that was just made may be used, the folder that one stands in too."""
    (folder / ".git").mkdir()
    (folder / ".git" / "HEAD").write_text("mine")
    assert main(["init", "demo", "--output-dir", "."]) == 0
    assert (folder / "pipeline.yaml").is_file()
    assert (folder / ".git" / "HEAD").read_text() == "mine"
    assert main(["build"]) == 0
    assert [path.name for path in folder.iterdir() if path.name.endswith(".new")] == []


def test_nothing_is_left_half_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """If a file cannot be written, none is there afterwards."""
    whole, written = Path.write_bytes, []

    def full(path: Path, data: bytes) -> int:
        written.append(path)
        if len(written) > 5:
            raise OSError(28, "No space left on device", str(path))
        return whole(path, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    assert main(["init", "demo"]) == 1
    assert (
        capsys.readouterr().err == "mlopsgen: cannot write demo: No space left on device; nothing was made\n"
    )
    assert list(folder.iterdir()) == []


def test_a_place_that_cannot_be(folder: Path, capsys: pytest.CaptureFixture[str]):
    """A folder below a file is no place."""
    (folder / "file").write_text("")
    assert main(["init", "demo", "--output-dir", "file/demo"]) == 1
    assert "cannot write file/demo" in capsys.readouterr().err


# The programs, as their images run them.


def train(project: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the trainer with the environment of its contract."""
    settings = {"RAW_URI": "data/raw/", "MODEL_URI": "local/", "MODEL_NAME": "classifier"}
    return subprocess.run(
        [sys.executable, "-m", "model.train"],
        cwd=project,
        env={**os.environ, **NO_ACCOUNT, **settings, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@contextmanager
def served(project: Path, **variables: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """The service on a free port, once it answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "model.serve"],
        cwd=project,
        env={**os.environ, **NO_ACCOUNT, "PORT": str(port), **variables},
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        # However busy the machine is; whoever ends is seen at once.
        for _ in range(6000):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/health").close()
                break
            except (urllib.error.URLError, ConnectionError):
                assert process.poll() is None, process.stderr and process.stderr.read()
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}", process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)


def ask(url: str, features: Any) -> tuple[int, Any]:
    """The status and the answer of `POST /predict` for a row."""
    return post(url, {"features": features})


def post(url: str, body: Any) -> tuple[int, Any]:
    """The status and the answer of `POST /predict`."""
    data = json.dumps(body).encode()
    request = urllib.request.Request(f"{url}/predict", data, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


AUTOMATIC = json.dumps({"policy": "automatic", "metrics": {"accuracy": {"atLeast": 0.8}}})
HOT = {"temperature": 90, "vibration": 0.8, "pressure": 2.8}
COOL = {"temperature": 60, "vibration": 0.2, "pressure": 3.2}


def test_trains_and_serves(pipeline: Path):
    """What the trainer publishes, the service answers with, and it ends in good order."""
    done = train(pipeline, PROMOTION=AUTOMATIC)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["promoted"] is True
    assert said["accuracy"] >= 0.9
    with served(pipeline, MODEL_URI="local/") as (url, process):
        status, answer = ask(url, HOT)
        assert (status, answer["label"], answer["version"]) == (200, "faulty", said["version"])
        assert ask(url, COOL)[1]["label"] == "normal"
        assert ask(url, {"temperature": 60})[0] == 422
        assert ask(url, {})[0] == 422
        assert ask(url, {**HOT, "colour": 1})[0] == 422
    # uvicorn ends what it has begun, and then by the signal that it got.
    assert process.returncode in (0, -signal.SIGTERM)


def test_service_alone_brings_its_model(folder: Path):
    """Without a trainer the model is in the image."""
    assert main(["init", "demo", "--template", "service"]) == 0
    with served(folder / "demo") as (url, _):
        status, answer = ask(url, HOT)
    assert (status, answer["label"]) == (200, "faulty")


def image(path: Path) -> dict[str, str]:
    """A request for the service of images."""
    return {"image": base64.b64encode(path.read_bytes()).decode()}


def test_images_are_told_apart(folder: Path):
    """The exported network answers for files as they are uploaded; what is no image is refused."""
    project = made("image")
    done = train(project, PROMOTION=AUTOMATIC)
    assert done.returncode == 0, done.stderr
    with served(project, MODEL_URI="local/") as (url, _):
        for label in ("circle", "square", "triangle"):
            said = [post(url, image(path))[1]["label"] for path in (project / "data/raw" / label).glob("*")]
            assert said.count(label) > 0.8 * len(said)
        assert post(url, {"image": "bm8gaW1hZ2U="})[0] == 422
        assert post(url, {"image": "?"})[0] == 422


def test_texts_are_told_apart(folder: Path):
    """Texts that the trainer has never seen, in the same words."""
    project = made("text")
    done = train(project, PROMOTION=AUTOMATIC)
    assert done.returncode == 0, done.stderr
    with served(project, MODEL_URI="local/") as (url, _):
        assert post(url, {"text": "where is my parcel, it has not arrived"})[1]["label"] == "delivery"
        assert post(url, {"text": "I cannot log in: my password is locked"})[1]["label"] == "account"
        assert post(url, {"text": ""})[0] == 422


def test_a_service_follows_what_is_promoted(pipeline: Path):
    """Nothing on AWS replaces its tasks when the pointer moves. One that cannot be loaded is left out."""
    first, second = (
        json.loads(train(pipeline, PROMOTION=AUTOMATIC, PARAMETERS=each).stdout)["version"]
        for each in ('{"degree": 1}', '{"degree": 2}')
    )
    pointer = pipeline / "local" / "current.json"
    manifest = pipeline / "local" / first / "manifest.json"
    newest, older = pointer.read_text(), json.loads(pointer.read_text())
    older |= {"version": first, "manifestSha256": hashlib.sha256(manifest.read_bytes()).hexdigest()}
    pointer.write_text(json.dumps(older))
    with served(pipeline, MODEL_URI="local/", POLL_SECONDS="0.05") as (url, _):
        assert ask(url, HOT)[1]["version"] == first
        pointer.write_text(json.dumps(older | {"version": "20200101T000000Z-00000000"}))
        assert ask(url, HOT)[1]["version"] == first
        pointer.write_text(newest)
        until(lambda: ask(url, HOT)[1]["version"] == second, "the newer version is served")


def test_what_is_written_over_a_promoted_version_is_refused(pipeline: Path):
    """The promotion is of one manifest, byte for byte; so is the task that it was made for."""
    version = json.loads(train(pipeline, PROMOTION=AUTOMATIC).stdout)["version"]
    manifest = pipeline / "local" / version / "manifest.json"
    command = [sys.executable, "-m", "model.serve"]
    for environment, change, said in (
        ({}, {"hyperparameters": {}}, "is not what was promoted: its digest differs"),
        (
            {"MODEL_VERSION": version},
            {"task": "translation"},
            "is a model for translation; this program",
        ),
    ):
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
        told = {**os.environ, "MODEL_URI": "local/", **environment}
        done = subprocess.run(command, cwd=pipeline, env=told, capture_output=True, text=True)
        assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_unknown_parameters_are_refused(project: Path):
    """A misspelt one would otherwise change nothing."""
    if not (project / "model" / "train.py").exists():
        return
    done = train(project, PARAMETERS='{"epoch": 3}')
    assert done.returncode == 1
    assert json.loads(done.stderr)["reason"].startswith("unknown parameters: epoch; known are ")


def test_an_estimator_of_another_library_is_not_loaded(pipeline: Path):
    """It could be read as another model than the one that was measured."""
    version = json.loads(train(pipeline, PROMOTION=AUTOMATIC).stdout)["version"]
    manifest = pipeline / "local" / version / "manifest.json"
    manifest.write_text(re.sub(r'"scikit-learn": "[^"]*"', '"scikit-learn": "0.1"', manifest.read_text()))
    command = [sys.executable, "-m", "model.serve"]
    environment = {**os.environ, "MODEL_URI": "local/", "MODEL_VERSION": version}
    done = subprocess.run(command, cwd=pipeline, env=environment, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"no model: {version} was made with {{'scikit-learn': '0.1'}}, and this program has" in done.stderr


def test_bucket_is_as_good_as_a_folder(pipeline: Path):
    """The same programs on S3: train from a prefix, publish to another, serve from there."""
    import boto3

    with empty_aws() as endpoint:
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        s3 = boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", **keys)
        s3.create_bucket(Bucket="data")
        s3.upload_file(str(pipeline / "data" / "raw" / "sample.csv"), "data", "raw/sample.csv")
        aws = {"AWS_ENDPOINT_URL": endpoint, "MODEL_URI": "s3://data/models/classifier/"}
        nothing = train(pipeline, **aws, RAW_URI="s3://data/processed/")
        assert nothing.returncode == 1
        assert "s3://data/processed/ has to hold CSV files" in nothing.stderr
        refused = train(pipeline, **aws, RAW_URI="s3://nosuch/raw/")
        assert "s3://nosuch/raw/: NoSuchBucket" in refused.stderr
        done = train(pipeline, **aws, RAW_URI="s3://data/raw/", PROMOTION=AUTOMATIC)
        assert done.returncode == 0, done.stderr
        with served(pipeline, **aws) as (url, _):
            assert ask(url, COOL)[1]["label"] == "normal"


def test_a_version_that_misses_a_gate_is_not_promoted(pipeline: Path):
    """It is published, with its metrics, and nothing serves it."""
    gates = {"accuracy": {"atLeast": 1.01}, "loss": {"atMost": 0.4}}
    done = train(pipeline, PROMOTION=json.dumps({"policy": "automatic", "metrics": gates}))
    assert done.returncode == 0
    assert json.loads(done.stdout)["missed"] == ["accuracy", "loss"]
    assert not (pipeline / "local" / "current.json").exists()
    manual = json.loads(train(pipeline).stdout)
    assert manual["promoted"] is False


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "has to hold CSV files"),
        ("a,b\n1,2\n", "sample.csv:2: not a row of numbers and a label"),
        ("a,label\nx,yes\n", "sample.csv:2: not a row of numbers and a label"),
        ("a,label\nnan,yes\n", "sample.csv:2: a value is missing or infinite"),
        ("a,label\n1,yes\n2\n", "sample.csv:3: a value is missing or infinite"),
        ("a,label\n1,yes\n2,yes\n", "needs at least two different values"),
    ],
)
@pytest.mark.parametrize("template", ["tabular", "trainer"])
def test_data_that_cannot_be_trained_with(template: str, content: str, said: str, folder: Path):
    """The trainer says which line is wrong, publishes nothing, and does not end in a traceback."""
    pipeline = made(template)
    (pipeline / "data" / "raw" / "sample.csv").write_text(content)
    done = train(pipeline)
    assert done.returncode == 1
    assert said in json.loads(done.stderr)["reason"]
    assert not (pipeline / "local").exists()


def test_a_changed_model_is_not_served(pipeline: Path):
    """A file that differs from its manifest is refused, by name."""
    version = json.loads(train(pipeline, PROMOTION=AUTOMATIC).stdout)["version"]
    model = pipeline / "local" / version / "model.skops"
    model.write_bytes(model.read_bytes() + b"x")
    command = [sys.executable, "-m", "model.serve"]
    environment = {**os.environ, "MODEL_URI": "local/"}
    done = subprocess.run(command, cwd=pipeline, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"local/{version}/model.skops is not the file that was published" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("template", ["tabular", "image", "text"])
def test_runs_whole_on_one_machine(template: str, folder: Path):
    """The embedded AWS takes its stacks, its trainer publishes, its service answers with that."""
    needs_extra("local")
    pipeline = made(template)
    done = subprocess.run(
        [BIN / "mlopsgen", "local", "up", "--data", "data/raw", "--once", "--port", "0"],
        cwd=pipeline,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    for step in ("published", "promoting classifier", "starting 1 task of api: done", '"probability": '):
        assert step in done.stdout
