"""Values of templates: literals, CloudFormation's functions, and references to what another stack has.

A component writes a reference where the value belongs, such as `VpcId=VPC_ID`. Lowering makes of it the
template's parameter, the edge between the two stacks, and with it the order of their deployment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from troposphere import AWSHelperFn

from mlopsgen.model.names import logical

Value: TypeAlias = str | AWSHelperFn
"""A string, or a function of CloudFormation that becomes one."""

Body: TypeAlias = bool | int | float | str | AWSHelperFn | Sequence["Body"] | Mapping[str, "Body"] | None
"""A part of a resource, functions and references among it, before troposphere has checked it."""


@dataclass(frozen=True)
class Published(AWSHelperFn):  # type: ignore[misc]  # troposphere is untyped
    """A value that one stack publishes as an SSM parameter and others take in.

    Exports would lock the stacks together: an exported value cannot change while it is imported (AWS
    CloudFormation user guide, "Get exported outputs from a deployed CloudFormation stack").
    """

    stack: str
    """The stack that publishes it."""
    key: str
    """The SSM parameter's name below the environment's prefix, such as `network/vpc-id`."""
    type: str = "String"
    """CloudFormation's type of the value, such as `AWS::EC2::VPC::Id` or `List<AWS::EC2::Subnet::Id>`."""
    description: str = ""
    """What it is, for the parameter's description."""

    @property
    def parameter(self) -> str:
        """The template parameter that takes it in.

        Its name follows from the key: `aws cloudformation deploy` passes the previous value of a parameter
        whose name stays, and so the name of an SSM parameter that is no longer there.
        """
        return logical(self.key)

    @property
    def data(self) -> dict[str, str]:
        """What troposphere writes of it."""
        return {"Ref": self.parameter}


@dataclass(frozen=True, eq=False)
class Named(AWSHelperFn):  # type: ignore[misc]  # troposphere is untyped
    """A value of another stack that is known beforehand, such as a cluster's name."""

    stack: str
    """The stack that makes what is named."""
    value: Value
    """The name itself."""

    @property
    def data(self) -> Value:
        """What troposphere writes of it."""
        return self.value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Named) and self._written == other._written

    def __hash__(self) -> int:
        return hash(self._written)

    @property
    def _written(self) -> tuple[str, str]:
        """What tells it from others; troposphere compares functions by writing JSON, which takes long."""
        return self.stack, repr(getattr(self.value, "data", self.value))


Reference: TypeAlias = Published | Named
