"""Buckets as their owner and the programs see them."""

from __future__ import annotations

from typing import Any, get_args

import pytest

from mlopsgen.components.buckets.rules import CLASSES
from mlopsgen.components.buckets.spec import TransitionSpec
from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan, trainer
from tests.policies import KEY, REGION, may, properties, stack, statements

LAKE = """\
  buckets:
    - {name: data, prefixes: [{name: raw}], accessLogs: {enabled: false}}
    - name: lake
      prefixes: [{name: photos, path: team/photos}]
    - {name: whole, prefixes: [{name: everything, path: /}]}
"""


@pytest.fixture(scope="module")
def several() -> Plan:
    """Three buckets, of which a job reads one and writes the two others."""
    return plan(LAKE, trainer(reads="[raw]", writes="[photos, everything]"))


def bucket(name: str) -> str:
    return f"arn:aws:s3:::demo-default-{name}-123456789012"


def environment(found: Plan, stack_name: str) -> dict[str, str]:
    container = properties(found, stack_name, "TaskDefinition")["ContainerDefinitions"][0]
    return {each["Name"]: each["Value"] for each in container["Environment"]}


def ids(found: Plan, name: str) -> set[str]:
    return {each.logical_id for each in stack(found, name).resources}


def test_each_prefix_is_a_uri_in_its_own_bucket(several: Plan):
    """A program learns where a prefix is, whichever bucket and folder that is."""
    found = environment(several, "training-trainer")
    assert found["RAW_URI"] == "s3://demo-default-data-123456789012/raw/"
    assert found["PHOTOS_URI"] == "s3://demo-default-lake-123456789012/team/photos/"
    assert found["EVERYTHING_URI"] == "s3://demo-default-whole-123456789012/"


def test_rights_hold_in_the_bucket_that_has_the_prefix(several: Plan):
    """What is read in one bucket cannot be written there, nor read in another."""
    own = statements(several, "training-trainer", "TaskRole")
    assert may(own, "s3:GetObject", f"{bucket('data')}/raw/x")
    assert not may(own, "s3:PutObject", f"{bucket('data')}/raw/x")
    assert may(own, "s3:PutObject", f"{bucket('lake')}/team/photos/x")
    assert not may(own, "s3:PutObject", f"{bucket('lake')}/team/other/x")
    assert not may(own, "s3:GetObject", f"{bucket('lake')}/raw/x")


def test_a_prefix_that_is_all_of_its_bucket_is_listed_from_its_root(several: Plan):
    """With `path: /` every listing is allowed; a folder's is that folder's alone."""
    own = statements(several, "training-trainer", "TaskRole")
    assert may(own, "s3:ListBucket", bucket("whole"))
    assert may(own, "s3:ListBucket", bucket("lake"), {"s3:prefix": "team/photos/2026/"})
    assert not may(own, "s3:ListBucket", bucket("lake"), {"s3:prefix": "team/"})
    assert not may(own, "s3:ListBucket", bucket("lake"))


def test_access_logs_are_written_for_the_buckets_that_want_them(several: Plan):
    """The log bucket lets in each bucket that writes logs, into a folder of its own, and no other."""
    assert "LoggingConfiguration" not in properties(several, "foundation", "DataBucket")
    logging = properties(several, "foundation", "LakeBucket")["LoggingConfiguration"]
    assert logging["LogFilePrefix"] == "s3/lake/"
    policy = properties(several, "foundation", "LogBucketPolicy")["PolicyDocument"]["Statement"]
    sources = [each["Condition"]["ArnLike"]["aws:SourceArn"] for each in policy if each["Effect"] == "Allow"]
    assert sources == [bucket("lake"), bucket("whole")]


def test_nobody_logs_and_there_is_no_log_bucket():
    """Without access logs there is nothing to keep them in."""
    found = plan("  buckets: [{name: data, prefixes: [{name: raw}], accessLogs: {enabled: false}}]\n")
    assert not {each for each in ids(found, "foundation") if each.startswith("LogBucket")}


def test_the_bucket_that_nobody_declares_is_made_when_something_uses_it():
    """`data` comes with the first prefix or model that is named, and not before."""
    assert "DataBucket" not in ids(plan(), "foundation")
    assert "DataBucket" in ids(plan(trainer()), "foundation")


