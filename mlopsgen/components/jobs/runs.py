"""A run of a job: what starting one takes, and how whatever starts it describes it to ECS."""

from __future__ import annotations

import json
from collections.abc import Iterable
from types import ModuleType

from troposphere import GetAtt, Ref, Sub

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Named, Published, Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.capacity import strategy
from mlopsgen.parts.network import private_subnets
from mlopsgen.parts.policies import arn
from mlopsgen.parts.roles import pass_role, role_arn

ROLES = (role_arn("ExecutionRole"), role_arn("TaskRole"))

# How long AWS goes on trying to start a run when ECS does not answer well.
RETRY = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}


def job_spec(job: Workload) -> JobSpec:
    """What the file says of a job."""
    assert isinstance(job.spec, JobSpec)
    return job.spec


def run_network(job: str) -> Published:
    """Where a job's tasks run, as `run-task` takes it."""
    return Published(f"training-{job}", f"training/{job}/network", "String", f"Where {job} runs")


def cluster_arn(site: Site) -> Sub:
    """The ARN of the cluster."""
    return arn("ecs", f"cluster/{site.cluster}")


def target_cluster(site: Site) -> Named:
    """The cluster as the target of whatever starts a run in it."""
    return Named("cluster", cluster_arn(site))


def run(site: Site, job: Workload, group: str, words: ModuleType) -> dict[str, Body]:
    """One task in a group, in the words of `troposphere.events` or of `troposphere.scheduler`."""
    (vpc_configuration,) = words.NetworkConfiguration.props
    place = words.AwsVpcConfiguration(
        Subnets=private_subnets(site),
        SecurityGroups=[GetAtt("SecurityGroup", "GroupId")],
        AssignPublicIp="DISABLED",
    )
    return {
        "TaskDefinitionArn": Ref("TaskDefinition"),
        "TaskCount": 1,
        "Group": group,
        "CapacityProviderStrategy": [
            words.CapacityProviderStrategyItem(**each.properties) for each in strategy(site, job.pool)
        ],
        "NetworkConfiguration": words.NetworkConfiguration(**{vpc_configuration: place}),
        "EnableECSManagedTags": True,
        "PropagateTags": "TASK_DEFINITION",
    }


def started_by(job: Workload, trigger: str) -> str:
    """What a target's `Input` says so that the program finds the trigger's name in `TRIGGER`."""
    override = {"name": job.name, "environment": [{"name": "TRIGGER", "value": trigger}]}
    return json.dumps({"containerOverrides": [override]}, separators=(",", ":"))


def may_run(site: Site, jobs: Iterable[str], roles: Iterable[Value], because: str) -> tuple[Grant, ...]:
    """What it takes to start these jobs on the cluster, with these `roles`, and nothing else."""
    return run_task(site, jobs, because), *hand_over(site, roles, because)


def run_task(site: Site, jobs: Iterable[str], because: str, *more: tuple[str, str, str]) -> Grant:
    """Start tasks of these jobs on the cluster, if `more` conditions hold."""
    families = tuple(arn("ecs", f"task-definition/{site.family(name)}:*") for name in jobs)
    in_cluster = ("ArnEquals", "ecs:cluster", cluster_arn(site))
    return Grant(("ecs:RunTask",), families, because, (in_cluster, *more))


def hand_over(site: Site, roles: Iterable[Value], because: str) -> tuple[Grant, ...]:
    """Give a task that is started its tags, and these `roles`."""
    return (
        Grant(
            ("ecs:TagResource",),
            (arn("ecs", f"task/{site.cluster}/*"),),
            because,
            (("StringEquals", "ecs:CreateAction", "RunTask"),),
        ),
        pass_role(roles, "ecs-tasks.amazonaws.com", because),
    )
