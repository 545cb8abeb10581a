"""The network: its ranges, and what tasks reach in it."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations
from typing import Any

import pytest

from mlopsgen.aws.instance_types import regions
from mlopsgen.components.network.endpoints import interface_services
from mlopsgen.components.network.resources import subnets
from mlopsgen.components.network.rules import VPC_PREFIXES, ZONES
from mlopsgen.lower import bind
from tests.components.pipelines import plan, service, site
from tests.policies import may, properties, stack

NO_WAY_OUT = "  network: {vpc: {natGateways: none}}\n"
EXISTING = """\
  network:
    existing:
      vpcId: vpc-0123456789abcdef0
      cidrs: [10.0.0.0/16]
      privateSubnetIds: [subnet-0123456789abcdef0, subnet-0123456789abcdef1]
"""
VOLUME = "  volumes: [{name: cache, efs: {}}]\n"
POOL = "  capacity: [{name: pool, ec2: {instanceTypes: [m5.large]}}]\n"
MANAGED = "  encryption: {awsManaged: {}}\n"

ALWAYS = ["ecr.api", "ecr.dkr", "logs"]


@pytest.mark.parametrize(
    ("sections", "needed"),
    [
        ((MANAGED, service()), []),
        ((service(),), ["kms"]),
        ((MANAGED, service(secrets="{A: {secret: team/a}}")), ["kms", "secretsmanager"]),
        ((MANAGED, service(secrets="{A: {parameter: /team/a}}")), ["kms", "ssm"]),
        ((MANAGED, VOLUME, service()), []),
        ((MANAGED, VOLUME, service(volumeMounts="[{name: cache, mountPath: /c}]")), ["elasticfilesystem"]),
        ((MANAGED, POOL, service(capacity="pool")), ["ecs", "ecs-agent", "ecs-telemetry"]),
    ],
)
def test_endpoints_follow_from_what_workloads_use(sections: tuple[str, ...], needed: list[str]):
    """Without a way out, each service of AWS that a task or its start needs has an endpoint, and no other."""
    assert services(NO_WAY_OUT, *sections) == sorted([*ALWAYS, *needed])


def services(*sections: str) -> list[str]:
    found = site(*sections)
    return list(interface_services(found, bind(found)))


@pytest.mark.parametrize("network", ["", "  network: {vpc: {natGateways: perZone}}\n", EXISTING])
def test_where_there_is_a_way_out_nothing_needs_an_endpoint(network: str):
    """Behind NAT, and in somebody else's network, AWS is reached as ever."""
    assert services(network, service(secrets="{A: {secret: team/a}}")) == []


def test_an_existing_network_is_used_and_never_made():
    """There is no stack for it, and its ids stand where they are used."""
    found = plan(EXISTING, service())
    assert "network" not in {each.name for each in found.stacks}
    assert properties(found, "serving-api", "SecurityGroup")["VpcId"] == "vpc-0123456789abcdef0"


@pytest.mark.parametrize(("gateways", "made"), [("none", []), ("single", [1, 1]), ("perZone", [1, 2])])
def test_each_private_subnet_leaves_by_the_gateway_that_it_has(gateways: str, made: list[int]):
    """A gateway for each zone keeps the others going when one zone fails; one is cheaper."""
    found = stack(plan(f"  network: {{vpc: {{natGateways: {gateways}}}}}\n"), "network")
    routes = [
        each.properties["NatGatewayId"]
        for each in found.resources
        if each.logical_id.startswith("PrivateRoute") and each.type == "AWS::EC2::Route"
    ]
    assert routes == [{"Ref": f"NatGateway{number}"} for number in made]


@pytest.mark.parametrize(
    ("region", "start"), [("eu-west-1", "com.amazonaws"), ("cn-north-1", "cn.com.amazonaws")]
)
def test_endpoints_are_called_as_in_their_part_of_aws(region: str, start: str):
    """In China some services have names of their own, and others have not."""
    aws = f"  aws: {{region: {region}}}\n"
    found = plan("  network: {vpc: {natGateways: none}}\n", service(), aws=aws)
    names = {
        each.logical_id: each.properties["ServiceName"]
        for each in stack(found, "network").resources
        if each.type == "AWS::EC2::VPCEndpoint"
    }
    assert names["EcrApiEndpoint"] == {"Fn::Sub": f"{start}.${{AWS::Region}}.ecr.api"}
    assert names["LogsEndpoint"] == {"Fn::Sub": "com.amazonaws.${AWS::Region}.logs"}
    assert names["S3Endpoint"] == {"Fn::Sub": "com.amazonaws.${AWS::Region}.s3"}


