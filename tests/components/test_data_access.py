"""What a task role may do with objects, as an S3 that enforces IAM decides it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.request import Request, urlopen

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.components.pipelines import plan, trainer
from tests.embedded import empty_aws
from tests.policies import statements

BUCKET = "demo-default-data-123456789012"


@pytest.fixture(scope="module")
def s3() -> Iterator[Any]:
    """An S3 client with the rights of a trainer that reads `raw` and writes `processed`."""
    policy = statements(plan(trainer(reads="[raw]", writes="[processed]")), "training-trainer", "TaskRole")
    with empty_aws() as endpoint:
        yield limited(endpoint, policy)
        _enforce(endpoint, after=float("inf"))


def limited(endpoint: str, policy: list[Any]) -> Any:
    """A client of a bucket with some objects, which may do what the policy says."""
    admin = {
        "endpoint_url": endpoint,
        "region_name": "ap-southeast-1",
        "aws_access_key_id": "x",
        "aws_secret_access_key": "x",
    }
    bucket = boto3.client("s3", **admin)
    bucket.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "ap-southeast-1"})
    for key in ("raw/x", "logs/x", "models/model/1/x", "models/other/1/x"):
        bucket.put_object(Bucket=BUCKET, Key=key, Body=b"")
    iam = boto3.client("iam", **admin)
    iam.create_user(UserName="trainer")
    document = json.dumps({"Version": "2012-10-17", "Statement": policy})
    arn = iam.create_policy(PolicyName="rights", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_user_policy(UserName="trainer", PolicyArn=arn)
    key = iam.create_access_key(UserName="trainer")["AccessKey"]
    _enforce(endpoint)
    return boto3.client(
        "s3",
        endpoint_url=endpoint,
        region_name="ap-southeast-1",
        aws_access_key_id=key["AccessKeyId"],
        aws_secret_access_key=key["SecretAccessKey"],
    )


def _enforce(url: str, after: float = 0) -> None:
    """From now on, or never again, requests are checked against IAM."""
    request = Request(f"{url}/moto-api/reset-auth", str(after).encode(), {"Content-Type": "text/plain"})
    urlopen(request).close()


def allowed(call: Any, **arguments: Any) -> bool:
    try:
        call(Bucket=BUCKET, **arguments)
    except ClientError as error:
        assert error.response["Error"]["Code"] in ("AccessDenied", "403")
        return False
    return True


def test_it_reads_what_it_reads_and_its_own_model(s3: Any):
    assert allowed(s3.get_object, Key="raw/x")
    assert allowed(s3.get_object, Key="models/model/1/x")
    assert not allowed(s3.get_object, Key="logs/x")
    assert not allowed(s3.get_object, Key="models/other/1/x")


def test_it_writes_what_it_writes_and_new_versions_of_its_model(s3: Any):
    assert allowed(s3.put_object, Key="processed/x", Body=b"")
    assert allowed(s3.put_object, Key="models/model/2/manifest.json", Body=b"")
    assert allowed(s3.put_object, Key="models/model/checkpoints/x", Body=b"")
    assert not allowed(s3.put_object, Key="raw/x", Body=b"")
    assert not allowed(s3.put_object, Key="models/other/2/x", Body=b"")


def test_it_promotes_nothing_when_a_person_does(s3: Any):
    assert not allowed(s3.put_object, Key="models/model/current.json", Body=b"{}")


def test_it_deletes_nothing(s3: Any):
    assert not allowed(s3.delete_object, Key="models/model/1/x")
    assert not allowed(s3.delete_object, Key="raw/x")
