"""Where it all runs: the region, its zones, and ranges of addresses."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from mlopsgen.aws.instance_types import regions
from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, nearest, rule
from mlopsgen.source.node import Path

# What an account sees, where that is not three (AWS documentation, "AWS Regions and Availability Zones"; the
# same numbers are in moto's table of zones).
ZONES = {"cn-north-1": 2, "us-west-1": 2, "ap-northeast-2": 4, "us-west-2": 4, "us-east-1": 6}

# A VPC is a /16 to a /28 (Amazon VPC user guide, "VPC CIDR blocks"); each of four zones takes an eighth of it
# for tasks, and what remains must hold four public subnets of at least a /28.
VPC_PREFIXES = range(16, 24)

_FORBIDDEN = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")))
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_DOCKER = IPv4Network("172.17.0.0/16")


@rule("E320")
def unknown_region(scene: Scene) -> Iterable[Finding]:
    """The region exists."""
    region = scene.site.spec.aws.region
    if region not in regions():
        path = ("spec", "aws", "region")
        yield Finding(path, f"AWS has no region `{region}`", nearest(region, regions(), "regions"))


@rule("E321")
def too_many_zones(scene: Scene) -> Iterable[Finding]:
    """The region has as many zones as the network spreads over."""
    vpc, region = scene.site.spec.network.vpc, scene.site.spec.aws.region
    has = ZONES.get(region, 3)
    if vpc and vpc.availability_zones > has and region in regions():
        path = ("spec", "network", "vpc", "availabilityZones")
        yield Finding(
            path, f"{region} gives an account {has} zones, not {vpc.availability_zones}", f"say {has}"
        )


def _ranges(scene: Scene) -> Iterator[tuple[Path, str]]:
    network = scene.site.spec.network
    if network.vpc:
        yield ("spec", "network", "vpc", "cidr"), network.vpc.cidr
    if network.existing:
        yield ("spec", "network", "existing", "cidr"), network.existing.cidr
    for index, service in enumerate(scene.site.spec.services):
        for place, cidr in enumerate(service.ingress.allow_from if service.ingress else ()):
            yield ("spec", "services", index, "ingress", "allowFrom", place), cidr


def _network(cidr: str) -> IPv4Network | None:
    """The range, or None if it is none: a number too large, or an address within a range."""
    try:
        return IPv4Network(cidr)
    except ValueError:
        return None


@rule("E322")
def ranges_of_addresses(scene: Scene) -> Iterable[Finding]:
    """A range of addresses starts where it says, and a VPC has room for its subnets."""
    for path, cidr in _ranges(scene):
        if _network(cidr) is None:
            yield Finding(path, f"`{cidr}` is no range of addresses", _start(cidr))
    vpc = scene.site.spec.network.vpc
    network = _network(vpc.cidr) if vpc else None
    if network is None:
        return
    path = ("spec", "network", "vpc", "cidr")
    if network.prefixlen not in VPC_PREFIXES:
        yield Finding(
            path,
            f"a VPC of /{network.prefixlen} is {'too large' if network.prefixlen < 16 else 'too small'}",
            f"take a /{VPC_PREFIXES[0]} to /{VPC_PREFIXES[-1]}, such as "
            f"`{network.network_address}/{min(max(network.prefixlen, 16), 23)}`",
        )
    for taken in _FORBIDDEN:
        if network.overlaps(taken):
            what = "is" if network.subnet_of(taken) else f"overlaps {taken}, which is"
            yield Finding(path, f"{network} {what} reserved", "take a part of 10.0.0.0/8")


def _start(cidr: str) -> str | None:
    """The range that a wrong one lies in, if its numbers are in bounds."""
    try:
        return f"the range starts at `{IPv4Network(cidr, strict=False)}`"
    except ValueError:
        return "an address has four numbers up to 255, and a length up to 32"


@rule("W320")
def public_addresses(scene: Scene) -> Iterable[Finding]:
    """Private networks use private addresses."""
    vpc = scene.site.spec.network.vpc
    network = _network(vpc.cidr) if vpc else None
    if network is None or any(network.overlaps(each) for each in _FORBIDDEN):
        return
    path = ("spec", "network", "vpc", "cidr")
    if not any(network.subnet_of(each) for each in _PRIVATE):
        yield Finding(
            path,
            f"{network} belongs to the internet: whoever is there cannot be reached",
            "take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )
    if network.overlaps(_DOCKER) and any(each.compute.ec2 for _, each in workloads(scene)):
        yield Finding(
            path, f"{network} overlaps {_DOCKER}, which Docker uses on instances", "take another range"
        )


@rule("E323")
def existing_subnets(scene: Scene) -> Iterable[Finding]:
    """Load balancers and tasks have two subnets each, and each subnet is of one kind."""
    existing = scene.site.spec.network.existing
    if not existing:
        return
    path: Path = ("spec", "network", "existing")
    for field, ids in (
        ("publicSubnetIds", existing.public_subnet_ids),
        ("privateSubnetIds", existing.private_subnet_ids),
    ):
        for name, count in Counter(ids).items():
            if count > 1:
                at = (*path, field, len(ids) - 1 - ids[::-1].index(name))
                yield Finding(at, f"`{name}` is given twice", "give subnets of two zones")
    for index, name in enumerate(existing.public_subnet_ids):
        if name in existing.private_subnet_ids:
            at = (*path, "publicSubnetIds", index)
            yield Finding(at, f"`{name}` is given as public and as private", "leave it in one of the two")
    for index, service in enumerate(scene.site.spec.services):
        ingress = service.ingress
        if ingress and ingress.scheme == "internet-facing" and len(set(existing.public_subnet_ids)) < 2:
            yield Finding(
                ("spec", "services", index, "ingress", "scheme"),
                "an internet-facing load balancer needs two public subnets",
                "name them in `network.existing.publicSubnetIds`, or take `scheme: internal`",
                (((*path,), f"has {len(set(existing.public_subnet_ids))}"),),
            )
