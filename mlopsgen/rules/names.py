"""Names that are made of the user's: how long AWS lets them be, and which it keeps for itself."""

from __future__ import annotations

from collections.abc import Iterable

from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.components.registry import image_name, logical
from mlopsgen.source.node import Path

ACCOUNT = "0" * 12


MAX_BUCKET = 63
"""Characters (Amazon S3 user guide, "Bucket naming rules"). No other name comes as close to its limit."""


@rule("E360")
def names_too_long(scene: Scene) -> Iterable[Finding]:
    """The names of the pipeline and of the environment leave room for what follows them."""
    site = scene.site
    name = site.data_bucket.replace("${AWS::AccountId}", ACCOUNT)
    if len(name) > MAX_BUCKET:
        yield Finding(
            ("metadata", "name"),
            f"bucket `{name}` would have {len(name)} characters; AWS takes {MAX_BUCKET}",
            f"shorten `{site.name}` and the environment's name, `{site.environment}`, by "
            f"{len(name) - MAX_BUCKET} characters together",
        )


@rule("E304")
def names_alike(scene: Scene) -> Iterable[Finding]:
    """Names differ in more than a hyphen: without it they name resources of stacks that they share."""
    seen: dict[tuple[str, str], tuple[Path, str]] = {}
    for path, workload in workloads(scene):
        for kind, name in (("component", workload.name), ("image", image_name(workload))):
            first_path, first = seen.setdefault((kind, logical(name)), (path, name))
            if first != name and (kind == "component" or workload.image.name):
                at = (*path, "name") if kind == "component" else (*path, "image", "name")
                also = (((*first_path, "name"), "called so here"),)
                message = f"`{name}` and `{first}` would both be `{logical(name)}` in templates"
                yield Finding(at, message, "let them differ in more than a hyphen", also)


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
            yield Finding(path, message, "choose another key", key=True)
        if "=" in key:
            message = "`aws cloudformation deploy` takes what comes after the first `=` for the tag's value"
            yield Finding(path, message, "choose a key without `=`", key=True)
        first = seen.setdefault(key.lower(), key)
        if first != key:
            also = (((*path[:-1], first), "first given here"),)
            yield Finding(
                path, f"IAM does not tell `{key}` from `{first}`", "write both the same way", also, key=True
            )


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