def test_each_bucket_says_its_own_lifecycle():
    """Versions and broken uploads go after the time that their bucket says."""
    found = plan(
        "  buckets:\n"
        "    - {name: data, prefixes: [{name: raw}], versions: {expireAfter: 7d}, abortUploadsAfter: 1d}\n"
        "    - {name: lake, prefixes: [{name: photos, expireAfter: 90d}]}\n"
    )
    assert rules(found, "DataBucket") == [
        {
            "Id": "old-versions",
            "Status": "Enabled",
            "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            "ExpiredObjectDeleteMarker": True,
        }
    ]
    assert rules(found, "LakeBucket")[0] == {
        "Id": "photos",
        "Status": "Enabled",
        "Prefix": "photos/",
        "ExpirationInDays": 90,
    }


def rules(found: Plan, logical_id: str) -> list[dict[str, Any]]:
    return properties(found, "foundation", logical_id)["LifecycleConfiguration"]["Rules"]


def test_without_a_key_s3_encrypts_with_its_own():
    """With `awsManaged` no role needs a key, and an upload may not be refused for the want of one."""
    found = plan("  encryption: {awsManaged: {}}\n", trainer(reads="[raw]"))
    rule = properties(found, "foundation", "DataBucket")["BucketEncryption"]
    assert rule["ServerSideEncryptionConfiguration"] == [
        {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    ]
    actions = str(statements(found, "training-trainer", "TaskRole"))
    assert "kms:GenerateDataKey" not in actions
    policy = properties(found, "foundation", "DataBucketPolicy")["PolicyDocument"]["Statement"]
    assert [each["Sid"] for each in policy] == ["TlsOnly"]


ALGORITHM = "s3:x-amz-server-side-encryption"
KEY_ID = f"{ALGORITHM}-aws-kms-key-id"


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ({}, True),
        ({ALGORITHM: "aws:kms"}, True),
        ({ALGORITHM: "aws:kms", KEY_ID: "att-Key-Arn"}, True),
        ({ALGORITHM: "aws:kms", KEY_ID: KEY}, False),
        ({KEY_ID: KEY}, False),
        ({ALGORITHM: "AES256"}, False),
        ({ALGORITHM: "AES256", KEY_ID: "att-Key-Arn"}, False),
    ],
    ids=["none", "algorithm", "own", "another", "key alone", "S3's", "S3's with a key"],
)
def test_an_upload_is_taken_whether_or_not_s3_fills_in_the_encryption(sent: dict[str, str], taken: bool):
    """The first three are what an upload without headers may come with; a choice of its own is refused."""
    document = properties(plan(trainer(reads="[raw]")), "foundation", "DataBucketPolicy")["PolicyDocument"]
    granted = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    policy = [*document["Statement"], granted]
    upload = {"aws:SecureTransport": "true"} | sent
    assert may(policy, "s3:PutObject", "ref-DataBucket.Arn/raw/x", upload) is taken


@pytest.mark.parametrize("encryption", ["", "  encryption: {awsManaged: {}}\n"], ids=["own", "AWS's"])
def test_what_was_stored_under_another_key_can_still_be_read(encryption: str):
    """A bucket's new encryption leaves its objects as they are; the key stays when it leaves the stack."""
    role = statements(plan(encryption, trainer(reads="[raw]")), "training-trainer", "TaskRole")
    old = KEY.replace("00000000-", "11111111-")
    tags = {"aws:ResourceTag/mlopsgen:pipeline": "demo", "aws:ResourceTag/mlopsgen:environment": "default"}
    s3 = {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}
    assert may(role, "kms:Decrypt", old, tags | s3)
    assert not may(role, "kms:Decrypt", old, tags | {"kms:ViaService": f"sqs.{REGION}.amazonaws.com"})
    assert not may(role, "kms:Decrypt", old, s3)
    assert not may(role, "kms:Decrypt", old, tags | s3 | {"aws:ResourceTag/mlopsgen:environment": "prod"})
    assert not may(role, "kms:Encrypt", old, tags | s3)


def test_every_storage_class_has_its_place():
    """Each class that the language knows stands in the order of transitions."""
    assert set(get_args(TransitionSpec.model_fields["storage_class"].annotation)) == set(CLASSES)
