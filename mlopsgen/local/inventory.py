"""What exists after a deployment, as each service's own API reports it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from mlopsgen.local.embedded import EmbeddedAws


@dataclass(frozen=True, slots=True)
class Inventory:
    """The things that one API call lists."""

    call: str
    names: tuple[str, ...]


def inventory(aws: EmbeddedAws, prefix: str) -> Iterator[Inventory]:
    """What `prefix` owns, one API call at a time; calls that list nothing are left out."""
    import boto3

    session = boto3.Session(
        aws_access_key_id="rehearsal", aws_secret_access_key="rehearsal", region_name=aws.region
    )

    def client(service: str) -> Any:
        return session.client(service, endpoint_url=aws.endpoint)

    for call, names in _calls(client, prefix):
        found = tuple(sorted(names))
        if found:
            yield Inventory(call, found)


def _calls(client: Callable[[str], Any], prefix: str) -> Iterator[tuple[str, list[str]]]:
    yield "s3 list-buckets", _mine(prefix, client("s3").list_buckets()["Buckets"], "Name")
    aliases = client("kms").list_aliases()["Aliases"]
    yield "kms list-aliases", _mine(f"alias/{prefix}", aliases, "AliasName")
    yield (
        "sns list-topics",
        [
            topic["TopicArn"].rsplit(":", 1)[1]
            for topic in client("sns").list_topics()["Topics"]
            if prefix in topic["TopicArn"]
        ],
    )
    yield (
        "iam list-roles",
        [
            f"{role['Path']}{role['RoleName']}"
            for role in _pages(client("iam"), "list_roles", "Roles")
            if prefix in role["Path"] or role["RoleName"].startswith(prefix)
        ],
    )
    ec2 = client("ec2")
    mine = [{"Name": "tag:mlopsgen:pipeline", "Values": ["*"]}]
    vpcs = [vpc for vpc in ec2.describe_vpcs(Filters=mine)["Vpcs"] if not vpc["IsDefault"]]
    yield "ec2 describe-vpcs", [f"{vpc['VpcId']} {vpc['CidrBlock']}" for vpc in vpcs]
    for vpc in vpcs:
        at = [{"Name": "vpc-id", "Values": [vpc["VpcId"]]}]
        subnets = ec2.describe_subnets(Filters=at)["Subnets"]
        yield "ec2 describe-subnets", [f"{each['CidrBlock']} {each['AvailabilityZone']}" for each in subnets]
    repositories = client("ecr").describe_repositories()["repositories"]
    yield "ecr describe-repositories", _mine(prefix, repositories, "repositoryName")
    systems = client("efs").describe_file_systems()["FileSystems"]
    yield "efs describe-file-systems", [each.get("Name", each["FileSystemId"]) for each in systems]
    ecs = client("ecs")
    clusters = [arn for arn in ecs.list_clusters()["clusterArns"] if arn.endswith(f"/{prefix}")]
    described = ecs.describe_clusters(clusters=clusters)["clusters"] if clusters else []
    yield "ecs describe-clusters", [f"{each['clusterName']} {each['status']}" for each in described]
    yield (
        "ecs list-task-definitions",
        [
            arn.rsplit("/", 1)[1]
            for arn in ecs.list_task_definitions()["taskDefinitionArns"]
            if f"/{prefix}-" in arn
        ],
    )
    for cluster in clusters:
        arns = ecs.list_services(cluster=cluster)["serviceArns"]
        services = ecs.describe_services(cluster=cluster, services=arns)["services"] if arns else []
        yield (
            "ecs describe-services",
            [f"{each['serviceName']} {each['status']}" for each in services],
        )
    balancers = client("elbv2").describe_load_balancers()["LoadBalancers"]
    yield (
        "elbv2 describe-load-balancers",
        [f"{each['LoadBalancerName']} {each['Scheme']} {each['State']['Code']}" for each in balancers],
    )
    groups = _pages(client("logs"), "describe_log_groups", "logGroups")
    yield "logs describe-log-groups", _mine(f"/{prefix}/", groups, "logGroupName")
    yield (
        "cloudwatch list-dashboards",
        _mine(prefix, client("cloudwatch").list_dashboards()["DashboardEntries"], "DashboardName"),
    )


def _pages(client: Any, operation: str, key: str) -> list[dict[str, Any]]:
    return [item for page in client.get_paginator(operation).paginate() for item in page[key]]


def _mine(prefix: str, items: list[dict[str, Any]], key: str) -> list[str]:
    return [item[key] for item in items if item[key].startswith(prefix)]
