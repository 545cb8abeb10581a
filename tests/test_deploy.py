"""The generated `deploy.sh`, run by bash with the real AWS CLI against an embedded AWS."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlopsgen.local.deploy import deploy
from mlopsgen.local.embedded import EmbeddedAws, embedded_aws
from mlopsgen.manifest import read_manifest
from tests.cases import CASES
from tests.tools import needs_extra

ENVIRONMENTS = {
    f"{case.name}/{environment}": (case.expected, environment)
    for case in CASES
    for environment in read_manifest(case.expected).get("environments", ())
}


class Account:
    """An account in the embedded AWS, and clients to look at it."""

    def __init__(self, aws: EmbeddedAws) -> None:
        self.aws = aws
        self.session = boto3.Session(
            aws_access_key_id="test", aws_secret_access_key="test", region_name=aws.region
        )

    def __call__(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.aws.endpoint)


def account(region: str, environment: Path) -> Iterator[Account]:
    """A fresh account that holds what the templates in `environment` take as given."""
    needs_extra("local")
    with embedded_aws(region, environment) as aws:
        yield Account(aws)


def roll_out(account: Account, generated: Path, environment: str) -> list[str]:
    """Run `deploy.sh` as its header says, images in between; returns what was printed."""
    facts, said = read_manifest(generated)["environments"][environment], []

    def say(line: str) -> None:
        print(line)
        said.append(line)

    deploy(account.aws, generated / environment, facts, say)
    return said


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_every_environment_deploys(name: str):
    """Every stack is created, and ECS then runs the services that the pipeline declares."""
    generated, environment = ENVIRONMENTS[name]
    facts = read_manifest(generated)["environments"][environment]
    for there in account(facts["region"], generated / environment):
        said = roll_out(there, generated, environment)
        stacks = {
            each["StackName"]: each["StackStatus"]
            for each in there("cloudformation").describe_stacks()["Stacks"]
        }
        assert stacks == {f"{facts['prefix']}-{stack}": "CREATE_COMPLETE" for stack in facts["stacks"]}
        assert [line.split(" ... ")[0] for line in said if " ... done" in line] == facts["stacks"]
        declared = {
            stack.removeprefix("serving-") for stack in facts["stacks"] if stack.startswith("serving-")
        }
        if declared:
            cluster = f"{facts['prefix']}-serving"
            running = there("ecs").describe_services(cluster=cluster, services=sorted(declared))["services"]
            assert {each["serviceName"]: each["status"] for each in running} == dict.fromkeys(
                declared, "ACTIVE"
            )
            assert all("@sha256:" in image for image in images(there, running))


def images(there: Account, services: list[dict[str, Any]]) -> Iterator[str]:
    """The images of the tasks that the services run."""
    for service in services:
        task = there("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
        yield from (each["image"] for each in task["taskDefinition"]["containerDefinitions"])


def test_a_network_of_others_is_used_as_it_is():
    """No stack makes a VPC, and tasks and load balancer stand in the subnets that were named."""
    case = next(case for case in CASES if case.name == "existing-network")
    for there in account("eu-west-1", case.expected / "default"):
        before = {each["VpcId"] for each in there("ec2").describe_vpcs()["Vpcs"]}
        assert "vpc-0123456789abcdef0" in before
        roll_out(there, case.expected, "default")
        assert {each["VpcId"] for each in there("ec2").describe_vpcs()["Vpcs"]} == before
        (balancer,) = there("elbv2").describe_load_balancers()["LoadBalancers"]
        assert {each["SubnetId"] for each in balancer["AvailabilityZones"]} == {
            "subnet-0123456789abcdef1",
            "subnet-0123456789abcdef2",
        }


def test_a_failing_stack_stops_the_rest(tmp_path: Path):
    """The script ends with the stack that failed, and does not touch the ones after it."""
    generated = tmp_path / "generated"
    shutil.copytree(next(case.expected for case in CASES if case.name == "minimal"), generated)
    template = generated / "default" / "stacks" / "network.yaml"
    template.write_text(template.read_text().replace("10.0.0.0/19", "10.0.0.0/99"))
    for there in account("us-east-1", generated / "default"):
        with pytest.raises(Exception, match=r"deploy\.sh ended with exit code"):
            roll_out(there, generated, "default")
        names = [each["StackName"] for each in there("cloudformation").describe_stacks()["Stacks"]]
        assert "minimal-default-foundation" in names
        assert "minimal-default-registry" not in names
