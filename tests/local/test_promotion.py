"""Promotion, in a real S3 API."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from mlopsgen.local.embedded import embedded_aws
from mlopsgen.promotion import Gate, NotPromoted, Versions, laid_over

GATES = {"accuracy": Gate(at_least=0.8), "loss": Gate(at_most=0.4)}


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """A client of an embedded S3 with a bucket."""
    with embedded_aws("eu-central-1") as aws:
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
        client = boto3.client("s3", endpoint_url=aws.endpoint, region_name=aws.region, **keys)
        client.create_bucket(Bucket="data", CreateBucketConfiguration={"LocationConstraint": aws.region})
        yield client


def publish(s3: Any, model: str, version: str, metrics: Any) -> Versions:
    """A version of `model` with these metrics."""
    manifest = json.dumps({"name": model, "version": version, "metrics": metrics}).encode()
    s3.put_object(Bucket="data", Key=f"models/{model}/{version}/manifest.json", Body=manifest)
    return Versions(s3, "data", f"models/{model}/")


def test_a_good_version_becomes_current(s3: Any) -> None:
    """`current.json` names it, and versions are listed from old to new."""
    publish(s3, "good", "20260101T000000Z-00000000", {"accuracy": 0.9, "loss": 0.5})
    store = publish(s3, "good", "20260102T000000Z-00000000", {"accuracy": 0.8, "loss": 0.4})
    s3.put_object(Bucket="data", Key="models/good/20260103T000000Z-00000000/model.onnx", Body=b"half")
    assert store.current() is None
    assert store.promote("20260102T000000Z-00000000", GATES).metrics == {"accuracy": 0.8, "loss": 0.4}
    assert store.current() == "20260102T000000Z-00000000"
    pointer, manifest = (
        s3.get_object(Bucket="data", Key=f"models/good/{name}")["Body"].read()
        for name in ("current.json", "20260102T000000Z-00000000/manifest.json")
    )
    assert json.loads(pointer)["manifestSha256"] == hashlib.sha256(manifest).hexdigest()
    assert store.versions() == ("20260101T000000Z-00000000", "20260102T000000Z-00000000")


@pytest.mark.parametrize(
    ("metrics", "why"),
    [
        ({"accuracy": 0.79, "loss": 0}, "`accuracy` is 0.79, and has to be at least 0.8"),
        ({"accuracy": 1, "loss": 0.41}, "`loss` is 0.41, and has to be at most 0.4"),
        ({"f1": 0.9, "loss": 0}, "`accuracy` was not measured, and has to be at least 0.8"),
        ({"accuracy": 1}, "`loss` was not measured, and has to be at most 0.4"),
        ({"accuracy": "0.9", "loss": 0}, "`accuracy` was not measured, and has to be at least 0.8"),
        ({"accuracy": True, "loss": 0}, "`accuracy` was not measured, and has to be at least 0.8"),
        ({"accuracy": 1, "loss": float("nan")}, "`loss` is nan, and has to be at most 0.4"),
        (
            None,
            "`accuracy` was not measured, and has to be at least 0.8; "
            "`loss` was not measured, and has to be at most 0.4",
        ),
    ],
)
def test_a_version_that_misses_a_gate_stays_where_it_is(s3: Any, metrics: Any, why: str) -> None:
    """Nothing is written, and the message says which metric misses what."""
    store = publish(s3, "bad", "20260101T000000Z-00000000", metrics)
    with pytest.raises(NotPromoted) as caught:
        store.promote("20260101T000000Z-00000000", GATES)
    assert str(caught.value) == f"version 20260101T000000Z-00000000 is not good enough: {why}"
    assert store.current() is None


def test_only_what_was_published_can_be_promoted(s3: Any) -> None:
    """A version without its manifest does not exist; one whose manifest is broken is refused."""
    store = Versions(s3, "data", "models/none/")
    with pytest.raises(NotPromoted, match="there is no version 1 below s3://data/models/none/"):
        store.promote("1", {})
    s3.put_object(Bucket="data", Key="models/none/2/manifest.json", Body=b"[]")
    with pytest.raises(NotPromoted, match="is not a JSON object"):
        store.promote("2", {})


def test_a_bound_given_by_hand_goes_before_the_pipelines() -> None:
    """The other bound of the metric, and other metrics, stay as they are."""
    own = {"accuracy": Gate(at_least=0.5), "drift": Gate(at_most=0.1)}
    theirs = {"accuracy": Gate(at_least=0.8, at_most=0.99), "loss": Gate(at_most=0.4)}
    assert laid_over(own, theirs) == {
        "accuracy": Gate(at_least=0.5, at_most=0.99),
        "drift": Gate(at_most=0.1),
        "loss": Gate(at_most=0.4),
    }
