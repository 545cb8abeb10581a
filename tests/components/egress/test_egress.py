"""Ways out: a workload connects to whom it names, and to HTTPS unless it says otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.compile import compile_pipeline
from mlopsgen.components.network.endpoints import interface_services
from mlopsgen.lower import bind
from mlopsgen.model.plan import Plan
from tests.components.network.test_network import EXISTING
from tests.components.pipelines import AWS, HEAD, held, plan, site

WORKLOADS = """\
  images: [{{name: app}}]
  services: [{{name: api, image: app, egress: {0}}}]
  workers: [{{name: reader, image: app, egress: {0}}}]
  jobs: [{{name: loader, image: app, egress: {0}}}]
"""

STACKS = ("serving-api", "serving-reader", "training-loader")

HTTPS = {"CidrIp": "0.0.0.0/0", "Description": "HTTPS", "FromPort": 443, "IpProtocol": "tcp", "ToPort": 443}


def ways(found: Plan, stack: str) -> list[dict[str, Any]]:
    return list(held(found, stack, "SecurityGroup")["SecurityGroupEgress"])


def peers(found: Plan, stack: str) -> list[tuple[str, int]]:
    """The other side and the port of each rule outwards."""
    words = ("CidrIp", "DestinationSecurityGroupId", "DestinationPrefixListId")
    return [
        (next(each[word] for word in words if word in each), each["FromPort"]) for each in ways(found, stack)
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_a_workload_connects_to_whom_it_names(stack: str):
    """A range, a security group and a prefix list, each on its port, beside HTTPS to everywhere."""
    found = plan(
        WORKLOADS.format(
            "[{name: postgres, port: 5432, to: [10.8.0.0/16, sg-0fedcba9876543210]}, "
            "{name: cache, port: 6379, to: [pl-0123456789abcdef0]}]"
        )
    )
    assert ways(found, stack)[0] == HTTPS
    assert peers(found, stack)[1:] == [
        ("pl-0123456789abcdef0", 6379),
        ("10.8.0.0/16", 5432),
        ("sg-0fedcba9876543210", 5432),
    ]


@pytest.mark.parametrize("stack", STACKS)
def test_https_is_what_an_item_of_that_name_says(stack: str):
    """It takes the place of the way to everywhere; AWS is left, by endpoints."""
    found = plan(WORKLOADS.format("[{name: https, port: 443, to: [192.0.2.0/24]}]"))
    assert peers(found, stack) == [("192.0.2.0/24", 443), ("10.0.0.0/16", 443)]
    assert peers(plan(WORKLOADS.format("[{name: https, port: 443, to: []}]")), stack) == [
        ("10.0.0.0/16", 443)
    ]


def test_nobody_is_named_twice():
    """EC2 takes no rule twice, whatever its description says."""
    egress = (
        "[{name: a, port: 5432, to: [10.8.0.0/16, 10.8.0.0/16]}, {name: b, port: 5432, to: [10.8.0.0/16]}]"
    )
    assert peers(plan(WORKLOADS.format(egress)), "serving-api")[1:] == [("10.8.0.0/16", 5432)]


def test_a_volume_and_a_way_out_to_one_group_are_one_rule():
    """The way to somebody else's file system may be written beside the volume."""
    group = "sg-0123456789abcdef0"
    found = plan(
        "  images: [{name: app}]\n"
        "  volumes: [{name: shared, existing: {fileSystemId: fs-0123456789abcdef0, path: /, "
        f"securityGroupId: {group}}}}}]\n"
        "  services: [{name: api, image: app, volumeMounts: [{name: shared, mountPath: /shared}], "
        f"egress: [{{name: nfs, port: 2049, to: [{group}]}}]}}]\n"
    )
    assert peers(found, "serving-api") == [("0.0.0.0/0", 443)]
    assert held(found, "serving-api", "SharedVolumeEgress")["DestinationSecurityGroupId"] == group


CLOSED = "[{name: https, port: 443, to: []}]"


def test_a_workload_without_the_internet_reaches_aws_by_endpoints():
    """They are made for it beside the NAT gateway, S3's too; one that has the internet needs none."""
    found = site(
        "  encryption: {awsManaged: {}}\n  images: [{name: app}]\n"
        f"  services: [{{name: api, image: app, egress: {CLOSED}, secrets: {{A: {{secret: team/a}}}}}},"
        " {name: open, image: app, secrets: {B: {parameter: /team/b}}}]\n"
    )
    assert list(interface_services(found, bind(found))) == [
        "ecr.api", "ecr.dkr", "kms", "logs", "s3", "secretsmanager",
    ]  # fmt: skip


def test_tasks_find_the_endpoint_of_s3_by_its_name():
    """The names of its interface hold for callers in the VPC too, where they would lead to the gateway."""
    found = plan(WORKLOADS.format(CLOSED))
    assert held(found, "network", "S3Endpoint")["VpcEndpointType"] == "Gateway"
    interface = held(found, "network", "S3InterfaceEndpoint")
    assert interface["DnsOptions"] == {"PrivateDnsOnlyForInboundResolverEndpoint": "AllResolvers"}


def test_in_somebody_elses_network_the_endpoints_are_theirs():
    """The way there is open, and nothing is made."""
    found = plan(EXISTING, WORKLOADS.format(CLOSED))
    assert peers(found, "serving-api") == [("10.0.0.0/16", 443)]
    assert "network" not in {each.name for each in found.stacks}


def test_an_environment_may_close_it():
    """What one environment alone has is not made in another, `https` among it."""
    text = (
        f"{HEAD}{AWS}  images: [{{name: app}}]\n"
        "  services: [{name: api, image: app, "
        "egress: [{name: https, port: 443, to: [0.0.0.0/0], environments: [dev]}]}]\n"
        "  environments: {dev: {}, prod: {}}\n"
    )
    dev, prod = compile_pipeline(text, "pipeline.yaml")
    assert peers(dev.plan, "serving-api") == [("0.0.0.0/0", 443)]
    assert peers(prod.plan, "serving-api") == [("10.0.0.0/16", 443)]


def test_the_picture_shows_whom_it_connects_to():
    """Two workloads that connect to one thing share its node."""
    found = plan(WORKLOADS.format("[{name: postgres, port: 5432, to: [10.8.0.0/16]}]"))
    assert [each.label for each in found.nodes if each.id == "egress:postgres:5432"] == ["postgres"]
    assert {each.source for each in found.edges if each.target == "egress:postgres:5432"} == {
        "api", "reader", "loader",
    }  # fmt: skip
