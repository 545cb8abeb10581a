"""Runs against S3, what is kept there, and what becomes current."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tests.train.conftest import SMALL, aws, environment, parse, versions
from train.cli import main
from train.errors import Fault
from train.store import open_store

BOW = {**SMALL["bow"], "tensorboard": False}


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run the trainer within the tests' process; what it returns is the exit code and what was said."""

    def run(hyperparameters: dict[str, Any] | None = None, *options: str, **more: str) -> tuple[int, Any]:
        for name, value in environment(tmp_path, hyperparameters or BOW, **more).items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = main(options)
        return code, {line.get("event"): line for line in parse(capsys.readouterr().out)}

    return run


def keys(client: Any, bucket: str) -> list[str]:
    """The bucket's keys."""
    return [item["Key"] for item in client.list_objects_v2(Bucket=bucket).get("Contents", ())]


def test_everything_lies_in_s3(client: Any, trainer: Any) -> None:
    """With S3 locations the version is published there, and the prepared reviews are kept there."""
    client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    client.put_object(Bucket="data", Key="raw/", Body=b"")
    places = {name: f"s3://data/{path}/" for name, path in (
        ("RAW_URI", "raw"), ("PROCESSED_URI", "processed"), ("MODEL_URI", "models/sentiment"),
        ("CHECKPOINT_URI", "models/sentiment/checkpoints"),
    )}  # fmt: skip
    code, said = trainer(None, **places)
    assert code == 0
    found = keys(client, "data")
    version = said["published"]["version"]
    assert f"models/sentiment/{version}/manifest.json" in found
    assert any(key.startswith("processed/sentiment/") and key.endswith("/prepared.json") for key in found)
    code, said = trainer(None, **places)
    assert code == 0
    assert "reused" in said
    assert "fetched" not in said


