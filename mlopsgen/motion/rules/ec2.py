"""Networks: addresses, subnets, gateways, groups, and what instances are started from."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network, ip_network

from mlopsgen.aws.instance_types import find
from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Claim, Event, Said, World, exclusive, on
from mlopsgen.motion.stacks import Json

_ANOTHER_VPC = "make a second environment with the other network, move callers there, and take this one down"
_INTERFACES = (
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::EC2::NatGateway",
    "AWS::EC2::VPCEndpoint",
    "AWS::ECS::Service",
    "AWS::EFS::MountTarget",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
)
"""Types that have network interfaces in subnets."""


@on(
    "gateway-in-use",
    "fails",
    ("delete",),
    ("AWS::EC2::VPCGatewayAttachment",),
    instead=_ANOTHER_VPC,
    source="EC2 API reference, DetachInternetGateway: the VPC must not contain running "
    "instances with Elastic IP "
    "addresses or public IPv4 addresses (aws-cdk issue 16869)",
)
def _gateway(event: Event) -> Iterator[Said]:
    """The internet gateway cannot leave a VPC in which something has a public address."""
    for each in event.world.of("AWS::EC2::NatGateway", "AWS::ElasticLoadBalancingV2::LoadBalancer"):
        if each.word("Scheme") == "internal" or each.word("ConnectivityType") == "private":
            continue
        if event.old.word("VpcId") in _vpcs(each, event.world):
            yield Said(f"{each.title} has public addresses there")
            return


@exclusive(
    "address-in-use",
    ("AWS::EC2::NatGateway",),
    instead="let the address be replaced together with the gateway",
    source="EC2 API reference, CreateNatGateway: an Elastic IP address goes to one gateway "
    "(pulumi-aws issue 1483)",
)
def _address(live: Live) -> Iterator[Claim]:
    """An Elastic IP address belongs to one gateway."""
    if address := live.word("AllocationId"):
        yield Claim(("elastic ip", address), "its Elastic IP address", "AllocationId")


@on(
    "subnet-overlap",
    "fails",
    ("create", "replace"),
    ("AWS::EC2::Subnet",),
    instead="take a range that no subnet of the VPC has, also none that goes in the same update",
    source="EC2 API reference, CreateSubnet: the CIDR block must not overlap with that of an existing subnet "
    "(InvalidSubnet.Conflict)",
)
def _overlap(event: Event) -> Iterator[Said]:
    """Two subnets of a VPC never overlap, not even while one takes the other's place."""
    own = _network(event.new)
    for each in event.world.of("AWS::EC2::Subnet"):
        other = _network(each)
        same = each.word("VpcId") == event.new.word("VpcId")
        if same and own and other and own.overlaps(other):
            yield Said(
                f"{own} overlaps {other} of {each.title}, which is still there", event.changed("CidrBlock")
            )


@on(
    "subnet-in-use",
    "left-over",
    ("delete",),
    ("AWS::EC2::Subnet",),
    instead="let everything leave the subnet first, and take it away with the deployment after that",
    source="EC2 API reference, DeleteSubnet: all instances and interfaces in it have to be gone",
)
def _subnet(event: Event) -> Iterator[Said]:
    """A subnet stays as long as anything has an interface in it."""
    for each in event.world.users(event.old, *_INTERFACES):
        yield Said(f"{each.title} has interfaces in it")
        return


@on(
    "no-route",
    "interrupts",
    ("delete",),
    ("AWS::EC2::SubnetRouteTableAssociation",),
    instead="let everything leave the subnet first, and take it away with the deployment after that",
    source="CloudFormation registry, AWS::EC2::SubnetRouteTableAssociation: replacementStrategy "
    "delete_then_create; VPC user guide: without an association a subnet has the main route table",
)
def _association(event: Event) -> Iterator[Said]:
    """What runs in a subnet loses its routes with the association."""
    subnet = event.world.found("AWS::EC2::Subnet", event.old.word("SubnetId"))
    users = ("AWS::ECS::Service", "AWS::ElasticLoadBalancingV2::LoadBalancer")
    for each in event.world.users(subnet, *users) if subnet else ():
        yield Said(
            f"{each.title} is still in {subnet.logical_id if subnet else ''} and has no routes any more"
        )
        return


