"""A new VPC: public subnets for load balancers and NAT, private ones for tasks, and the ways to AWS."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network

from troposphere import GetAtt, GetAZs, Join, Ref, Select, Sub, ec2, logs

from mlopsgen.aws.partitions import endpoint_prefix
from mlopsgen.components.network.endpoint_policies import endpoint_policy, gateway_policy
from mlopsgen.components.network.endpoints import S3, interface_services
from mlopsgen.components.network.spec import FlowLogsSpec, VpcSpec
from mlopsgen.language.values import DAY, EVERYWHERE
from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Declaration, Grant, Resource, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.network import PRIVATE_SUBNETS, PUBLIC_SUBNETS, VPC_ID, vpc
from mlopsgen.parts.resource import Scope, output, publish
from mlopsgen.parts.roles import Role, declare_role, trust_service

STACK = "network"

SMALLEST_PUBLIC = 27
"""The prefix of a public subnet with the fewest addresses."""

ZONES = 4
"""Room is kept for as many zones as the language allows, so that adding one moves no subnet."""


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """The VPC with all that belongs to it; nothing in somebody else's."""
    spec = vpc(site)
    if spec is None:
        return
    yield StackDescription(STACK, "the VPC")
    scope = Scope(site, STACK, ("spec", "network", "vpc"))
    yield scope.resource(ec2.VPC("Vpc", CidrBlock=spec.cidr, EnableDnsHostnames=True, EnableDnsSupport=True))
    yield scope.resource(ec2.InternetGateway("InternetGateway"))
    yield scope.resource(
        ec2.VPCGatewayAttachment(
            "InternetGatewayAttachment", VpcId=Ref("Vpc"), InternetGatewayId=Ref("InternetGateway")
        )
    )
    yield from _public(scope, spec)
    yield from _private(scope, spec)
    yield from _endpoints(scope, spec, interface_services(site, bindings))
    if spec.flow_logs.enabled:
        yield from _flow_logs(scope.at("flowLogs"), spec.flow_logs)
    yield publish(VPC_ID, Ref("Vpc"), scope.origin, kept="whatever is added later stands in it")
    for kind, reference in (("Public", PUBLIC_SUBNETS), ("Private", PRIVATE_SUBNETS)):
        ids = Join(",", [Ref(f"{kind}Subnet{zone}") for zone in _zones(spec)])
        yield publish(reference, ids, scope.origin, kept="whatever is added later stands in them")
    yield output(STACK, "VpcId", Ref("Vpc"), "The VPC")


def subnets(cidr: str) -> tuple[tuple[str, str], ...]:
    """(public, private) ranges per zone. A public subnet takes 1/64 of the VPC, a private one 1/8.

    The private ranges are the first four eighths and the public ones follow them, whatever the number of
    zones, so no range moves when a zone is added; the rest stays free. A public subnet is a /27 at least, as
    load balancers want it (Elastic Load Balancing, user guide of Application Load Balancers, "Subnets for
    your load balancer").
    """
    whole = IPv4Network(cidr)
    eighths = tuple(whole.subnets(prefixlen_diff=3))
    size = min(whole.prefixlen + 6, SMALLEST_PUBLIC)
    publics = tuple(each for rest in eighths[ZONES:] for each in rest.subnets(new_prefix=size))
    return tuple((str(publics[zone]), str(eighths[zone])) for zone in range(min(ZONES, len(publics))))


def _zones(spec: VpcSpec) -> range:
    return range(1, spec.availability_zones + 1)


def _public(scope: Scope, spec: VpcSpec) -> Iterator[Resource]:
    yield scope.resource(ec2.RouteTable("PublicRouteTable", VpcId=Ref("Vpc")))
    # A route to a gateway that is not yet attached fails.
    yield scope.resource(
        ec2.Route(
            "PublicRoute",
            RouteTableId=Ref("PublicRouteTable"),
            DestinationCidrBlock=EVERYWHERE,
            GatewayId=Ref("InternetGateway"),
            DependsOn="InternetGatewayAttachment",
        )
    )
    gateways = scope.at("natGateways")
    for zone, (cidr, _) in zip(_zones(spec), subnets(spec.cidr), strict=False):
        yield scope.resource(_subnet("Public", zone, cidr))
        yield scope.resource(_association("Public", zone, "PublicRouteTable"))
        if zone <= _gateways(spec):
            yield gateways.resource(
                ec2.EIP(f"NatAddress{zone}", Domain="vpc", DependsOn="InternetGatewayAttachment")
            )
            yield gateways.resource(
                ec2.NatGateway(
                    f"NatGateway{zone}",
                    AllocationId=GetAtt(f"NatAddress{zone}", "AllocationId"),
                    SubnetId=Ref(f"PublicSubnet{zone}"),
                )
            )


