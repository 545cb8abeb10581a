"""Tags on everything that takes tags, each resource in its own form."""

from __future__ import annotations

from collections.abc import Iterable

from troposphere import Tags

from mlopsgen.plan import Resource

# What the console shows by nothing else than a tag called Name.
_NAMELESS = frozenset(
    f"AWS::EC2::{kind}"
    for kind in (
        "EIP", "FlowLog", "InternetGateway", "NatGateway", "RouteTable", "SecurityGroup", "Subnet",
        "VPC", "VPCEndpoint",
    )
)  # fmt: skip


# These take the stack's own tags, which deploy.sh and the Git sync files give; moto, on which a deployment
# is rehearsed, cannot create them with tags in the template.
_BY_STACK = frozenset({"AWS::KMS::Key", "AWS::SSM::Parameter"})


def tag(resources: Iterable[Resource], prefix: str, tags: tuple[tuple[str, str], ...]) -> None:
    """Put `tags` on each resource that takes them; tags that it has already stay."""
    for resource in resources:
        body, own = resource.body, tags
        if body.resource_type in _NAMELESS:
            own = (("Name", f"{prefix}-{resource.logical_id}"), *tags)
        if body.resource_type == "AWS::EC2::LaunchTemplate":
            _tag_launched(body, own)
        elif "Tags" not in body.props or "Tags" in body.properties or body.resource_type in _BY_STACK:
            continue
        elif body.resource_type == "AWS::AutoScaling::AutoScalingGroup":
            body.Tags = _propagated(own)
        else:
            body.Tags = _list(own)


def _list(tags: tuple[tuple[str, str], ...]) -> Tags:
    """In the order given: `Tags` itself would sort by key only what it is given by keyword."""
    result = Tags()
    result.tags = [{"Key": key, "Value": value} for key, value in tags]
    return result


def _propagated(tags: tuple[tuple[str, str], ...]) -> object:
    from troposphere import autoscaling

    return autoscaling.Tags(**{key: (value, True) for key, value in (*tags, ("AmazonECSManaged", "true"))})


def _tag_launched(body: object, tags: tuple[tuple[str, str], ...]) -> None:
    """What is started from the template: instances and their volumes; and the template itself."""
    from troposphere import ec2

    data = body.LaunchTemplateData  # type: ignore[attr-defined]
    data.TagSpecifications = [
        ec2.TagSpecifications(ResourceType=kind, Tags=_list(tags)) for kind in ("instance", "volume")
    ]
    body.TagSpecifications = [  # type: ignore[attr-defined]
        ec2.TagSpecifications(ResourceType="launch-template", Tags=_list(tags))
    ]
