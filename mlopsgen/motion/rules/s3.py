"""Buckets: what is in them, and who can read it afterwards."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Ending, Event, Said, closing, on
from mlopsgen.motion.rules.iam import allows
from mlopsgen.motion.stacks import Json

_BUCKET = "AWS::S3::Bucket"


@on(
    "bucket-not-empty",
    "left-over",
    ("delete",),
    (_BUCKET,),
    instead="`DeletionPolicy: Retain`, or empty it first",
    source="Amazon S3 API reference, DeleteBucket: all objects, versions and delete markers have to be gone",
)
def _full(event: Event) -> Iterator[Said]:
    """A bucket goes only when it is empty."""
    yield Said("a bucket that holds anything cannot be deleted", assumption="the bucket holds objects")


@on(
    "objects-expire-sooner",
    "loses",
    ("update",),
    (_BUCKET,),
    instead="copy what has to stay, before it is deployed",
    source='Amazon S3 user guide, "Expiring objects": rules hold for objects that are there already',
)
def _sooner(event: Event) -> Iterator[Said]:
    """A shorter or new expiry deletes what is there, within a day or so."""
    before = {_prefix(each): each for each in event.old.maps("LifecycleConfiguration", "Rules")}
    for rule in event.new.maps("LifecycleConfiguration", "Rules"):
        old = before.get(_prefix(rule), {})
        for what, days in _expiries(rule).items():
            earlier = _expiries(old).get(what)
            if earlier is None or days < earlier:
                where = _prefix(rule) or "the whole bucket"
                change = event.changed("LifecycleConfiguration")
                reason = f"{what} of {where} go after {days} days"
                yield Said(reason, change, assumption=None if old else f"there are {what} of {where}")


@closing(
    "objects-unreadable",
    "loses",
    instead="leave the roles the old key, until every object has been copied onto itself",
    source="Amazon S3 API reference, PutBucketEncryption: it holds for new objects; those that "
    "are there stay "
    "under their key",
)
def _unreadable(ending: Ending) -> Iterator[Said]:
    """Objects stay under the old key: who may no longer decrypt with it cannot read them."""
    earlier = {each.place: each for each in ending.before.resources()}
    for bucket in ending.after.of(_BUCKET):
        old = earlier.get(bucket.place)
        if not old or not _kms(old) or _kms(old) == _kms(bucket):
            continue
        for role in ending.after.of("AWS::IAM::Role"):
            was = earlier.get(role.place)
            reads = bucket.word("BucketName") in role.text and allows(role, "s3:GetObject")
            if was and reads and allows(was, "kms:Decrypt") and not allows(role, "kms:Decrypt"):
                yield Said(f"it may not decrypt what is in {bucket.title} already", about=role)


def _kms(bucket: Live) -> str:
    """The key that a bucket encrypts with; empty if it is not one of KMS."""
    for each in bucket.maps("BucketEncryption", "ServerSideEncryptionConfiguration"):
        default = each.get("ServerSideEncryptionByDefault")
        if isinstance(default, dict) and str(default.get("SSEAlgorithm")).startswith("aws:kms"):
            return str(default.get("KMSMasterKeyID") or "aws/s3")
    return ""


def _prefix(rule: dict[str, Json]) -> str:
    return str(rule.get("Prefix") or "")


def _expiries(rule: dict[str, Json]) -> dict[str, int]:
    old = rule.get("NoncurrentVersionExpiration")
    found = {"objects": rule.get("ExpirationInDays")}
    found["old versions"] = old.get("NoncurrentDays") if isinstance(old, dict) else None
    return {what: int(days) for what, days in found.items() if isinstance(days, str) and days.isdigit()}
