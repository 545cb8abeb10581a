"""`spec.network`: a VPC of its own, or the ids of one that is there; and how a workload joins it."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Network
from typing import Any, NamedTuple

from troposphere import GetAtt, GetAZs, Join, Ref, Select, Sub, ec2, logs

from mlopsgen import iam
from mlopsgen.components.base import Component, Site
from mlopsgen.components.wiring import KEY_ARN, PRIVATE_SUBNETS, PUBLIC_SUBNETS, VPC_ID, publish, take
from mlopsgen.plan import Grant, Output, Parameter, Part, Resource
from mlopsgen.spec.network import FlowLogsSpec, VpcSpec

STACK = "network"
ORIGIN = ("spec", "network", "vpc")
EVERYWHERE = "0.0.0.0/0"

DAY = 86400
ZONES = 4
"""Room is kept for as many zones as the language allows, so that adding one moves no subnet."""


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """Public subnets for load balancers and NAT, private ones for tasks; nothing in somebody else's VPC."""
    spec = vpc(site)
    if spec is None:
        return
    yield StackDescription(STACK, "the VPC")
    scope = Scope(site, STACK, ORIGIN)
        vpc = ec2.VPC("Vpc", CidrBlock=spec.cidr, EnableDnsHostnames=True, EnableDnsSupport=True)
        yield Resource(STACK, "Vpc", vpc, ORIGIN)
        yield Resource(STACK, "InternetGateway", ec2.InternetGateway("InternetGateway"), ORIGIN)
        attachment = ec2.VPCGatewayAttachment(
            "InternetGatewayAttachment", VpcId=Ref("Vpc"), InternetGatewayId=Ref("InternetGateway")
        )
        yield Resource(STACK, "InternetGatewayAttachment", attachment, ORIGIN)
        yield from _public(spec)
        yield from _private(spec)
        yield from _endpoints(site, spec)
        if spec.flow_logs:
            yield from _flow_logs(site, spec.flow_logs)
        zones = range(1, spec.availability_zones + 1)
        yield publish(site, STACK, "VpcIdParameter", VPC_ID, Ref("Vpc"), ORIGIN)
        for name, key in (("Public", PUBLIC_SUBNETS), ("Private", PRIVATE_SUBNETS)):
            ids = Join(",", [Ref(f"{name}Subnet{zone}") for zone in zones])
            yield publish(site, STACK, f"{name}SubnetIdsParameter", key, ids, ORIGIN, many=True)
        yield Output(STACK, "VpcId", Ref("Vpc"), "The VPC")


def subnets(cidr: str) -> tuple[tuple[str, str], ...]:
    """(public, private) ranges per zone. A public subnet takes 1/64 of the VPC, a private one 1/8.

    The private ranges are the first four eighths and the public ones lie in the fifth, whatever the number
    of zones, so no range moves when a zone is added; the rest stays free.
    """
    vpc = IPv4Network(cidr)
    eighths = tuple(vpc.subnets(prefixlen_diff=3))
    publics = tuple(eighths[ZONES].subnets(new_prefix=min(vpc.prefixlen + 6, 28)))
    return tuple((str(publics[zone]), str(eighths[zone])) for zone in range(min(ZONES, len(publics))))


def _public(spec: VpcSpec) -> Iterator[Part]:
    yield Resource(STACK, "PublicRouteTable", ec2.RouteTable("PublicRouteTable", VpcId=Ref("Vpc")), ORIGIN)
    # A route to a gateway that is not yet attached fails.
    route = ec2.Route(
        "PublicRoute",
        RouteTableId=Ref("PublicRouteTable"),
        DestinationCidrBlock=EVERYWHERE,
        GatewayId=Ref("InternetGateway"),
        DependsOn="InternetGatewayAttachment",
    )
    yield Resource(STACK, "PublicRoute", route, ORIGIN)
    gateways = _gateways(spec)
    for zone, (cidr, _) in enumerate(subnets(spec.cidr)[: spec.availability_zones], start=1):
        yield _subnet("Public", zone, cidr)
        yield _association("Public", zone, "PublicRouteTable")
        if zone <= gateways:
            address = ec2.EIP(f"NatAddress{zone}", Domain="vpc", DependsOn="InternetGatewayAttachment")
            yield Resource(STACK, f"NatAddress{zone}", address, (*ORIGIN, "natGateways"))
            nat = ec2.NatGateway(
                f"NatGateway{zone}",
                AllocationId=GetAtt(f"NatAddress{zone}", "AllocationId"),
                SubnetId=Ref(f"PublicSubnet{zone}"),
            )
            yield Resource(STACK, f"NatGateway{zone}", nat, (*ORIGIN, "natGateways"))