@on(
    "group-referenced",
    "left-over",
    ("delete",),
    ("AWS::EC2::SecurityGroup",),
    instead="take away the rules and interfaces that name it first, with a deployment of its own",
    source="EC2 API reference, DeleteSecurityGroup: DependencyViolation while an interface has "
    "it or a rule of "
    "another group names it",
)
def _group(event: Event) -> Iterator[Said]:
    """A security group stays as long as an interface has it or another group's rule names it."""
    group = event.old
    for each in event.world.users(group):
        match each.type:
            case "AWS::EC2::SecurityGroupIngress":
                held = group.id in each.word("SourceSecurityGroupId")
            case "AWS::EC2::SecurityGroupEgress":
                held = group.id in each.word("DestinationSecurityGroupId")
            case "AWS::EC2::LaunchTemplate" | "AWS::EC2::SecurityGroup":
                held = True
            case _:
                held = each.type in _INTERFACES
        if held:
            yield Said(f"{each.title} still names it")
            return


@exclusive(
    "group-rule-exists",
    ("AWS::EC2::SecurityGroup", "AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress"),
    instead="keep the logical id of a rule that stays, or change what it lets through together with it",
    source="EC2 API reference, AuthorizeSecurityGroupIngress: InvalidPermission.Duplicate",
)
def _rule(live: Live) -> Iterator[Claim]:
    """A group has each rule once; a rule is replaced by making the new one first."""
    if live.type == "AWS::EC2::SecurityGroup":
        for way in ("SecurityGroupIngress", "SecurityGroupEgress"):
            for each in live.maps(way):
                yield _rule_claim(way, live.word("GroupId") or str(live.ref()), each)
    else:
        yield _rule_claim(live.type.rpartition("::")[2], live.word("GroupId"), live.properties)


def _rule_claim(way: str, group: str, rule: object) -> Claim:
    found = rule if isinstance(rule, dict) else {}
    words = tuple(
        f"{name}={value}" for name, value in sorted(found.items()) if name not in ("GroupId", "Description")
    )
    return Claim((way, group.partition(".GroupId")[0], *words), "the same rule of the same group")


@exclusive(
    "route-exists",
    ("AWS::EC2::Route",),
    instead="keep the route's logical id and change its target",
    source="EC2 API reference, CreateRoute: RouteAlreadyExists",
)
def _route(live: Live) -> Iterator[Claim]:
    """A route table has one route to each destination."""
    destination = next(
        (
            word
            for name in sorted(live.properties)
            if name[:11] == "Destination" and (word := live.word(name))
        ),
        "",
    )
    yield Claim(("route", live.word("RouteTableId"), destination), f"the route to {destination}")


@exclusive(
    "flow-log-exists",
    ("AWS::EC2::FlowLog",),
    instead="change what is logged or where to together with it",
    source="EC2 API reference, CreateFlowLogs: FlowLogAlreadyExists",
)
def _flow_log(live: Live) -> Iterator[Claim]:
    """There is one flow log of a kind of traffic from one place to another."""
    words = ("ResourceId", "LogDestinationType", "LogDestination", "LogGroupName", "TrafficType")
    yield Claim(("flow log", *map(live.word, words)), "the flow log of this traffic to this place")


@exclusive(
    "private-name-in-use",
    ("AWS::EC2::VPCEndpoint",),
    instead="turn private DNS off at the old endpoint first, or keep its logical id",
    source="EC2 API reference, CreateVpcEndpoint: private-dns-enabled cannot be set because "
    "there is already a "
    "conflicting DNS domain",
)
def _private_name(live: Live) -> Iterator[Claim]:
    """A service's private name leads to one endpoint in a VPC."""
    if live.word("PrivateDnsEnabled") == "true":
        yield Claim(
            ("private dns", live.word("VpcId"), live.word("ServiceName")), "the service's private name"
        )


@on(
    "connections-cut",
    "interrupts",
    ("update", "delete"),
    ("AWS::EC2::Route",),
    instead="do it at a quiet hour: programs have to connect again",
    source='VPC user guide, "NAT gateway basics": connections do not move from one NAT gateway to another',
)
def _way_out(event: Event) -> Iterator[Said]:
    """What was connected through a NAT gateway is cut off when its route leads elsewhere."""
    change = event.changed("NatGatewayId", "GatewayId")
    if event.old.word("NatGatewayId") and (change or (event.trigger == "delete" and not event.whole)):
        yield Said("open connections through the old gateway are cut", change)