ACCOUNT = {"aws:PrincipalAccount": "123456789012"}
ATTACKER = {"aws:PrincipalAccount": "999999999999"}
THEIRS = "arn:aws:s3:::somebody-elses/x"
LAYERS = "arn:aws:s3:::prod-ap-southeast-1-starport-layer-bucket/x"
PACKAGES = "arn:aws:s3:::al2023-repos-ap-southeast-1-de612dc2/x"


def policy(endpoint: str, *sections: str) -> list[dict[str, Any]]:
    return properties(plan(*sections), "network", endpoint)["PolicyDocument"]["Statement"]


def test_without_nat_nothing_leaves_with_somebody_elses_credentials():
    """The gateway is then the only way out: for this account's roles, and for the layers of images."""
    gateway = policy("S3Endpoint", NO_WAY_OUT, service())
    assert may(gateway, "s3:PutObject", "arn:aws:s3:::demo-default-data-123456789012/raw/x", ACCOUNT)
    assert not may(gateway, "s3:PutObject", THEIRS, ATTACKER)
    assert not may(gateway, "s3:GetObject", THEIRS)
    assert may(gateway, "s3:GetObject", LAYERS)
    assert not may(gateway, "s3:PutObject", LAYERS, ATTACKER)


def test_instances_find_their_packages_without_nat():
    """They ask for them without credentials."""
    assert may(policy("S3Endpoint", NO_WAY_OUT, POOL, service(capacity="pool")), "s3:GetObject", PACKAGES)
    assert not may(policy("S3Endpoint", NO_WAY_OUT, service()), "s3:GetObject", PACKAGES)


def test_beside_nat_the_gateway_shuts_nothing():
    assert may(policy("S3Endpoint", service()), "s3:PutObject", THEIRS, ATTACKER)


def test_every_endpoint_that_takes_a_policy_is_for_this_account_alone():
    """Those of ECS's agent are not known to take one."""
    found = plan(NO_WAY_OUT, VOLUME, POOL, service(capacity="pool", secrets="{A: {secret: a}}"))
    endpoints = {
        each.logical_id: each.properties.get("PolicyDocument")
        for each in stack(found, "network").resources
        if each.properties.get("VpcEndpointType") == "Interface"
    }
    bare = {name for name, document in endpoints.items() if document is None}
    assert bare == {"EcsEndpoint", "EcsAgentEndpoint", "EcsTelemetryEndpoint"}
    logs = policy("LogsEndpoint", NO_WAY_OUT, service())
    group = "arn:aws:logs:ap-southeast-1:123456789012:log-group:/demo-default/api:log-stream:x"
    assert may(logs, "logs:PutLogEvents", group, ACCOUNT)
    assert not may(logs, "logs:PutLogEvents", group.replace("123456789012", "9"), ATTACKER)


def test_of_somebody_elses_an_enclosed_task_reads_at_most_what_is_public():
    """Beside NAT S3's name leads all tasks to its interface, and some of them may connect to anybody."""
    both = service(egress="[{name: https, port: 443, to: []}]")
    interface = policy("S3InterfaceEndpoint", both)
    assert may(interface, "s3:GetObject", THEIRS)
    assert not may(interface, "s3:PutObject", THEIRS, ATTACKER)


def test_flow_logs_that_are_off_leave_nothing_behind():
    """Neither a log group nor a role."""
    found = plan("  network: {vpc: {flowLogs: {enabled: false}}}\n")
    assert not [each for each in stack(found, "network").resources if each.logical_id.startswith("Flow")]


@pytest.mark.parametrize("length", range(16, 29))
def test_an_accepted_vpc_has_room_for_four_zones(length: int):
    """The sizes that are accepted are those from which every zone gets its subnets."""
    try:
        found = len(subnets(f"10.0.0.0/{length}")) == 4
    except ValueError:
        found = False
    assert found == (length in VPC_PREFIXES)


@pytest.mark.parametrize("length", VPC_PREFIXES)
def test_load_balancers_find_room_in_every_subnet(length: int):
    """They take subnets of a /27 and larger alone."""
    every = [IPv4Network(each) for zone in subnets(f"10.0.0.0/{length}") for each in zone]
    assert max(each.prefixlen for each in every) <= 27
    assert not any(one.overlaps(other) for one, other in combinations(every, 2))


def test_zones_are_those_of_moto():
    """Regions with more or fewer than three zones are named; of Beijing moto has an older number."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    zones = {name: len(found) for name, found in RegionsAndZonesBackend.zones.items() if name in regions()}
    assert {name: count for name, count in zones.items() if count != 3} == {**ZONES, "cn-north-1": 2}
