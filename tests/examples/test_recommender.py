"""The recommender: from interactions to recommendations over HTTP."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import boto3
import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.embedded import empty_aws
from tests.examples import harness

pytestmark = pytest.mark.xdist_group("recommender")

SMALL = {"factors": 16, "iterations": 4}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A store with one version, trained on the synthetic interactions."""
    environment = harness.store(tmp_path_factory.mktemp("shop"), **SMALL)
    assert harness.run("recommender/train", environment).status == 0
    return environment


def test_recommends_what_a_user_has_not_had(shop: dict[str, str]) -> None:
    """A known user gets the best new items, another one what is popular, and limits are kept."""
    with harness.serving("recommender/serve", shop) as client:
        mine = client.get("/recommendations/user-3", params={"limit": 5}).json()
        again = client.get("/recommendations/user-3", params={"limit": 5}).json()
        theirs = client.get("/recommendations/nobody?limit=3").json()
        assert client.get("/recommendations/user-3?limit=0").status_code == 422
        assert client.get("/recommendations/" + "x" * 129).status_code == 422
        assert client.get("/recommendations/%ff").status_code in {200, 422}
    assert mine == again
    assert mine["personal"] and mine["version"] == harness.version(shop).name
    scores = [item["score"] for item in mine["items"]]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True)
    # The synthetic user 3 likes the goods whose number leaves 3 when divided by 8.
    assert all(int(item["item"].removeprefix("item-")) % 8 == 3 for item in mine["items"])
    assert not theirs["personal"] and len(theirs["items"]) == 3


def test_is_better_than_what_is_popular(shop: dict[str, str]) -> None:
    """Recall on each user's last item beats a list of bestsellers, and stands in the manifest."""
    manifest = json.loads((harness.version(shop) / "manifest.json").read_text())
    assert manifest["metrics"]["recallAt20"] > 1.5 * manifest["metrics"]["recallAt20OfPopular"]
    assert manifest["data"]["test"] == 400


def test_goes_on_where_it_was_stopped(shop: dict[str, str], tmp_path: Path) -> None:
    """SIGTERM ends a run with 143; the next one resumes and ends with the model of an unbroken run."""
    long = {"factors": 16, "iterations": 120}
    stopped = harness.store(tmp_path, **long)
    first = harness.interrupt("recommender/train", stopped, after="iteration")
    assert first.status == 143 and first.said("saved")
    assert not (tmp_path / "models/m/current.json").exists()
    second = harness.run("recommender/train", stopped)
    assert second.status == 0 and second.said("resuming")
    assert sum(line["message"] == "iteration" for line in second.lines) < 120
    unbroken = {**stopped, "MODEL_URI": f"{tmp_path}/other/"}
    assert harness.run("recommender/train", unbroken).status == 0
    models = [harness.version(each) / "model.onnx" for each in (stopped, unbroken)]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_keeps_a_weak_model_from_being_promoted(tmp_path: Path) -> None:
    """A version that fails a gate is stored and measured, but not made current; nor is one by hand."""
    for promotion in (
        {"policy": "automatic", "metrics": {"recallAt20": {"atLeast": 1.1}}},
        {"policy": "automatic", "metrics": {"recallAt20": {"atLeast": 0, "atMost": -0.1}}},
        {"policy": "automatic", "metrics": {"recallAt20": {"unheardOf": 0}}},
        {"policy": "automatic", "metrics": {"unheardOf": {"atMost": 1}}},
        {"policy": "manual", "metrics": {}},
    ):
        environment = harness.store(tmp_path, **SMALL) | {"PROMOTION": json.dumps(promotion)}
        ended = harness.run("recommender/train", environment)
        assert ended.status == 0 and not ended.said("published")["promoted"]
    assert not (tmp_path / "models/m/current.json").exists()
    assert len(list((tmp_path / "models/m").glob("*/manifest.json"))) >= 1


def test_reads_csv_and_parquet(tmp_path: Path) -> None:
    """All files count, in the order of time, wherever a row stands; analysts find them in `processed/`."""
    environment = harness.store(tmp_path, **SMALL) | {"PROCESSED_URI": f"{tmp_path}/processed/"}
    rows = [(f"u{user}", f"i{item}", 100 - item) for user in range(30) for item in range(user % 5, 20)]
    table = pa.table(list(zip(*rows, strict=True)), names=["user", "item", "timestamp"])
    pyarrow.parquet.write_table(table, tmp_path / "raw/a.parquet")
    (tmp_path / "raw/b.csv").write_text("user,item,timestamp\nu0,i0,200\nlate,i1,300\n")
    ended = harness.run("recommender/train", environment)
    assert ended.status == 0
    assert {**ended.said("read"), "time": 0} == {
        "time": 0,
        "message": "read",
        "interactions": len(rows) + 2,
        "users": 31,
        "items": 20,
    }
    cleaned = pyarrow.parquet.read_table(tmp_path / "processed/m/interactions.parquet")
    times = cleaned["timestamp"].to_pylist()
    assert times == sorted(times) and cleaned["user"][-1].as_py() == "late"


