"""`spec.network`: a new VPC, or the ids of an existing one."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Cidr, Spec
from mlopsgen.spec.quantities import Duration

SubnetId = Annotated[str, Field(pattern=r"^subnet-[0-9a-f]{8,17}$")]
"""A subnet's id such as `subnet-0123456789abcdef0`."""


class FlowLogsSpec(Spec):
    """A record of the traffic in the VPC, kept in CloudWatch Logs."""

    traffic: Literal["ALL", "ACCEPT", "REJECT"] = "REJECT"
    """Which traffic is recorded."""

    retention: Duration = 90 * 86400
    """How long the records are kept."""


class VpcSpec(Spec):
    """A VPC of its own: public subnets for load balancers, private ones for tasks."""

    cidr: Cidr = "10.0.0.0/16"
    """The range of addresses; each subnet takes a part of it."""

    availability_zones: Annotated[int, Field(ge=2, le=4)] = 2
    """How many zones the subnets spread over."""

    nat_gateways: Literal["none", "single", "perZone"] = "single"
    """How tasks reach the internet. With `none` they reach AWS through interface endpoints alone."""

    flow_logs: FlowLogsSpec | None = Field(default_factory=FlowLogsSpec)
    """The record of traffic; `null` turns it off."""


class ExistingNetworkSpec(Spec):
    """A VPC that somebody else owns."""

    vpc_id: Annotated[str, Field(pattern=r"^vpc-[0-9a-f]{8,17}$")]
    """The VPC's id."""

    cidr: Cidr
    """The VPC's range of addresses, for the rules of internal load balancers."""

    public_subnet_ids: tuple[SubnetId, ...] = ()
    """Subnets with a route to an internet gateway, for internet-facing load balancers."""

    private_subnet_ids: Annotated[tuple[SubnetId, ...], Field(min_length=2)]
    """Subnets for tasks and internal load balancers, in at least two zones. They must reach ECR, S3 and CloudWatch Logs."""


class NetworkSpec(Spec):
    """Where tasks and load balancers get their addresses: `vpc` or `existing`, not both."""

    vpc: VpcSpec | None = None
    """A new VPC. This is the default."""

    existing: ExistingNetworkSpec | None = None
    """The ids of a VPC that is already there."""