@on(
    "address-released",
    "loses",
    ("delete",),
    ("AWS::EC2::EIP",),
    instead="tell whoever lets only this address in, before it goes",
    source="EC2 API reference, ReleaseAddress: the address goes back to AWS's pool",
)
def _released(event: Event) -> Iterator[Said]:
    """An address that goes is gone for good."""
    yield Said("the address goes back to AWS: whoever lets only this one in has to learn another")


@on(
    "running-instances-stay",
    "silent",
    ("update",),
    ("AWS::EC2::LaunchTemplate",),
    instead="end the old instances, or wait until scaling does",
    source="EC2 Auto Scaling API reference, UpdateAutoScalingGroup: existing instances continue "
    "to run with the "
    "configuration that they were launched with",
)
def _stay(event: Event) -> Iterator[Said]:
    """Instances that run keep what they were started from."""
    if change := event.changed("LaunchTemplateData"):
        yield Said("instances that run stay as they are", change, assumption="instances are running")


@on(
    "image-does-not-fit",
    "silent",
    ("create", "update", "replace"),
    ("AWS::EC2::LaunchTemplate",),
    instead="pass the parameter of the image that fits the type (…/arm64/…, …/gpu/…)",
    source='Amazon ECS developer guide, "Retrieving Amazon ECS-optimized Linux AMI metadata": '
    "one parameter for "
    "each processor, and one with GPU drivers for x86_64",
)
def _image(event: Event) -> Iterator[Said]:
    """An instance starts only from an image of its processor, and has its GPUs with their driver alone."""
    image = event.new.word("LaunchTemplateData", "ImageId")
    kind = find(event.new.word("LaunchTemplateData", "InstanceType"))
    if kind is None or "/aws/service/ecs/optimized-ami/" not in image:
        return
    change = event.changed("LaunchTemplateData.ImageId", "LaunchTemplateData.InstanceType")
    if ("/arm64/" in image) != (kind.architecture == "arm64"):
        yield Said(
            f"the image is of another processor than the type's, {kind.architecture}: none starts", change
        )
    elif kind.gpus and "/gpu/" not in image:
        yield Said("the image has no driver for the type's GPUs: no task is placed", change)


@on(
    "image-does-not-exist",
    "fails",
    ("create", "update", "replace"),
    ("AWS::EC2::LaunchTemplate",),
    instead="take GPUs of x86_64 types",
    source="https://github.com/aws/amazon-ecs-ami: al2023, al2023arm, al2023neu and al2023gpu, "
    "which is x86_64",
)
def _no_image(event: Event) -> Iterator[Said]:
    """There is no ECS image for GPUs on arm64."""
    image = event.new.word("LaunchTemplateData", "ImageId")
    if "/arm64/gpu/" in image or "/gpu/arm64/" in image:
        yield Said(f"AWS publishes no {image.removeprefix('${ssm:').rstrip('}')}")


@on(
    "subnet-too-small",
    "fails",
    ("create", "update", "replace"),
    ("AWS::ElasticLoadBalancingV2::LoadBalancer",),
    instead="a larger range for the VPC: a /21 leaves each public subnet a /27",
    source='Elastic Load Balancing user guide, "Application Load Balancers", Subnets: at least '
    "a /27 with eight "
    "free addresses",
)
def _small(event: Event) -> Iterator[Said]:
    """A load balancer takes no subnet that is smaller than a /27."""
    for each in event.new.items("Subnets"):
        subnet = event.world.found("AWS::EC2::Subnet", str(each))
        network = _network(subnet) if subnet else None
        if network and network.prefixlen > 27:
            yield Said(f"{network} is smaller than a /27", event.changed("Subnets"))
            return


def _network(subnet: Live) -> IPv4Network | None:
    try:
        found = ip_network(subnet.word("CidrBlock"))
    except ValueError:
        return None
    return found if isinstance(found, IPv4Network) else None


def _vpcs(live: Live, world: World) -> set[str]:
    """The VPCs that something has interfaces in."""
    subnets: list[Json] = [*live.items("Subnets"), live.at("SubnetId")]
    found = (world.found("AWS::EC2::Subnet", str(each)) for each in subnets if each)
    return {each.word("VpcId") for each in found if each}