@pytest.mark.parametrize(
    ("setting", "raw", "reason"),
    [
        ({"factors": "many"}, "", "parameters.factors is 'many'; give a value such as 64"),
        ({"factor": 3}, "", "parameters.factor is unknown"),
        ({}, "who,what\na,b\n", "data.csv: needs columns `user` and `item`"),
        ({}, "user,item\n", "give two interactions or more"),
    ],
)
def test_says_what_is_wrong(tmp_path: Path, setting: dict[str, object], raw: str, reason: str) -> None:
    """Bad settings and bad data end the run with status 1 and one line that says why."""
    environment = harness.store(tmp_path, **setting)
    if raw:
        (tmp_path / "raw/data.csv").write_text(raw)
    ended = harness.run("recommender/train", environment)
    assert ended.status == 1
    assert reason in ended.said("failed")["reason"]


def test_refuses_a_model_that_was_changed(shop: dict[str, str], tmp_path: Path) -> None:
    """One wrong byte in a file, a missing file or a strange name, and the service does not start."""
    for number, (name, change, reason) in enumerate(
        (
            ("model.onnx", lambda old: old[:-1] + b"x", "its digest differs"),
            (
                "manifest.json",
                lambda old: old.replace(b"catalog.npz", b"../secret.npz"),
                "no plain file name",
            ),
            ("manifest.json", lambda old: b"[]", "is not a JSON object"),
            ("manifest.json", lambda old: old.replace(b'"files"', b'"flies"'), "is not the manifest of"),
        )
    ):
        version = harness.version(shop)
        models = tmp_path / str(number)
        (models / version.name).mkdir(parents=True)
        for path in version.iterdir():
            content = path.read_bytes()
            changed = change(content) if path.name == name else content
            (models / version.name / path.name).write_bytes(changed)
        environment = shop | {"MODEL_URI": f"{models}/", "MODEL_VERSION": version.name, "PORT": "1"}
        ended = harness.run("recommender/serve", environment)
        assert ended.status == 1
        assert reason in ended.said("cannot serve")["reason"]


def test_waits_for_no_model_that_is_not_there(shop: dict[str, str]) -> None:
    """Without a current version the service ends at once and says what to do."""
    ended = harness.run("recommender/serve", shop | {"MODEL_URI": "/nowhere/", "PORT": "1"})
    assert ended.status == 1
    assert "promote a version first" in ended.said("cannot serve")["reason"]


@pytest.fixture
def bucket() -> Iterator[dict[str, str]]:
    """The environment of tasks on an S3 that has a bucket `shop`."""
    with empty_aws() as endpoint:
        environment = {
            "AWS_ACCESS_KEY_ID": "x",
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_ENDPOINT_URL": endpoint,
            "AWS_REGION": "us-east-1",
        }
        s3 = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id="x",
            aws_secret_access_key="x",
        )
        s3.create_bucket(Bucket="shop")
        s3.put_object(Bucket="shop", Key="raw/2026/a.csv", Body=b"user,item\na,x\na,y\nb,x\nb,y\nb,z\n")
        yield environment


def test_lives_on_s3(bucket: dict[str, str], tmp_path: Path) -> None:
    """Trainer and service read and write a bucket by the same variables as on AWS."""
    places = {
        "CHECKPOINT_URI": "s3://shop/models/m/checkpoints/",
        "MODEL_URI": "s3://shop/models/m/",
        "PROCESSED_URI": "s3://shop/processed/",
        "RAW_URI": "s3://shop/raw/",
        "METRICS_NAMESPACE": "shop/dev",
    }
    environment = harness.store(tmp_path, **SMALL) | bucket | places
    ended = harness.run("recommender/train", environment)
    assert ended.status == 0 and ended.said("read")["interactions"] == 5
    (embedded,) = (line for line in ended.lines if "_aws" in line)
    assert embedded["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "shop/dev"
    with harness.serving("recommender/serve", environment) as client:
        answer = client.get("/recommendations/a").json()
    assert [item["item"] for item in answer["items"]] == ["z"]
