"""The buckets with a folder for each prefix, and the one that keeps the record of who asked for what."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, Sub, s3

from mlopsgen.language.values import DAY
from mlopsgen.model.binding import Bindings, contributed
from mlopsgen.model.plan import Declaration, FlowNode, Resource
from mlopsgen.model.site import Bucket, Site
from mlopsgen.model.values import Body
from mlopsgen.parts.policies import service_statements
from mlopsgen.parts.resource import Scope, output

STACK = "foundation"

PRIVATE = s3.PublicAccessBlockConfiguration(
    BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
)


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """Each bucket with its policy, and the bucket of access logs if any has them."""
    several = len(site.buckets) > 1
    for bucket in site.buckets:
        scope = Scope(site, STACK, bucket.origin)
        yield from _bucket(scope, bucket, bindings)
        yield output(STACK, f"{bucket.logical_id}Name", Ref(bucket.logical_id), f"The {bucket.name} bucket")
        for prefix in bucket.prefixes:
            path = f"{bucket.name}/{prefix.folder}" if several else prefix.folder or f"{bucket.name}/"
            yield FlowNode(f"prefix:{prefix.name}", path, "store")
    logged = tuple(each for each in site.buckets if each.spec.access_logs.enabled)
    if logged:
        yield from _log_bucket(site, logged)


def _bucket(scope: Scope, bucket: Bucket, bindings: Bindings) -> Iterator[Resource]:
    own_key = scope.site.owns_key
    body = _private_bucket(bucket.logical_id, bucket.physical, _encryption(own_key), list(_lifecycle(bucket)))
    if bucket.spec.access_logs.enabled:
        body.LoggingConfiguration = s3.LoggingConfiguration(
            DestinationBucketName=Ref("LogBucket"), LogFilePrefix=_log_folder(bucket)
        )
        # The first log would have nowhere to go.
        body.DependsOn = "LogBucketPolicy"
    yield scope.resource(body)
    statements = [_tls_only(bucket.logical_id)]
    if own_key:
        statements += _only_own_key(bucket.logical_id)
    statements += service_statements(contributed(bindings, "bucket", bucket.name))
    yield scope.resource(_policy(bucket.logical_id, statements))


def _log_bucket(site: Site, logged: tuple[Bucket, ...]) -> Iterator[Resource]:
    """Where S3 writes who asked for what.

    Its objects are encrypted with S3's key: access logs cannot be written to a bucket with a KMS key (Amazon
    S3 user guide, "Enabling Amazon S3 server access logging").
    """
    scope = Scope(site, STACK, (*logged[0].origin, "accessLogs"))
    # Also for a bucket whose logs were turned off: what it wrote before still expires.
    rules = [
        s3.LifecycleRule(
            Id=each.name,
            Prefix=_log_folder(each),
            Status="Enabled",
            ExpirationInDays=each.spec.access_logs.expire_after // DAY,
        )
        for each in site.buckets
    ]
    rules.append(
        s3.LifecycleRule(
            Id="old-versions",
            Status="Enabled",
            NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(NoncurrentDays=1),
            AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(DaysAfterInitiation=1),
        )
    )
    yield scope.resource(_private_bucket("LogBucket", site.log_bucket, _encryption(own_key=False), rules))
    statements = [_tls_only("LogBucket"), *map(_log_delivery, logged)]
    yield scope.resource(_policy("LogBucket", statements))


def _log_folder(bucket: Bucket) -> str:
    return f"s3/{bucket.name}/"


def _log_delivery(bucket: Bucket) -> dict[str, Body]:
    return {
        "Sid": f"AccessLogsOf{bucket.logical_id}",
        "Effect": "Allow",
        "Principal": {"Service": "logging.s3.amazonaws.com"},
        "Action": "s3:PutObject",
        "Resource": Sub(f"${{LogBucket.Arn}}/{_log_folder(bucket)}*"),
        "Condition": {
            "StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")},
            # By its name: the bucket itself waits for this policy.
            "ArnLike": {"aws:SourceArn": Sub(f"arn:${{AWS::Partition}}:s3:::{bucket.physical}")},
        },
    }


def _private_bucket(
    logical_id: str, name: str, encryption: s3.BucketEncryption, rules: list[s3.LifecycleRule]
) -> s3.Bucket:
    """A bucket that nobody outside can reach, that keeps versions, and that stays when its stack goes."""
    return s3.Bucket(
        logical_id,
        BucketName=Sub(name),
        BucketEncryption=encryption,
        LifecycleConfiguration=s3.LifecycleConfiguration(Rules=rules),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        PublicAccessBlockConfiguration=PRIVATE,
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )


def _policy(bucket: str, statements: list[dict[str, Body]]) -> s3.BucketPolicy:
    return s3.BucketPolicy(
        f"{bucket}Policy",
        Bucket=Ref(bucket),
        PolicyDocument={"Version": "2012-10-17", "Statement": statements},
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )


def _tls_only(bucket: str) -> dict[str, Body]:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [GetAtt(bucket, "Arn"), Sub(f"${{{bucket}.Arn}}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _only_own_key(bucket: str) -> Iterator[dict[str, Body]]:
    """An upload may leave the encryption to the bucket, but not choose another.

    Whether S3 fills in the bucket's own encryption before it asks the policy is not documented: an upload
    without the headers may come with these keys or without, so only what is there is compared (Amazon S3 user
    guide, "Using server-side encryption with AWS KMS keys"; IAM user guide, "Null condition operator").
    """
    algorithm = "s3:x-amz-server-side-encryption"
    key = f"{algorithm}-aws-kms-key-id"
    refused: tuple[tuple[str, dict[str, Body]], ...] = (
        ("NoOtherKey", {"Null": {key: "false"}, "ArnNotEquals": {key: GetAtt("Key", "Arn")}}),
        ("NoOtherEncryption", {"Null": {algorithm: "false"}, "StringNotEquals": {algorithm: "aws:kms"}}),
    )
    for sid, condition in refused:
        yield {
            "Sid": sid,
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": Sub(f"${{{bucket}.Arn}}/*"),
            "Condition": condition,
        }


def _encryption(own_key: bool) -> s3.BucketEncryption:
    default = s3.ServerSideEncryptionByDefault(SSEAlgorithm="aws:kms" if own_key else "AES256")
    rule = s3.ServerSideEncryptionRule(ServerSideEncryptionByDefault=default)
    if own_key:
        default.KMSMasterKeyID = GetAtt("Key", "Arn")
        rule.BucketKeyEnabled = True
    return s3.BucketEncryption(ServerSideEncryptionConfiguration=[rule])


def _lifecycle(bucket: Bucket) -> Iterator[s3.LifecycleRule]:
    """A rule per folder that asks for one, and one for what nobody sees: old versions and broken uploads."""
    for prefix in bucket.prefixes:
        spec = prefix.spec
        if not spec.transitions and not spec.expire_after:
            continue
        rule = s3.LifecycleRule(Id=prefix.name, Status="Enabled")
        if prefix.folder:
            rule.Prefix = prefix.folder
        if spec.transitions:
            rule.Transitions = [
                s3.LifecycleRuleTransition(
                    StorageClass=each.storage_class, TransitionInDays=each.after // DAY
                )
                for each in spec.transitions
            ]
        if spec.expire_after:
            rule.ExpirationInDays = spec.expire_after // DAY
        yield rule
    yield s3.LifecycleRule(
        Id="old-versions",
        Status="Enabled",
        NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(
            NoncurrentDays=bucket.spec.versions.expire_after // DAY
        ),
        AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(
            DaysAfterInitiation=bucket.spec.abort_uploads_after // DAY
        ),
        ExpiredObjectDeleteMarker=True,
    )
