"""How something joins the network: the VPC, its subnets and its range, of the pipeline's own or of somebody else's."""

from __future__ import annotations

from mlopsgen.components.network.spec import VpcSpec
from mlopsgen.model.site import Site
from mlopsgen.model.values import Published, Value

EVERYWHERE = "0.0.0.0/0"

VPC_ID = Published("network", "network/vpc-id", "AWS::EC2::VPC::Id", "The VPC")
PUBLIC_SUBNETS = Published(
    "network", "network/public-subnet-ids", "List<AWS::EC2::Subnet::Id>", "For load balancers"
)
PRIVATE_SUBNETS = Published(
    "network", "network/private-subnet-ids", "List<AWS::EC2::Subnet::Id>", "For tasks"
)


def vpc(site: Site) -> VpcSpec | None:
    """The new VPC's spec; None if the network is somebody else's."""
    return None if site.spec.network.existing else site.spec.network.vpc or VpcSpec()


def vpc_id(site: Site) -> Value:
    """The VPC's id."""
    existing = site.spec.network.existing
    return existing.vpc_id if existing else VPC_ID


def public_subnets(site: Site) -> list[str] | Published:
    """The ids of the subnets for internet-facing load balancers."""
    existing = site.spec.network.existing
    return list(existing.public_subnet_ids) if existing else PUBLIC_SUBNETS


def private_subnets(site: Site) -> list[str] | Published:
    """The ids of the subnets for tasks, instances and internal load balancers."""
    existing = site.spec.network.existing
    return list(existing.private_subnet_ids) if existing else PRIVATE_SUBNETS


def ranges(site: Site) -> tuple[str, ...]:
    """The ranges of addresses of the network, in CIDR notation."""
    existing = site.spec.network.existing
    if existing:
        return tuple(sorted(existing.cidrs))
    return ((site.spec.network.vpc or VpcSpec()).cidr,)