def _private(scope: Scope, spec: VpcSpec) -> Iterator[Resource]:
    gateways = _gateways(spec)
    for zone, (_, cidr) in zip(_zones(spec), subnets(spec.cidr), strict=False):
        table = f"PrivateRouteTable{zone}"
        yield scope.resource(_subnet("Private", zone, cidr))
        yield scope.resource(ec2.RouteTable(table, VpcId=Ref("Vpc")))
        yield scope.resource(_association("Private", zone, table))
        if gateways:
            yield scope.at("natGateways").resource(
                ec2.Route(
                    f"PrivateRoute{zone}",
                    RouteTableId=Ref(table),
                    DestinationCidrBlock=EVERYWHERE,
                    NatGatewayId=Ref(f"NatGateway{min(zone, gateways)}"),
                )
            )


def _gateways(spec: VpcSpec) -> int:
    return {"none": 0, "single": 1, "perZone": spec.availability_zones}[spec.nat_gateways]


def _subnet(kind: str, zone: int, cidr: str) -> ec2.Subnet:
    return ec2.Subnet(
        f"{kind}Subnet{zone}",
        VpcId=Ref("Vpc"),
        CidrBlock=cidr,
        AvailabilityZone=Select(zone - 1, GetAZs("")),
        MapPublicIpOnLaunch=False,
    )


def _association(kind: str, zone: int, table: str) -> ec2.SubnetRouteTableAssociation:
    return ec2.SubnetRouteTableAssociation(
        f"{kind}Subnet{zone}RouteTableAssociation",
        SubnetId=Ref(f"{kind}Subnet{zone}"),
        RouteTableId=Ref(table),
    )


def _endpoints(scope: Scope, spec: VpcSpec, services: tuple[str, ...]) -> Iterator[Resource]:
    """S3 through a gateway, which costs nothing; without NAT, the other services through interfaces."""
    gateway = ec2.VPCEndpoint(
        "S3Endpoint",
        VpcId=Ref("Vpc"),
        ServiceName=Sub("com.amazonaws.${AWS::Region}.s3"),
        VpcEndpointType="Gateway",
        PolicyDocument=gateway_policy(scope.site),
        RouteTableIds=[Ref(f"PrivateRouteTable{zone}") for zone in _zones(spec)],
    )
    yield scope.resource(gateway)
    if not services:
        return
    interfaces = scope.at("natGateways")
    group = ec2.SecurityGroup(
        "EndpointSecurityGroup",
        VpcId=Ref("Vpc"),
        GroupDescription="HTTPS from the VPC to the interface endpoints",
        SecurityGroupIngress=[
            ec2.SecurityGroupRule(
                IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp=spec.cidr, Description="HTTPS from the VPC"
            )
        ],
        SecurityGroupEgress=[
            ec2.SecurityGroupRule(
                IpProtocol="-1", CidrIp="127.0.0.1/32", Description="Endpoints answer and never connect"
            )
        ],
    )
    yield interfaces.resource(group)
    for service in services:
        name = "".join(word.capitalize() for word in service.replace("-", ".").split("."))
        if service == S3:
            # Beside the gateway, whose logical id is as it was.
            name += "Interface"
        policy = endpoint_policy(scope.site, service)
        endpoint = ec2.VPCEndpoint(
            f"{name}Endpoint",
            VpcId=Ref("Vpc"),
            ServiceName=Sub(f"{endpoint_prefix(scope.site.region, service)}.${{AWS::Region}}.{service}"),
            VpcEndpointType="Interface",
            PrivateDnsEnabled=True,
            SubnetIds=[Ref(f"PrivateSubnet{zone}") for zone in _zones(spec)],
            SecurityGroupIds=[Ref("EndpointSecurityGroup")],
            # By itself S3's name leads to its interface for callers from outside of the VPC alone (Amazon S3
            # user guide, "AWS PrivateLink for Amazon S3", private DNS).
            **({"DnsOptions": _INSIDE_TOO} if service == S3 else {}),
            **({"PolicyDocument": policy} if policy else {}),
        )
        yield interfaces.resource(endpoint)


_INSIDE_TOO = ec2.DnsOptionsSpecification(PrivateDnsOnlyForInboundResolverEndpoint="AllResolvers")


def _flow_logs(scope: Scope, spec: FlowLogsSpec) -> Iterator[Declaration]:
    key = key_arn(scope.site)
    group = logs.LogGroup(
        "FlowLogGroup",
        LogGroupName=scope.site.log_group("vpc-flow-logs"),
        RetentionInDays=spec.retention // DAY,
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
        **({"KmsKeyId": key} if key else {}),
    )
    yield scope.resource(group)
    write = Grant(
        ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
        (GetAtt("FlowLogGroup", "Arn"),),
        "write flow logs",
    )
    yield from declare_role(
        scope,
        Role(
            logical_id="FlowLogRole",
            name="flow logs",
            kind="service",
            trust=trust_service("vpc-flow-logs.amazonaws.com", scope.site),
            grants=(write,),
            description="Writes the VPC's flow logs",
        ),
    )
    flow = ec2.FlowLog(
        "FlowLog",
        ResourceId=Ref("Vpc"),
        ResourceType="VPC",
        TrafficType=spec.traffic,
        LogDestinationType="cloud-watch-logs",
        LogGroupName=Ref("FlowLogGroup"),
        DeliverLogsPermissionArn=GetAtt("FlowLogRole", "Arn"),
        MaxAggregationInterval=600,
    )
    yield scope.resource(flow)
