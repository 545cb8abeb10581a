"""The generated `deploy.sh`, run by bash with the real AWS CLI against an embedded AWS."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from mlopsgen.artifacts import write
from mlopsgen.compile import artifacts, compile_pipeline
from mlopsgen.local.deploy import TAG, command, deploy
from mlopsgen.local.embedded import EmbeddedAws, embedded_aws
from mlopsgen.manifest import read_manifest
from tests.cases import KNOWN, Case, case
from tests.tools import needs_extra

DEPLOYED = {
    "imdb-sentiment/dev": "the pipeline of this repository, with a way for its delivery",
    "existing-network/default": "a network, certificates and a boundary that others own",
    "strategies/default": "services that shift traffic and scale by each measure and the clock, and a worker",
    "everything/default": "file systems, pools of two kinds, several routes, triggers and roles for people",
}
"""What is deployed, and why: one rehearsal takes half a minute, so not every known environment is."""


def place(name: str) -> tuple[Path, str]:
    """What was built of an environment's pipeline, and the environment."""
    pipeline, _, environment = name.partition("/")
    return case(pipeline).built, environment


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
    said = []

    def say(line: str) -> None:
        print(line)
        said.append(line)

    deploy(account.aws, generated / environment, read_manifest(generated)["environments"][environment], say)
    return said


@pytest.mark.parametrize("name", DEPLOYED)
def test_every_stack_deploys(name: str):
    """Every stack is created, and ECS then runs the services that the pipeline declares."""
    generated, environment = place(name)
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
        assert declared
        cluster = facts["prefix"]
        running = there("ecs").describe_services(cluster=cluster, services=sorted(declared))["services"]
        assert {each["serviceName"]: each["status"] for each in running} == dict.fromkeys(declared, "ACTIVE")
        assert all("@sha256:" in image for image in images(there, running))


def test_what_is_deployed_holds_every_type_of_resource():
    """What some known pipeline has and none of these, nobody would have seen deployed."""
    held = {each.name: types(each) for each in KNOWN}
    deployed = set().union(*(held[name.partition("/")[0]] for name in DEPLOYED))
    assert {kind for kinds in held.values() for kind in kinds} == deployed


def types(pipeline: Case) -> set[str]:
    """The types of a pipeline's resources."""
    return {
        each.type for own in pipeline.compilations for stack in own.plan.stacks for each in stack.resources
    }


def images(there: Account, services: list[dict[str, Any]]) -> Iterator[str]:
    """The images of the tasks that the services run."""
    for service in services:
        task = there("ecs").describe_task_definition(taskDefinition=service["taskDefinition"])
        yield from (each["image"] for each in task["taskDefinition"]["containerDefinitions"])


def test_a_network_of_others_is_used_as_it_is():
    """No stack makes a VPC, and tasks and load balancer stand in the subnets that were named."""
    generated, environment = place("existing-network/default")
    for there in account("eu-west-1", generated / environment):
        before = {each["VpcId"] for each in there("ec2").describe_vpcs()["Vpcs"]}
        assert "vpc-0123456789abcdef0" in before
        roll_out(there, generated, environment)
        assert {each["VpcId"] for each in there("ec2").describe_vpcs()["Vpcs"]} == before
        (balancer,) = there("elbv2").describe_load_balancers()["LoadBalancers"]
        assert {each["SubnetId"] for each in balancer["AvailabilityZones"]} == {
            "subnet-0123456789abcdef1",
            "subnet-0123456789abcdef2",
        }


def test_a_failing_stack_stops_the_rest(tmp_path: Path):
    """The script ends with the stack that failed, and does not touch the ones after it."""
    generated = tmp_path / "generated"
    shutil.copytree(case("minimal").built, generated)
    template = generated / "default" / "stacks" / "network.yaml"
    template.write_text(template.read_text().replace("10.0.0.0/19", "10.0.0.0/99"))
    for there in account("us-east-1", generated / "default"):
        with pytest.raises(Exception, match=r"deploy\.sh ended with exit code"):
            roll_out(there, generated, "default")
        names = [each["StackName"] for each in there("cloudformation").describe_stacks()["Stacks"]]
        assert "minimal-default-foundation" in names
        assert "minimal-default-registry-app" not in names


LIFE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: life}
spec:
  aws: {region: us-east-1}
  encryption: {awsManaged: {}}
  network:
    existing:
      vpcId: vpc-0123456789abcdef0
      cidrs: [10.8.0.0/16]
      publicSubnetIds: [subnet-0123456789abcdef1, subnet-0123456789abcdef2]
      privateSubnetIds: [subnet-0123456789abcdef3, subnet-0123456789abcdef4]
  buckets: [{name: data, prefixes: [{name: raw}]}]
  loadBalancers: [{name: public, scheme: internet-facing}]
  images: [{name: web, python: {command: [python, -m, web]}}]
  services:
    - name: front
      image: web
      ports: [{name: http, port: 8080}]
      ingress: [{name: web, loadBalancer: public}]
"""


def script(there: Account, environment: Path, *words: str) -> str:
    """What the script prints; it ends well."""
    done = subprocess.run(
        [*command(environment), *words],
        env=there.aws.environment | {"IMAGE_TAG": TAG, "POLL_SECONDS": "0"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def stacks(there: Account) -> set[str]:
    found = there("cloudformation").describe_stacks()["Stacks"]
    return {each["StackName"].removeprefix("life-default-") for each in found}


def buckets(there: Account) -> set[str]:
    return {each["Name"] for each in there("s3").list_buckets()["Buckets"]}


def test_a_whole_life(tmp_path: Path):
    """Delivered, left as it is, changed, pruned and taken down: what holds data stays."""
    first, second = (built(tmp_path / name, text) for name, text in lives())
    for there in account("us-east-1", first):
        roll_out(there, first.parent, "default")
        kept = buckets(there)
        assert "serving-front" in stacks(there)
        assert "done" not in script(there, first)
        said = script(there, second, "--until", "foundation")
        assert (
            "the pipeline no longer has life-default-observability-front life-default-serving-front" in said
        )
        assert "serving-front" in stacks(there)
        script(there, second, "--prune", "--yes")
        assert "serving-front" not in stacks(there)
        assert "serving-shop" in stacks(there)
        assert "would be deleted" in script(there, second, "--destroy", "--dry-run")
        script(there, second, "--destroy", "--yes")
        assert (stacks(there), buckets(there)) == (set(), kept)


def lives() -> Iterator[tuple[str, str]]:
    yield "first", LIFE
    yield "second", LIFE.replace("front", "shop")


def built(folder: Path, text: str) -> Path:
    """The environment's folder of what a pipeline becomes."""
    write(artifacts(compile_pipeline(text, "pipeline.yaml"), {}), folder / "generated")
    for path in folder.glob("generated/*/stacks/*.yaml"):
        # moto 5.2 deletes what has the younger policy.
        path.write_text(path.read_text().replace("RetainExceptOnCreate", "Retain"))
    return folder / "generated" / "default"
