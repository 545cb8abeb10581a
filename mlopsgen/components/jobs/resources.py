"""`spec.jobs`: one stack for each, with its task, what starts it, and what starts it again."""

from __future__ import annotations

import json
from collections.abc import Iterator

from troposphere import GetAtt, Join, Sub, ec2

from mlopsgen.components.jobs.alarms import declare_alarms
from mlopsgen.components.jobs.dead_letters import declare_dead_letters
from mlopsgen.components.jobs.retries import declare_retries
from mlopsgen.components.jobs.runs import job_spec, run_network
from mlopsgen.components.jobs.schedules import declare_schedules
from mlopsgen.model.binding import Binding, Bindings
from mlopsgen.model.plan import Command, Declaration, Phase, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.capacity import strategy
from mlopsgen.parts.network import connection_rules, private_subnets, vpc_id, ways_out
from mlopsgen.parts.resource import Scope, publish
from mlopsgen.parts.task import declare_task, scope_of


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """Containers that run to an end, and the queue for runs that could not be started."""
    yield from declare_dead_letters(site)
    for job in site.jobs:
        yield StackDescription(job.stack, f"job {job.name}", Phase.BEFORE_FIRST_MODEL)
        yield from declare_task(
            site,
            job,
            bindings[job.name],
            entry_point=entry_point(job),
            environment=(("PARAMETERS", _parameters(job)),),
            start=_start(site, job),
        )
        scope = scope_of(site, job)
        yield from _network(scope, job, bindings[job.name])
        yield from connection_rules(scope, bindings[job.name].connections)
        yield from declare_schedules(scope, job)
        yield from declare_retries(scope, job)
        yield from declare_alarms(scope, job)
        yield from _commands(site, job)


def entry_point(job: Workload) -> tuple[str, ...]:
    """`timeout` of GNU coreutils: SIGTERM at the limit, SIGKILL if that is not heeded, exit code 124.

    It hands on the SIGTERM that ECS sends, and the program's own exit code.
    """
    limit = job_spec(job).timeout
    return ("timeout", "--signal=TERM", f"--kill-after={job.stop_timeout}s", f"{limit}s")


def _parameters(job: Workload) -> str:
    return json.dumps(job_spec(job).parameters, sort_keys=True, separators=(",", ":"))


def _network(scope: Scope, job: Workload, binding: Binding) -> Iterator[Declaration]:
    """Its security group, which nothing may connect to, and where it runs, for whoever starts it."""
    site = scope.site
    group = ec2.SecurityGroup(
        "SecurityGroup",
        GroupDescription=f"Job {job.name} of {site.prefix}",
        VpcId=vpc_id(site),
        SecurityGroupEgress=ways_out(binding),
    )
    yield scope.resource(group)
    text = (
        '{"awsvpcConfiguration":{"subnets":["${Subnets}"],'
        '"securityGroups":["${Group}"],"assignPublicIp":"DISABLED"}}'
    )
    place = Sub(text, Subnets=Join('","', private_subnets(site)), Group=GetAtt("SecurityGroup", "GroupId"))
    yield publish(run_network(job.name), place, scope.origin, kept="people start the job with it")


def _start(site: Site, job: Workload) -> tuple[str, ...]:
    """What starts it by hand, and prints the task's ARN."""
    region, name = site.region, job.name
    place = site.parameter(run_network(name).key)
    asked = f"aws ssm get-parameter --region {region} --name {place} --query Parameter.Value --output text"
    providers = " ".join(each.option for each in strategy(site, job.pool))
    return (
        "aws ecs run-task \\",
        f"  --region {region} \\",
        f"  --cluster {site.cluster} \\",
        f"  --task-definition {site.family(name)} \\",
        f"  --capacity-provider-strategy {providers} \\",
        f'  --network-configuration "$({asked})" \\',
        "  --enable-ecs-managed-tags --propagate-tags TASK_DEFINITION \\",
        "  --query 'tasks[0].taskArn' --output text",
    )


def _commands(site: Site, job: Workload) -> Iterator[Command]:
    region, name = site.region, job.name
    yield Command("Jobs", f"Start {name} in {site.environment}", _start(site, job))
    yield Command(
        "Jobs",
        f"Follow what {name} logs in {site.environment}",
        (f"aws logs tail {site.log_group(name)} --region {region} --follow",),
    )
