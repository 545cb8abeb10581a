"""`spec.storage`: the data bucket, the bucket for access logs, and who may touch which prefix."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from troposphere import GetAtt, Ref, Sub, s3

from mlopsgen import iam
from mlopsgen.components.base import Binding, Component, Site, total
from mlopsgen.components.wiring import KEY_ARN, take
from mlopsgen.plan import Edge, Grant, Output, Part, Resource, Thing, Value
from mlopsgen.source.node import Path
from mlopsgen.spec.storage import AccessLogsSpec, PrefixSpec
from mlopsgen.spec.workload import WorkloadSpec

STACK = "foundation"
ORIGIN = ("spec", "storage")
DAY = 86400

PRIVATE = s3.PublicAccessBlockConfiguration(
    BlockPublicAcls=True, BlockPublicPolicy=True, IgnorePublicAcls=True, RestrictPublicBuckets=True
)


class Storage(Component):
    """One bucket with a folder for each prefix, and one that keeps the record of who asked for what."""

    def declare(self, site: Site) -> Iterator[Part]:
        yield from _data_bucket(site)
        yield from _log_bucket(site)
        yield Output(STACK, "DataBucketName", Ref("DataBucket"), "The data bucket")
        for prefix in prefixes(site):
            yield Thing(f"prefix:{prefix.name}", f"{prefix.name}/", "store")

    def bind(self, site: Site, workload: WorkloadSpec, stack: str) -> Binding:
        """Read what it `reads`, write what it `writes`, and learn where both are."""
        names = sorted({*workload.reads, *workload.writes})
        grants = (*read(site, workload.reads), *write(site, workload.writes))
        binding = Binding(
            environment=tuple(
                (name.upper().replace("-", "_") + "_URI", Sub(f"s3://{site.data_bucket}/{name}/"))
                for name in names
            ),
            grants=grants,
            edges=(
                *(Edge(f"prefix:{name}", workload.name, "reads") for name in sorted(workload.reads)),
                *(Edge(workload.name, f"prefix:{name}", "writes") for name in sorted(workload.writes)),
            ),
        )
        return total(encryption(site, stack, grants), binding)


def prefixes(site: Site) -> tuple[PrefixSpec, ...]:
    """The folders by name, `models` among them."""
    named = {each.name: each for each in site.spec.storage.prefixes}
    return tuple(sorted(({"models": PrefixSpec(name="models")} | named).values(), key=lambda each: each.name))


def read(site: Site, folders: tuple[str, ...]) -> tuple[Grant, ...]:
    """Get the objects of these folders, and list them alone."""
    return tuple(
        grant
        for folder in sorted(set(folders))
        for grant in (
            Grant(("s3:GetObject", "s3:GetObjectVersion"), (_objects(site, folder),), f"reads {folder}/"),
            _list(site, folder, f"lists {folder}/"),
        )
    )


def write(site: Site, folders: tuple[str, ...]) -> tuple[Grant, ...]:
    """Put objects into these folders, in parts too, and list them alone. Nothing can be deleted."""
    return tuple(
        grant
        for folder in sorted(set(folders))
        for grant in (
            Grant(
                ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"),
                (_objects(site, folder),),
                f"writes {folder}/",
            ),
            _list(site, folder, f"lists {folder}/"),
        )
    )


def encryption(site: Site, stack: str, grants: tuple[Grant, ...]) -> Binding:
    """The use of the key that `grants` on objects need, through S3 alone; nothing with `AES256`."""
    actions = {action for grant in grants for action in grant.actions}
    uses = {"s3:GetObject": ("kms:Decrypt",), "s3:PutObject": ("kms:Decrypt", "kms:GenerateDataKey")}
    needed = {use for action, names in uses.items() if action in actions for use in names}
    if site.spec.storage.encryption != "aws:kms" or not needed:
        return Binding()
    key, parameter = take(site, stack, "KeyArn", KEY_ARN, "String", "The pipeline's key")
    through = Sub("s3.${AWS::Region}.${AWS::URLSuffix}")
    condition = (("StringEquals", "kms:ViaService", through),)
    grant = Grant(tuple(sorted(needed)), (key,), "decrypt data through S3", condition)
    return Binding(grants=(grant,), parameters=(parameter,))


def _objects(site: Site, folder: str) -> Value:
    return iam.arn("s3", f"{site.data_bucket}/{folder}/*")


def _list(site: Site, folder: str, because: str) -> Grant:
    within = (("StringLike", "s3:prefix", (f"{folder}/", f"{folder}/*")),)
    return Grant(("s3:ListBucket",), (iam.arn("s3", site.data_bucket),), because, within)


def _data_bucket(site: Site) -> Iterator[Part]:
    spec = site.spec.storage
    logging = (
        {
            "LoggingConfiguration": s3.LoggingConfiguration(
                DestinationBucketName=Ref("LogBucket"), LogFilePrefix="s3/"
            ),
            # The first log would have nowhere to go.
            "DependsOn": "LogBucketPolicy",
        }
        if spec.access_logs
        else {}
    )
    bucket = s3.Bucket(
        "DataBucket",
        BucketName=Sub(site.data_bucket),
        BucketEncryption=_encryption(spec.encryption),
        LifecycleConfiguration=s3.LifecycleConfiguration(Rules=list(_lifecycle(site))),
        OwnershipControls=_owner(),
        PublicAccessBlockConfiguration=PRIVATE,
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
        **logging,
    )
    yield Resource(STACK, "DataBucket", bucket, ORIGIN)
    statements = [_tls_only("DataBucket"), *_only_own_key(spec.encryption)]
    yield _policy("DataBucket", statements, ORIGIN)


def _log_bucket(site: Site) -> Iterator[Part]:
    """Where S3 and the load balancers write who asked for what.

    Its objects are encrypted with S3's key: load balancers cannot write to a bucket with a KMS key (Elastic
    Load Balancing user guide, "Enable access logs for your Application Load Balancer").
    """
    spec = site.spec.storage.access_logs or AccessLogsSpec()
    origin = (*ORIGIN, "accessLogs")
    expire = s3.LifecycleRule(
        Id="expire",
        Status="Enabled",
        ExpirationInDays=spec.expire_after // DAY,
        NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(NoncurrentDays=1),
        AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(DaysAfterInitiation=1),
    )
    bucket = s3.Bucket(
        "LogBucket",
        BucketName=Sub(site.log_bucket),
        BucketEncryption=_encryption("AES256"),
        LifecycleConfiguration=s3.LifecycleConfiguration(Rules=[expire]),
        OwnershipControls=_owner(),
        PublicAccessBlockConfiguration=PRIVATE,
        VersioningConfiguration=s3.VersioningConfiguration(Status="Enabled"),
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )
    yield Resource(STACK, "LogBucket", bucket, origin)
    account = {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}}
    deliveries = [
        {
            "Sid": "AccessLogsOfTheDataBucket",
            "Effect": "Allow",
            "Principal": {"Service": "logging.s3.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": Sub("${LogBucket.Arn}/s3/*"),
            "Condition": account
            | {"ArnLike": {"aws:SourceArn": Sub(f"arn:${{AWS::Partition}}:s3:::{site.data_bucket}")}},
        },
        {
            "Sid": "AccessLogsOfLoadBalancers",
            "Effect": "Allow",
            "Principal": {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
            "Action": "s3:PutObject",
            "Resource": Sub("${LogBucket.Arn}/load-balancers/*"),
            "Condition": account,
        },
    ]
    yield _policy("LogBucket", [_tls_only("LogBucket"), *deliveries], origin)


def _policy(bucket: str, statements: list[dict[str, Any]], origin: Path) -> Resource:
    body = s3.BucketPolicy(
        f"{bucket}Policy",
        Bucket=Ref(bucket),
        PolicyDocument={"Version": "2012-10-17", "Statement": statements},
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )
    return Resource(STACK, f"{bucket}Policy", body, origin)


def _tls_only(bucket: str) -> dict[str, Any]:
    return {
        "Sid": "TlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [GetAtt(bucket, "Arn"), Sub(f"${{{bucket}.Arn}}/*")],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def _only_own_key(algorithm: str) -> Iterator[dict[str, Any]]:
    """An upload may leave the encryption to the bucket, but not choose another key."""
    if algorithm == "aws:kms":
        yield {
            "Sid": "NoOtherKey",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "s3:PutObject",
            "Resource": Sub("${DataBucket.Arn}/*"),
            "Condition": {
                "ArnNotEqualsIfExists": {
                    "s3:x-amz-server-side-encryption-aws-kms-key-id": GetAtt("Key", "Arn")
                }
            },
        }


def _encryption(algorithm: str) -> s3.BucketEncryption:
    kms = algorithm == "aws:kms"
    default = s3.ServerSideEncryptionByDefault(
        SSEAlgorithm=algorithm, **({"KMSMasterKeyID": GetAtt("Key", "Arn")} if kms else {})
    )
    rule = s3.ServerSideEncryptionRule(
        ServerSideEncryptionByDefault=default, **({"BucketKeyEnabled": True} if kms else {})
    )
    return s3.BucketEncryption(ServerSideEncryptionConfiguration=[rule])


def _owner() -> s3.OwnershipControls:
    return s3.OwnershipControls(Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")])


def _lifecycle(site: Site) -> Iterator[s3.LifecycleRule]:
    """A rule per folder that asks for one, and one for what nobody sees: old versions and broken uploads."""
    spec = site.spec.storage
    for prefix in prefixes(site):
        if not prefix.transitions and not prefix.expire_after:
            continue
        rule = s3.LifecycleRule(Id=prefix.name, Prefix=f"{prefix.name}/", Status="Enabled")
        if prefix.transitions:
            rule.Transitions = [
                s3.LifecycleRuleTransition(
                    StorageClass=each.storage_class, TransitionInDays=each.after // DAY
                )
                for each in prefix.transitions
            ]
        if prefix.expire_after:
            rule.ExpirationInDays = prefix.expire_after // DAY
        yield rule
    yield s3.LifecycleRule(
        Id="old-versions",
        Status="Enabled",
        NoncurrentVersionExpiration=s3.NoncurrentVersionExpiration(
            NoncurrentDays=spec.noncurrent_expire_after // DAY
        ),
        AbortIncompleteMultipartUpload=s3.AbortIncompleteMultipartUpload(
            DaysAfterInitiation=spec.abort_uploads_after // DAY
        ),
        ExpiredObjectDeleteMarker=True,
    )
