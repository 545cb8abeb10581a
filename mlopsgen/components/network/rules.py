"""Where it all runs: the region, its zones, ranges of addresses, and what tasks can reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from mlopsgen.aws.instance_types import regions, source
from mlopsgen.components.images.binding import PRIVATE
from mlopsgen.components.network.resources import subnets
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.model.site import Balancer
from mlopsgen.model.workload import Workload
from mlopsgen.parts.scaling import bounds
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule

# What an account sees, where that is not three (AWS documentation, "AWS Regions and Availability Zones"; for China
# docs.amazonaws.cn, "General information": Beijing has three).
ZONES = {"us-west-1": 2, "ap-northeast-2": 4, "us-west-2": 4, "us-east-1": 6}

# A VPC is a /16 to a /28 (Amazon VPC user guide, "VPC CIDR blocks"); each of four zones takes an eighth of it
# for tasks, and what remains must hold four public subnets of at least a /27.
VPC_PREFIXES = range(16, 25)

# AWS keeps the first four addresses of a subnet and the last (Amazon VPC user guide, "Subnet sizing").
KEPT = 5

_FORBIDDEN = tuple(map(IPv4Network, ("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4")))
_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")))
_DOCKER = IPv4Network("172.17.0.0/16")

_CIDR: SpecPath = ("spec", "network", "vpc", "cidr")


APART = frozenset((
    "eu-isoe-west-1", "eusc-de-east-1", "us-iso-east-1", "us-iso-west-1", "us-isob-east-1", "us-isob-west-1",
    "us-isof-east-1", "us-isof-south-1",
))  # fmt: skip
"""Regions of partitions of which the tables here know nothing more (botocore's `partitions.json`)."""


@rule(
    "E320",
    "an unknown region",
    "The region is named as AWS names it, such as `eu-west-1`.",
    "spec: {aws: {region: eu-west-9}}",
    "spec: {aws: {region: eu-west-2}}",
    source=source,
)
def unknown_region(scene: Scene) -> Iterable[Finding]:
    """The region exists."""
    region = scene.site.region
    if region not in regions() and region not in APART:
        path = ("spec", "aws", "region")
        yield Finding(path, f"AWS has no region `{region}`", _region(region))


def _region(word: str) -> str:
    """The region that was meant; a number that does not exist says nothing about which other one was."""
    stem, number = word.rsplit("-", 1)
    beside = sorted(name for name in regions() if name.rsplit("-", 1)[0] == stem)
    if beside:
        return f"there are: {', '.join(beside)}"
    close = closest(stem, {name.rsplit("-", 1)[0] for name in regions()})
    meant = f"{close}-{number}"
    return f"did you mean `{meant}`?" if meant in regions() else "`aws account list-regions` lists them"


@rule(
    "E321",
    "more zones than the region has",
    "Most regions give an account three availability zones, few give two, four or six.",
    "spec: {network: {vpc: {availabilityZones: 4}}}",
    "spec: {network: {vpc: {availabilityZones: 3}}}",
)
def too_many_zones(scene: Scene) -> Iterable[Finding]:
    """The region has as many zones as the network spreads over."""
    vpc, region = scene.site.spec.network.vpc, scene.site.region
    has = ZONES.get(region, 3)
    if vpc and vpc.availability_zones > has and region in regions():
        path = ("spec", "network", "vpc", "availabilityZones")
        message = f"{region} gives an account {has} zones, not {vpc.availability_zones}"
        yield Finding(path, message, f"say {has}")


def _ranges(scene: Scene) -> Iterator[tuple[SpecPath, str]]:
    spec = scene.site.spec
    if spec.network.vpc:
        yield _CIDR, spec.network.vpc.cidr
    if spec.network.existing:
        yield from each(("spec", "network", "existing", "cidrs"), spec.network.existing.cidrs)
    for path, balancer in each(("spec", "loadBalancers"), spec.load_balancers):
        for at, peer in each((*path, "allowFrom"), balancer.allow_from or ()):
            if "/" in peer:
                yield at, peer
    for path, workload in workloads(scene):
        for at, way in each((*path, "egress"), workload.egress):
            for place, peer in each((*at, "to"), way.to):
                if "/" in peer:
                    yield place, peer


def _network(cidr: str) -> IPv4Network | None:
    """The range, or None if it is none: a number too large, or an address within a range."""
    try:
        return IPv4Network(cidr)
    except ValueError:
        return None


def _own(scene: Scene) -> IPv4Network | None:
    """The range of the pipeline's own VPC, if it has one and that is a range."""
    vpc = scene.site.spec.network.vpc
    return _network(vpc.cidr) if vpc else None


@rule(
    "E322",
    "no range of addresses, or one that a VPC cannot have",
    """A range such as `10.20.0.0/16` starts with its first address. A VPC is a /16 to a /24 here: it is
    divided into private and public subnets for four zones, each of a /27 at least, as load balancers need it. An
    existing one has ranges of /16 to /28.""",
    "spec: {network: {vpc: {cidr: 10.20.0.0/26}}}",
    "spec: {network: {vpc: {cidr: 10.20.0.0/20}}}",
)
def ranges_of_addresses(scene: Scene) -> Iterable[Finding]:
    """A range of addresses starts where it says, and a VPC has room for its subnets."""
    for path, cidr in _ranges(scene):
        if _network(cidr) is None:
            yield Finding(path, f"`{cidr}` is no range of addresses", _start(cidr))
    yield from _existing(scene)
    network = _own(scene)
    if network is None:
        return
    if network.prefixlen not in VPC_PREFIXES:
        yield Finding(
            _CIDR,
            f"a VPC of /{network.prefixlen} is {'too large' if network.prefixlen < 16 else 'too small'}",
            f"take a /{VPC_PREFIXES[0]} to /{VPC_PREFIXES[-1]}, such as "
            f"`{network.network_address}/{min(max(network.prefixlen, VPC_PREFIXES[0]), VPC_PREFIXES[-1])}`",
        )
    for taken in _FORBIDDEN:
        if network.overlaps(taken):
            what = "is" if network.subnet_of(taken) else f"overlaps {taken}, which is"
            yield Finding(_CIDR, f"{network} {what} reserved", "take a part of 10.0.0.0/8")


# Amazon VPC user guide, "VPC CIDR blocks".
_OF_A_VPC = range(16, 29)


def _existing(scene: Scene) -> Iterator[Finding]:
    """Somebody else's VPC has ranges that AWS lets a VPC have."""
    existing = scene.site.spec.network.existing
    for path, cidr in each(("spec", "network", "existing", "cidrs"), existing.cidrs if existing else ()):
        network = _network(cidr)
        if network is None:
            continue
        if any(network.overlaps(taken) for taken in _FORBIDDEN):
            yield Finding(path, f"{network} is reserved: no VPC has it", "name the ranges of the VPC")
        elif network.prefixlen not in _OF_A_VPC:
            yield Finding(
                path,
                f"no VPC has a /{network.prefixlen}: its ranges are /16 to /28",
                "name those of the VPC; callers from elsewhere stand in `loadBalancers[].allowFrom`",
            )


def _start(cidr: str) -> str:
    """The range that a wrong one lies in, if its numbers are in bounds."""
    try:
        return f"the range starts at `{IPv4Network(cidr, strict=False)}`"
    except ValueError:
        return "an address has four numbers up to 255, and a length up to 32"


@rule(
    "W320",
    "addresses that are not private",
    """A network of its own uses addresses that the internet does not (RFC 1918, RFC 6598): whoever has them
    there cannot be reached from inside. On instances, Docker's own range is in the way too.""",
    "spec: {network: {vpc: {cidr: 52.20.0.0/16}}}",
    "spec: {network: {vpc: {cidr: 10.20.0.0/16}}}",
)
def public_addresses(scene: Scene) -> Iterable[Finding]:
    """Private networks use private addresses."""
    network = _own(scene)
    if network is None or any(network.overlaps(taken) for taken in _FORBIDDEN):
        return
    if not any(network.subnet_of(private) for private in _PRIVATE):
        yield Finding(
            _CIDR,
            f"{network} belongs to the internet: whoever is there cannot be reached",
            "take a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
        )
    if network.overlaps(_DOCKER) and any(workload.on_instances for workload in scene.site.workloads):
        message = f"{network} overlaps {_DOCKER}, which Docker uses on instances"
        yield Finding(_CIDR, message, "take another range")


@rule(
    "E323",
    "subnets of an existing network that do not do",
    """Tasks and load balancers need two subnets each, in two zones, and a subnet is public or private. An
    internet-facing load balancer needs two public ones.""",
    """
    spec:
      network:
        existing:
          vpcId: vpc-0123456789abcdef0
          cidrs: [10.0.0.0/16]
          privateSubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef0]
    """,
    """
    spec:
      network:
        existing:
          vpcId: vpc-0123456789abcdef0
          cidrs: [10.0.0.0/16]
          privateSubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
    """,
)
def existing_subnets(scene: Scene) -> Iterable[Finding]:
    """Load balancers have two subnets each, tasks have some, and each subnet is of one kind."""
    existing = scene.site.spec.network.existing
    if not existing:
        return
    path: SpecPath = ("spec", "network", "existing")
    for field, ids in (
        ("publicSubnetIds", existing.public_subnet_ids),
        ("privateSubnetIds", existing.private_subnet_ids),
    ):
        for name, count in Counter(ids).items():
            if count > 1:
                at = (*path, field, len(ids) - 1 - ids[::-1].index(name))
                yield Finding(at, f"`{name}` is given twice", "give subnets of two zones")
    for at, name in each((*path, "publicSubnetIds"), existing.public_subnet_ids):
        if name in existing.private_subnet_ids:
            yield Finding(at, f"`{name}` is given as public and as private", "leave it in one of the two")
    if scene.site.workloads and not existing.private_subnet_ids:
        message = "tasks need private subnets, and none is named"
        yield Finding(path, message, "name them in `privateSubnetIds`")
    yield from _for_balancers(
        scene, len(set(existing.public_subnet_ids)), len(set(existing.private_subnet_ids))
    )


def _for_balancers(scene: Scene, public: int, private: int) -> Iterator[Finding]:
    path: SpecPath = ("spec", "network", "existing")
    for balancer in scene.site.balancers:
        has = public if balancer.public else private
        if has >= 2 or (not balancer.public and not private):
            continue
        kind, field = ("public", "publicSubnetIds") if balancer.public else ("private", "privateSubnetIds")
        yield Finding(
            path,
            f"the load balancer `{balancer.name}` needs two {kind} subnets, and has {has}",
            f"name them in `network.existing.{field}`",
            ((_named(balancer), "the load balancer"),),
        )


def _named(balancer: Balancer) -> SpecPath:
    """Where a balancer's name stands, or else a route that leads through it."""
    return (*balancer.origin, "name") if balancer.origin[1] == "loadBalancers" else balancer.origin


@rule(
    "E324",
    "out of reach without a NAT gateway",
    """With `natGateways: none` tasks reach AWS through endpoints alone: images of ECR and secrets of this
    region. What lies elsewhere they cannot have, nor a way out to it; a private range may be joined to the VPC.""",
    """
    spec:
      network: {vpc: {natGateways: none}}
      services: [{name: proxy, image: 'public.ecr.aws/docker/library/nginx:1.27'}]
    """,
    """
    spec:
      network: {vpc: {natGateways: none}}
      services: [{name: proxy, image: '123456789012.dkr.ecr.eu-west-1.amazonaws.com/nginx:1.27'}]
    """,
)
def out_of_reach(scene: Scene) -> Iterable[Finding]:
    """Where there is no way out, every image lies in this region's ECR, and nobody connects to the internet."""
    vpc = scene.site.spec.network.vpc
    if not vpc or vpc.nat_gateways != "none":
        return
    also = ((("spec", "network", "vpc", "natGateways"), "no way out"),)
    for path, workload in workloads(scene):
        image = workload.image
        found = PRIVATE.match(image)
        if (":" in image or "@" in image) and (not found or found[2] != scene.site.region):
            yield Finding(
                (*path, "image"),
                f"`{image}` is not in ECR in {scene.site.region}, and tasks reach nothing else",
                "copy the image there, or take `natGateways: single`",
                also,
            )
        for at, way in each((*path, "egress"), workload.egress):
            for place, peer in each((*at, "to"), way.to):
                if "/" in peer and _of_the_internet(peer):
                    yield Finding(
                        place,
                        f"no task gets to {peer} without a NAT gateway",
                        "name the VPC's own range or one that is joined to it, or take `natGateways: single`",
                        also,
                    )


def _of_the_internet(cidr: str) -> bool:
    """Whether a range lies outside of the private ones, or reaches out of them."""
    network = _network(cidr)
    return network is not None and not any(network.subnet_of(private) for private in _PRIVATE)


@rule(
    "E326",
    "more tasks than addresses",
    """Every task has an address of its own in a private subnet. An eighth of the VPC for each zone must hold
    the most tasks that the pipeline may run, without those of a deployment.""",
    """
    spec:
      network: {vpc: {cidr: 10.0.0.0/23}}
      services: [{name: api, replicas: {min: 200}}]
    """,
    """
    spec:
      network: {vpc: {cidr: 10.0.0.0/16}}
      services: [{name: api, replicas: {min: 200}}]
    """,
)
def more_tasks_than_addresses(scene: Scene) -> Iterable[Finding]:
    """The private subnets hold all tasks at once."""
    vpc, network = scene.site.spec.network.vpc, _own(scene)
    if not vpc or network is None or network.prefixlen not in VPC_PREFIXES:
        return
    private = [cidr for _, cidr in subnets(vpc.cidr)[: vpc.availability_zones]]
    room = sum(IPv4Network(cidr).num_addresses - KEPT for cidr in private)
    tasks = sum(map(_most, scene.site.workloads))
    if tasks > room:
        most = max(scene.site.workloads, key=_most)
        yield Finding(
            _CIDR,
            f"{tasks:,} tasks may run, and the private subnets of {network} have {room:,} addresses",
            "take a larger range, or more `availabilityZones`",
            (((*most.origin, "replicas"), f"up to {_most(most):,} of them"),),
        )


def _most(workload: Workload) -> int:
    """The most tasks at any time, whatever a schedule makes of its bounds."""
    return max(most for _, most in bounds(workload.replicas)) if workload.replicas else 1
