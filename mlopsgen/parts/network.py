"""How something joins the network: VPC, subnets and range, of the pipeline's own or of somebody else's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from troposphere import GetAtt, ec2

from mlopsgen.components.network.spec import VpcSpec
from mlopsgen.model.binding import Binding, Connection, WayOut
from mlopsgen.model.plan import Declaration
from mlopsgen.model.site import Site
from mlopsgen.model.values import Published, Value
from mlopsgen.parts.resource import Scope

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


NOWHERE = ec2.SecurityGroupRule(IpProtocol="-1", CidrIp="127.0.0.1/32", Description="Nowhere by itself")
"""In a group without another rule outwards, to which EC2 would give one that lets everything out (Amazon EC2
API reference, `CreateSecurityGroup`)."""


def peer_rule(peer: str, port: int, description: str, *, way: str) -> ec2.SecurityGroupRule:
    """A rule of a security group for a range, a group or a prefix list. `way`: `Source` or `Destination`."""
    word = {"sg-": f"{way}SecurityGroupId", "pl-": f"{way}PrefixListId"}.get(peer[:3], "CidrIp")
    return ec2.SecurityGroupRule(
        IpProtocol="tcp", FromPort=port, ToPort=port, **{word: peer}, Description=description
    )


def ways_out(binding: Binding) -> list[ec2.SecurityGroupRule]:
    """The rules outwards that a workload's security group has from the start, each peer and port once."""
    taken = {(each.group, each.port) for each in binding.connections if isinstance(each.group, str)}
    first: dict[tuple[str, int], WayOut] = {}
    for each in binding.ways_out:
        if (each.peer, each.port) not in taken:
            first.setdefault((each.peer, each.port), each)
    rules = [peer_rule(each.peer, each.port, each.description, way="Destination") for each in first.values()]
    return rules or [NOWHERE]


def connection_rules(scope: Scope, connections: Iterable[Connection]) -> Iterator[Declaration]:
    """The rules that let a workload's `SecurityGroup` connect to others: its way out, and their way in.

    An ECS service depends on them (`connection_rule_ids`): its first tasks may need what they reach.
    """
    for each in _distinct(connections):
        place = {
            "IpProtocol": "tcp",
            "FromPort": each.port,
            "ToPort": each.port,
            "Description": each.description,
        }
        own = GetAtt("SecurityGroup", "GroupId")
        yield scope.resource(
            ec2.SecurityGroupEgress(
                f"{each.id}Egress", GroupId=own, DestinationSecurityGroupId=each.group, **place
            )
        )
        if each.owned:
            yield scope.resource(
                ec2.SecurityGroupIngress(
                    f"{each.id}Ingress", GroupId=each.group, SourceSecurityGroupId=own, **place
                )
            )


def connection_rule_ids(connections: Iterable[Connection]) -> list[str]:
    """The logical ids of those rules, for `DependsOn`."""
    return [
        f"{each.id}{way}"
        for each in _distinct(connections)
        for way in (("Egress", "Ingress") if each.owned else ("Egress",))
    ]


def _distinct(connections: Iterable[Connection]) -> list[Connection]:
    """One for each group and port, whatever it is needed for: EC2 takes no rule twice.

    Their descriptions do not tell them apart (EC2 API reference, `AuthorizeSecurityGroupEgress`:
    `InvalidPermission.Duplicate`).
    """
    first: dict[tuple[Value, int], Connection] = {}
    for each in sorted(connections, key=lambda each: each.id):
        first.setdefault((each.group, each.port), each)
    return list(first.values())
