"""`spec.network`: a new VPC, or the ids of somebody else's."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Choice, Either, NotYet, Spec
from mlopsgen.language.values import DAY, Cidr, Duration, SubnetId, VpcId


class FlowLogsSpec(Spec):
    """A record of the traffic in the VPC, kept in CloudWatch Logs."""

    enabled: bool = True
    """`false`: there is no record."""

    traffic: Literal["ALL", "ACCEPT", "REJECT"] = "REJECT"
    """Which traffic is recorded."""

    retention: Duration = 90 * DAY
    """How long the records are kept: a number of days that CloudWatch Logs offers."""


class VpcSpec(Spec):
    """A new VPC: public subnets for load balancers, private ones for tasks."""

    cidr: Cidr = "10.0.0.0/16"
    """The range of addresses. Cannot be changed: all that is in the VPC would need another one, so make another environment. Take another for each network that will ever be joined. More `availabilityZones` leave the ranges of the first ones as they are."""

    availability_zones: Annotated[int, Field(ge=2, le=4)] = 2
    """How many zones the subnets spread over. It can be raised, and not lowered: what runs in the zone would lose its routes before it has left, and the subnets would stay behind."""

    nat_gateways: Literal["none", "single", "perZone"] = "single"
    """How tasks in private subnets reach the internet. With `none` they reach AWS through endpoints alone. A change cuts the connections that tasks have to the outside, and gives them other public addresses."""

    flow_logs: FlowLogsSpec = Field(default_factory=FlowLogsSpec)
    """The record of traffic."""

    endpoints: NotYet = None
    """Beside those that are needed: further interface endpoints, such as `bedrock-runtime`."""


class ExistingNetworkSpec(Spec):
    """A VPC that somebody else owns. It is used and never changed."""

    vpc_id: VpcId
    """The VPC's id."""

    cidrs: Annotated[tuple[Cidr, ...], Field(min_length=1)]
    """All ranges of the VPC, for the rules of internal balancers."""

    public_subnet_ids: tuple[SubnetId, ...] = ()
    """Subnets with a route to an internet gateway, for internet-facing balancers; of two zones or more."""

    private_subnet_ids: Annotated[tuple[SubnetId, ...], Field(max_length=16)] = ()
    """Subnets for tasks and internal balancers; at most 16, and of two zones or more for a balancer."""


class NetworkSpec(Either):
    """Where tasks and load balancers get their addresses.

    A pipeline that is deployed stays in its VPC: load balancers and file systems cannot move to another. Make another environment there, move the callers over, and take the first away.
    """

    vpc: Annotated[VpcSpec | None, Choice(default=True)] = None
    """A new VPC."""

    existing: Annotated[ExistingNetworkSpec | None, Choice()] = None
    """Somebody else's."""

    task_subnets: NotYet = None
    """`private` or `public`. `public`: tasks on Fargate get public addresses and need no NAT; nobody can connect to them all the same."""
