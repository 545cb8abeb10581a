"""Names that are made of the user's: how long AWS lets them be, and which it keeps for itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.components.base import Site

ACCOUNT = "0" * 12


def _names(site: Site) -> Iterator[tuple[str, str, int]]:
    """(what it is, its name, the most characters): names that a longer pipeline or environment breaks.

    Amazon S3 user guide, "Bucket naming rules"; IAM user guide, "IAM and AWS STS quotas".
    """
    for bucket in (site.data_bucket, site.log_bucket):
        yield "bucket", bucket.replace("${AWS::AccountId}", ACCOUNT), 63
    if site.github:
        yield "role", site.delivery_role, 64
        yield "role", site.stack_role, 64
    for role in site.spec.access.roles:
        yield "role", f"{site.prefix}-{role.name}", 64


@rule("E360")
def names_too_long(scene: Scene) -> Iterable[Finding]:
    """The names of the pipeline and of the environment leave room for what follows them."""
    site = scene.site
    over = [(len(name) - most, what, name, most) for what, name, most in _names(site) if len(name) > most]
    if over:
        much, what, name, most = max(over)
        yield Finding(
            ("metadata", "name"),
            f"{what} `{name}` of environment `{site.environment}` would have {len(name)} characters; "
            f"AWS takes {most}",
            f"shorten the pipeline's name, or the environment's, by {much} characters together",
        )


# Amazon ECS API reference, CreateCapacityProvider; AWS Systems Manager user guide, "Requirements and
# constraints for parameter names"; Amazon S3 user guide, "Bucket naming rules".
RESERVED = ("aws", "ssm", "ecs", "fargate", "sthree-", "amzn-s3-demo-")


@rule("E361")
def names_that_aws_keeps(scene: Scene) -> Iterable[Finding]:
    """No name starts as AWS's own do, or is one that mlopsgen gives."""
    name = scene.site.name
    start = next((each for each in RESERVED if name.startswith(each)), None)
    if start:
        message = f"AWS keeps names that start with `{start}` for itself"
        yield Finding(("metadata", "name"), message, "begin the name with something else, such as the team")
    for path, workload in workloads(scene):
        if workload.name == "vpc-flow-logs":
            message = "the log group of this name holds the network's flow logs"
            yield Finding((*path, "name"), message, "choose another name")


@rule("E362")
def labels_as_tags(scene: Scene) -> Iterable[Finding]:
    """A label becomes a tag: not one of AWS's or mlopsgen's own, and not one that differs in case alone.

    IAM user guide, "Rules for tagging in IAM and AWS STS".
    """
    seen: dict[str, str] = {}
    for key in scene.site.pipeline.metadata.labels:
        path = ("metadata", "labels", key)
        if key.lower().startswith(("aws:", "mlopsgen:")):
            owner = key.partition(":")[0]
            message = (
                f"tags that start with `{owner}:` are {'AWS' if owner.lower() == 'aws' else 'mlopsgen'}'s own"
            )
            yield Finding(path, message, "choose another key")
        first = seen.setdefault(key.lower(), key)
        if first != key:
            also = (((*path[:-1], first), "first given here"),)
            yield Finding(path, f"IAM does not tell `{key}` from `{first}`", "write both the same way", also)


@rule("E208")
def prefixes_named_like_the_contract(scene: Scene) -> Iterable[Finding]:
    """A prefix becomes a variable such as RAW_URI, which must not be one that means something else."""
    for index, each in enumerate(scene.site.spec.storage.prefixes):
        if each.name in ("model", "checkpoint"):
            variable = f"{each.name.upper()}_URI"
            yield Finding(
                ("spec", "storage", "prefixes", index, "name"),
                f"the variable {variable} of prefix `{each.name}` means something else to a container",
                "choose another name; docs/contracts.md lists what every container gets",
            )