def test_reviews_are_read_from_s3(client: Any, trainer: Any, tmp_path: Path) -> None:
    """Reviews uploaded to the raw prefix are what is trained on; new ones are prepared anew."""
    from train.sources import synthetic

    client.create_bucket(Bucket="reviews", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    reviews = synthetic.reviews(200, 50)
    for number, part in enumerate((reviews.train, reviews.test)):
        lines = [json.dumps({"text": r.text, "label": r.label, "split": r.split}) for r in part]
        client.put_object(Bucket="reviews", Key=f"raw/{number}.jsonl", Body="\n".join(lines).encode())
    code, said = trainer(None, RAW_URI="s3://reviews/raw/")
    assert code == 0
    assert (said["fetched"]["train"], said["fetched"]["test"]) == (200, 50)
    assert said["fetched"]["source"] == "s3://reviews/raw/"
    code, said = trainer(None, RAW_URI="s3://reviews/raw/")
    assert "fetched" not in said
    more = json.dumps({"text": "Another superb film, never seen before.", "label": 1, "split": "train"})
    client.put_object(Bucket="reviews", Key="raw/2.jsonl", Body=more.encode())
    code, said = trainer(None, RAW_URI="s3://reviews/raw/")
    assert said["fetched"]["train"] == 201


def test_a_missing_bucket_is_told(client: Any, trainer: Any) -> None:
    """A bucket that does not exist is named, with what to look at; there is no traceback."""
    code, said = trainer(None, RAW_URI="s3://no-such-bucket/raw/")
    assert code == 1
    assert "no-such-bucket" in said["failed"]["message"]
    assert "NoSuchBucket" in said["failed"]["message"]


def test_an_s3_that_does_not_answer_is_told(s3: str, trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint where nobody listens is told as such."""
    for name, value in {**aws("http://127.0.0.1:9"), "AWS_MAX_ATTEMPTS": "1"}.items():
        monkeypatch.setenv(name, value)
    code, said = trainer(None, MODEL_URI="s3://data/models/sentiment/")
    assert code == 1
    assert "127.0.0.1:9" in said["failed"]["message"]


def test_a_manifest_comes_last(tmp_path: Path, trainer: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """If a file cannot be written, there is no manifest, so the version does not exist."""
    from train.store import Folder

    write = Folder.write

    def fail(self: Folder, name: str, content: Any) -> None:
        if name.endswith("tokenizer.json") and "models" in self.uri:
            raise Fault("the disk is full", "make room")
        write(self, name, content)

    monkeypatch.setattr(Folder, "write", fail)
    code, said = trainer()
    assert code == 1
    assert said["failed"]["message"] == "the disk is full"
    assert versions(tmp_path / "models" / "sentiment") == []


def test_a_place_that_cannot_be_written_is_told(trainer: Any, tmp_path: Path) -> None:
    """A store whose folder cannot be made is named; there is no traceback."""
    (tmp_path / "file").write_text("no folder")
    code, said = trainer(None, MODEL_URI=f"{tmp_path}/file/models/")
    assert code == 1
    assert f"{tmp_path}/file" in said["failed"]["message"]


AUTOMATIC = {"policy": "automatic", "metrics": {"accuracy": {"atLeast": 0.5}, "loss": {"atMost": 5}}}


@pytest.mark.parametrize(
    ("promotion", "promoted", "because"),
    [
        (AUTOMATIC, True, ""),
        ({"policy": "automatic"}, True, ""),
        (AUTOMATIC | {"policy": "manual"}, False, "promotion is manual; every gate is passed"),
        ({"policy": "automatic", "metrics": {"accuracy": {"atLeast": 1.01}}}, False, "is below 1.01"),
        ({"policy": "automatic", "metrics": {"accuracy": {"atMost": 0.1}}}, False, "is above 0.1"),
        ({"policy": "automatic", "metrics": {"loss": {"atMost": 0}}}, False, "is above 0"),
        ({"policy": "automatic", "metrics": {"f1": {"atLeast": 0, "atMost": 0.1}}}, False, "is above 0.1"),
        ({"policy": "automatic", "metrics": {"bleu": {"atMost": 0.5}}}, False, "bleu was not measured"),
        ({}, False, "promotion is manual"),
    ],
)
def test_the_gates(
    promotion: dict[str, Any], promoted: bool, because: str, trainer: Any, tmp_path: Path
) -> None:
    """Only an automatic promotion whose gates are all passed, in their direction, writes current.json."""
    code, said = trainer(None, PROMOTION=json.dumps(promotion))
    assert code == 0
    current = tmp_path / "models" / "sentiment" / "current.json"
    assert current.exists() == promoted
    if promoted:
        version = said["published"]["version"]
        manifest = tmp_path / "models" / "sentiment" / version / "manifest.json"
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        assert json.loads(current.read_text()) == {"version": version, "manifestSha256": digest}
    else:
        assert because in said["not promoted"]["because"]


def test_generated_reviews_never_replace_real_ones(trainer: Any, tmp_path: Path) -> None:
    """If the data is suddenly gone, the model of generated reviews does not become current."""
    _, said = trainer(None, PROMOTION=json.dumps(AUTOMATIC))
    store = tmp_path / "models" / "sentiment"
    manifest = store / said["published"]["version"] / "manifest.json"
    real = json.loads(manifest.read_text())
    real["data"]["source"] = "s3://reviews/raw/"
    manifest.write_text(json.dumps(real))
    before = (store / "current.json").read_bytes()
    code, said = trainer(None, PROMOTION=json.dumps(AUTOMATIC))
    assert code == 0
    assert said["synthetic"]["level"] == "warning"
    assert "real reviews" in said["not promoted"]["because"]
    assert (store / "current.json").read_bytes() == before


def test_stages_run_apart(trainer: Any, tmp_path: Path) -> None:
    """Each stage continues from what the one before left in the work folder."""
    work = f"--work={tmp_path}/work"
    for stage in ("fetch", "prepare", "fit", "evaluate", "export"):
        code, said = trainer(None, stage, work)
        assert (code, said["done"]["stage"]) == (0, stage)
    assert versions(tmp_path / "models" / "sentiment") == []
    code, said = trainer(None, "publish", work)
    assert code == 0
    assert len(versions(tmp_path / "models" / "sentiment")) == 1


@pytest.mark.parametrize(
    ("stage", "needs"),
    [("prepare", "fetch"), ("fit", "prepare"), ("evaluate", "fit"), ("export", "fit"), ("publish", "fit")],
)
def test_a_stage_says_which_one_it_misses(stage: str, needs: str, trainer: Any, tmp_path: Path) -> None:
    """A stage without its input names the stage to run first."""
    if stage in ("evaluate", "export", "publish"):
        trainer(None, "fetch", "prepare", f"--work={tmp_path}/work")
    code, said = trainer(None, stage, f"--work={tmp_path}/work")
    assert code == 1
    assert needs in said["failed"]["help"]


def test_versions_are_written_once(client: Any, tmp_path: Path) -> None:
    """What is there already is refused, in a folder and in S3, and stays as it was."""
    client.create_bucket(Bucket="once", CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    content = tmp_path / "content"
    content.write_bytes(b"later")
    for store in (open_store(f"{tmp_path}/models/"), open_store("s3://once/models/")):
        store.create("v1/manifest.json", b"first")
        with pytest.raises(Fault, match=r"v1/manifest\.json exists already, and versions are written once"):
            store.create("v1/manifest.json", content)
        assert store.read("v1/manifest.json") == b"first"
        store.create("v1/model.onnx", content)
        assert store.read("v1/model.onnx") == b"later"


def test_a_location_of_an_unknown_kind_is_refused() -> None:
    """Only folders and S3 are locations."""
    with pytest.raises(Fault, match="no location"):
        open_store("ftp://host/path/")
    with pytest.raises(Fault, match="no bucket"):
        open_store("s3:///path/")


@pytest.mark.parametrize(
    ("current", "manifest"),
    [
        ("{", None),
        ("[]", None),
        ('{"version": 5}', None),
        ('{"version": "v"}', None),
        ('{"version": "v"}', "[]"),
    ],
)
def test_a_damaged_current_version_is_told(
    trainer: Any, tmp_path: Path, current: str, manifest: str | None
) -> None:
    """The new version is published; generated reviews take no place of which nobody knows what it held."""
    store = tmp_path / "models" / "sentiment"
    store.mkdir(parents=True)
    (store / "current.json").write_text(current)
    if manifest is not None:
        (store / "v").mkdir()
        (store / "v" / "manifest.json").write_text(manifest)
    code, said = trainer(
        {**BOW, "syntheticTrain": 40, "syntheticTest": 20}, PROMOTION='{"policy": "automatic"}'
    )
    assert code == 0
    assert said["not promoted"]["because"] == "current.json, or the manifest that it names, cannot be read"
    assert (store / "current.json").read_text() == current
