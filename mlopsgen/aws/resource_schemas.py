"""What each property of CloudFormation's resource types takes: types, choices, patterns, what is required.

The table beside this file is made by `python -m mlopsgen.aws.refresh schemas` from the registry's schemas
(CloudFormation CLI user guide, "Resource type schema"), as cfn-lint carries and corrects them. It holds the
types that components declare; only who patches one reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from mlopsgen.aws.resource_types import resource_type

Schema: TypeAlias = Mapping[str, Any]
"""A JSON Schema, or a part of one."""

TABLE = Path(__file__).with_name("resource_schemas.txt")

SOURCE = "The registry's schemas of CloudFormation, as in cfn-lint "
"""How the table's first line begins; the version follows."""


@cache
def schema(name: str) -> Schema | None:
    """The schema of a type, such as `AWS::ECS::Service`, or None if the table has none. Not to be changed."""
    text, head = _text(), f"\n{name} "
    place = text.find(head)
    if place < 0:
        return None
    found: Schema = json.loads(text[place + len(head) : text.index("\n", place + 1)])
    return found


def attributes(name: str) -> frozenset[str]:
    """What `Fn::GetAtt` gives of a type of the table, such as `Arn` or `Endpoint.Address`."""
    stated = schema(name) or {}
    given = {path.replace("/", ".") for path in resource_type(name).read_only if "*" not in path}
    return frozenset(given | stated["properties"].keys() if name in _WHOLE else given)


def identified_by_arn(name: str) -> bool:
    """Whether `Ref` gives the ARN of a resource of the type, as far as its schema says."""
    return any(each.lower().endswith("arn") for each in resource_type(name).identifier)


def source_version() -> str:
    """The version of cfn-lint that the table was made from."""
    return _text().partition("\n")[0].removeprefix(f"# {SOURCE}").partition(",")[0]


_WHOLE = frozenset({
    "AWS::AutoScaling::AutoScalingGroup", "AWS::EC2::SecurityGroup", "AWS::EC2::Subnet", "AWS::EC2::VPC",
    "AWS::EFS::MountTarget", "AWS::ElasticLoadBalancingV2::LoadBalancer", "AWS::SNS::Topic",
    "AWS::SQS::Queue", "AWS::SSM::Parameter",
})  # fmt: skip
"""Types that give each property that was set too, unlike what the registry says (cfn-lint's list)."""


@cache
def _text() -> str:
    return TABLE.read_text(encoding="utf-8")
