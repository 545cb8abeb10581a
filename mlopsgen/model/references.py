"""How a value gets from one stack to another: an SSM parameter, written by one and read by the others.

Exports would lock the stacks together: an exported value cannot change while it is imported.
"""

from __future__ import annotations

from troposphere import Ref, ssm

from mlopsgen.components.base import Site
from mlopsgen.plan import Parameter, Resource, Value
from mlopsgen.source.node import Path

KEY_ARN = "foundation/key-arn"
TOPIC_ARN = "foundation/topic-arn"
VPC_ID = "network/vpc-id"
PRIVATE_SUBNETS = "network/private-subnet-ids"
PUBLIC_SUBNETS = "network/public-subnet-ids"


def publish(
    site: Site, stack: str, logical_id: str, key: str, value: Value, origin: Path, *, many: bool = False
) -> Resource:
    """Tell the other stacks `value` under `key`; `many` for a list joined by commas."""
    body = ssm.Parameter(
        logical_id,
        Name=site.parameter(key),
        Type="StringList" if many else "String",
        Value=value,
        Description=f"{key} of {site.prefix}, read by its other stacks",
    )
    return Resource(stack, logical_id, body, origin)


def take(site: Site, stack: str, name: str, key: str, type_: str, description: str) -> tuple[Ref, Parameter]:
    """Read what another stack published under `key`, as template parameter `name`.

    `type_` is CloudFormation's inner type, such as `String` or `List<AWS::EC2::Subnet::Id>`.
    """
    parameter = Parameter(
        stack, name, f"AWS::SSM::Parameter::Value<{type_}>", description, default=site.parameter(key)
    )
    return Ref(name), parameter