def _private(spec: VpcSpec) -> Iterator[Part]:
    gateways = _gateways(spec)
    for zone, (_, cidr) in enumerate(subnets(spec.cidr)[: spec.availability_zones], start=1):
        yield _subnet("Private", zone, cidr)
        table = f"PrivateRouteTable{zone}"
        yield Resource(STACK, table, ec2.RouteTable(table, VpcId=Ref("Vpc")), ORIGIN)
        yield _association("Private", zone, table)
        if gateways:
            route = ec2.Route(
                f"PrivateRoute{zone}",
                RouteTableId=Ref(table),
                DestinationCidrBlock=EVERYWHERE,
                NatGatewayId=Ref(f"NatGateway{min(zone, gateways)}"),
            )
            yield Resource(STACK, f"PrivateRoute{zone}", route, (*ORIGIN, "natGateways"))


def _gateways(spec: VpcSpec) -> int:
    return {"none": 0, "single": 1, "perZone": spec.availability_zones}[spec.nat_gateways]


def _subnet(kind: str, zone: int, cidr: str) -> Resource:
    body = ec2.Subnet(
        f"{kind}Subnet{zone}",
        VpcId=Ref("Vpc"),
        CidrBlock=cidr,
        AvailabilityZone=Select(zone - 1, GetAZs("")),
        MapPublicIpOnLaunch=False,
    )
    return Resource(STACK, f"{kind}Subnet{zone}", body, ORIGIN)


def _association(kind: str, zone: int, table: str) -> Resource:
    name = f"{kind}Subnet{zone}RouteTableAssociation"
    body = ec2.SubnetRouteTableAssociation(name, SubnetId=Ref(f"{kind}Subnet{zone}"), RouteTableId=Ref(table))
    return Resource(STACK, name, body, ORIGIN)


def _endpoints(site: Site, spec: VpcSpec) -> Iterator[Part]:
    """S3 through a gateway, which costs nothing; without NAT, the other services through interfaces."""
    zones = range(1, spec.availability_zones + 1)
    gateway = ec2.VPCEndpoint(
        "S3Endpoint",
        VpcId=Ref("Vpc"),
        ServiceName=Sub("com.amazonaws.${AWS::Region}.s3"),
        VpcEndpointType="Gateway",
        RouteTableIds=[Ref(f"PrivateRouteTable{zone}") for zone in zones],
    )
    yield Resource(STACK, "S3Endpoint", gateway, ORIGIN)
    services = interface_services(site) if spec.nat_gateways == "none" else ()
    if not services:
        return
    origin = (*ORIGIN, "natGateways")
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
    yield Resource(STACK, "EndpointSecurityGroup", group, origin)
    for service in services:
        name = "".join(word.capitalize() for word in service.replace("-", ".").split(".")) + "Endpoint"
        endpoint = ec2.VPCEndpoint(
            name,
            VpcId=Ref("Vpc"),
            ServiceName=Sub(f"com.amazonaws.${{AWS::Region}}.{service}"),
            VpcEndpointType="Interface",
            PrivateDnsEnabled=True,
            SubnetIds=[Ref(f"PrivateSubnet{zone}") for zone in zones],
            SecurityGroupIds=[Ref("EndpointSecurityGroup")],
        )
        yield Resource(STACK, name, endpoint, origin)


def interface_services(site: Site) -> tuple[str, ...]:
    """What tasks call that has no gateway: images, logs, and what their secrets and instances need.

    The list is ECS's own (Amazon ECS developer guide, "Amazon ECS interface VPC endpoints").
    """
    workloads = (*site.services, *site.trainers)
    needed = {"ecr.api", "ecr.dkr", "logs"}
    secrets = [secret.value_from for workload in workloads for secret in workload.secrets]
    if any(":secretsmanager:" in arn for arn in secrets):
        needed.add("secretsmanager")
    if any(":ssm:" in arn for arn in secrets):
        needed.add("ssm")
    if secrets or site.spec.storage.encryption == "aws:kms":
        needed.add("kms")
    if any(workload.compute.ec2 for workload in workloads):
        needed |= {"ecs", "ecs-agent", "ecs-telemetry"}
    return tuple(sorted(needed))


def _flow_logs(site: Site, spec: FlowLogsSpec) -> Iterator[Part]:
    origin = (*ORIGIN, "flowLogs")
    key, parameter = take(site, STACK, "KeyArn", KEY_ARN, "String", "The pipeline's key")
    yield parameter
    group = logs.LogGroup(
        "FlowLogGroup",
        LogGroupName=site.log_group("vpc-flow-logs"),
        RetentionInDays=spec.retention // DAY,
        KmsKeyId=key,
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )
    yield Resource(STACK, "FlowLogGroup", group, origin)
    yield from iam.role(
        site,
        stack=STACK,
        logical_id="FlowLogRole",
        name="flow logs",
        kind="service",
        trust=iam.trust_service("vpc-flow-logs.amazonaws.com", site),
        grants=(
            Grant(
                ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"),
                (GetAtt("FlowLogGroup", "Arn"),),
                "write flow logs",
            ),
        ),
        description="Writes the VPC's flow logs",
        origin=origin,
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
    yield Resource(STACK, "FlowLog", flow, origin)
