"""`spec.trainers`: one stack for each, with its task, what starts it, and what starts it again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from troposphere import GetAtt, Join, Ref, Sub, ec2, events, scheduler

from mlopsgen import iam
from mlopsgen.aws.cron import to_eventbridge
from mlopsgen.components import network
from mlopsgen.components.base import Component, Site
from mlopsgen.components.training import DEAD_LETTER_ARN
from mlopsgen.components.wiring import KEY_ARN, publish, take
from mlopsgen.ecs.capacity import provider
from mlopsgen.ecs.outcomes import lost, retry_group, schedule_group
from mlopsgen.ecs.task_definition import task
from mlopsgen.ecs.training_alarms import alarms
from mlopsgen.plan import Command, Edge, Grant, Parameter, Part, Resource, Thing, Value
from mlopsgen.source.node import Path
from mlopsgen.spec.trainers import TrainerSpec

_ROLES = (iam.role_arn("ExecutionRole"), iam.role_arn("TaskRole"))

# How long EventBridge goes on trying to start a run when ECS does not answer well.
_RETRY = {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}


class Trainers(Component):
    """Jobs that produce models."""

    def declare(self, site: Site) -> Iterator[Part]:
        for trainer in site.trainers:
            yield from _trainer(site, trainer, f"training-{trainer.name}", ("spec", "trainers", trainer.name))


def command(trainer: TrainerSpec) -> tuple[str, ...]:
    """What the container runs. It must be said: an image's own command goes with its entry point."""
    build = trainer.image.build
    if trainer.command or not build:
        return trainer.command
    return build.command or ("python", "-m", PurePosixPath(build.context).name)


def entry_point(trainer: TrainerSpec) -> tuple[str, ...]:
    """`timeout` of GNU coreutils: SIGTERM at the limit, SIGKILL if that is not heeded, exit code 124.

    It hands on the SIGTERM that ECS sends, and the program's own exit code.
    """
    return ("timeout", "--signal=TERM", f"--kill-after={trainer.stop_timeout}s", f"{trainer.timeout}s")


def _trainer(site: Site, trainer: TrainerSpec, stack: str, origin: Path) -> Iterator[Part]:
    yield from task(
        site,
        trainer,
        kind="trainer",
        stack=stack,
        origin=origin,
        entry_point=entry_point(trainer),
        command=command(trainer),
        environment=(("HYPERPARAMETERS", _json(trainer)),),
    )
    yield from _network(site, trainer, stack, origin)
    if trainer.schedule:
        yield from _schedule(site, trainer, stack, (*origin, "schedule"))
    if trainer.retries:
        yield from _retries(site, trainer, stack, (*origin, "retries"))
    yield from alarms(site, trainer, stack, origin)
    yield from _commands(site, trainer)


def _json(trainer: TrainerSpec) -> str:
    return json.dumps(trainer.hyperparameters, sort_keys=True, separators=(",", ":"))


def _network(site: Site, trainer: TrainerSpec, stack: str, origin: Path) -> Iterator[Part]:
    """Its security group, which nothing may connect to, and where it runs, for whoever starts it."""
    joined = network.join(site, stack)
    yield from joined.parameters
    https = ec2.SecurityGroupRule(
        IpProtocol="tcp",
        FromPort=443,
        ToPort=443,
        CidrIp="0.0.0.0/0",
        Description="AWS and model hubs, over TLS",
    )
    group = ec2.SecurityGroup(
        "SecurityGroup",
        GroupDescription=f"Trainer {trainer.name} of {site.prefix}",
        VpcId=joined.vpc_id,
        SecurityGroupEgress=[https],
    )
    yield Resource(stack, "SecurityGroup", group, origin)
    text = (
        '{"awsvpcConfiguration":{"subnets":["${Subnets}"],'
        '"securityGroups":["${Group}"],"assignPublicIp":"DISABLED"}}'
    )
    place = Sub(text, Subnets=Join('","', joined.private_subnets), Group=GetAtt("SecurityGroup", "GroupId"))
    yield publish(site, stack, "RunNetwork", network_key(trainer.name), place, origin)


def network_key(trainer: str) -> str:
    """Under which key a trainer's stack says where its tasks run, as `run-task` takes it."""
    return f"training/{trainer}/network"


def _schedule(site: Site, trainer: TrainerSpec, stack: str, origin: Path) -> Iterator[Part]:
    assert trainer.schedule
    key, key_parameter = take(site, stack, "KeyArn", KEY_ARN, "String", "The pipeline's key")
    queue, queue_parameter = _dead_letters(site, stack)
    yield key_parameter
    yield queue_parameter
    group = scheduler.ScheduleGroup("ScheduleGroup", Name=site.schedule_group(trainer.name))
    yield Resource(stack, "ScheduleGroup", group, origin)
    yield from iam.role(
        site,
        stack=stack,
        logical_id="ScheduleRole",
        name=f"{trainer.name}: schedule",
        kind="service",
        trust=iam.trust_service("scheduler.amazonaws.com", site),
        grants=(
            *may_run(site, (trainer.name,), _ROLES, "starts the run"),
            Grant(("sqs:SendMessage",), (queue,), "reports failed starts"),
            _key_grant(key, ("kms:Decrypt", "kms:GenerateDataKey"), "sqs", "reports failed starts"),
            _key_grant(key, ("kms:Decrypt",), "scheduler", "reads the encrypted schedule"),
        ),
        description=f"Lets the schedule start trainer {trainer.name} of {site.prefix}",
        origin=origin,
    )
    schedule = scheduler.Schedule(
        "Schedule",
        Description=f"Starts trainer {trainer.name} of {site.prefix}",
        GroupName=Ref("ScheduleGroup"),
        ScheduleExpression=to_eventbridge(trainer.schedule.cron),
        ScheduleExpressionTimezone=trainer.schedule.timezone,
        FlexibleTimeWindow=scheduler.FlexibleTimeWindow(Mode="OFF"),
        KmsKeyArn=key,
        State="ENABLED" if trainer.schedule.enabled else "DISABLED",
        Target=scheduler.Target(
            Arn=_cluster_arn(site),
            RoleArn=iam.role_arn("ScheduleRole"),
            RetryPolicy=scheduler.RetryPolicy(**_RETRY),
            DeadLetterConfig=scheduler.DeadLetterConfig(Arn=queue),
            EcsParameters=scheduler.EcsParameters(
                TaskDefinitionArn=Ref("TaskDefinition"),
                TaskCount=1,
                Group=schedule_group(site, trainer),
                CapacityProviderStrategy=[
                    scheduler.CapacityProviderStrategyItem(CapacityProvider=provider(site, trainer), Weight=1)
                ],
                NetworkConfiguration=scheduler.NetworkConfiguration(
                    AwsvpcConfiguration=scheduler.AwsVpcConfiguration(**_place(site, stack))
                ),
                EnableECSManagedTags=True,
                PropagateTags="TASK_DEFINITION",
            ),
        ),
    )
    yield Resource(stack, "Schedule", schedule, origin)
    when = f"{trainer.schedule.cron} {trainer.schedule.timezone}"
    yield Thing(f"schedule:{trainer.name}", when, "schedule")
    yield Edge(f"schedule:{trainer.name}", trainer.name, "starts")


def _retries(site: Site, trainer: TrainerSpec, stack: str, origin: Path) -> Iterator[Part]:
    """One rule per retry: a run that lost its capacity is started again, in a group that counts."""
    queue, queue_parameter = _dead_letters(site, stack)
    yield queue_parameter
    yield from iam.role(
        site,
        stack=stack,
        logical_id="RetryRole",
        name=f"{trainer.name}: retries",
        kind="service",
        trust=iam.trust_service("events.amazonaws.com", site),
        grants=may_run(site, (trainer.name,), _ROLES, "starts the run again"),
        description=f"Lets rules start trainer {trainer.name} of {site.prefix} again",
        origin=origin,
    )
    for attempt in range(1, trainer.retries + 1):
        target = events.Target(
            Id="run-again",
            Arn=_cluster_arn(site),
            RoleArn=iam.role_arn("RetryRole"),
            RetryPolicy=events.RetryPolicy(**_RETRY),
            DeadLetterConfig=events.DeadLetterConfig(Arn=queue),
            EcsParameters=events.EcsParameters(
                TaskDefinitionArn=Ref("TaskDefinition"),
                TaskCount=1,
                Group=retry_group(site, trainer, attempt),
                CapacityProviderStrategy=[
                    events.CapacityProviderStrategyItem(CapacityProvider=provider(site, trainer), Weight=1)
                ],
                NetworkConfiguration=events.NetworkConfiguration(
                    AwsVpcConfiguration=events.AwsVpcConfiguration(**_place(site, stack))
                ),
                EnableECSManagedTags=True,
                PropagateTags="TASK_DEFINITION",
            ),
        )
        rule = events.Rule(
            f"RetryRule{attempt}",
            Name=site.rule(trainer.name, f"retry-{attempt}"),
            Description=f"Retry {attempt} of {trainer.retries} of {trainer.name}, when it lost its capacity",
            EventPattern=lost(site, trainer, attempt - 1),
            Targets=[target],
        )
        yield Resource(stack, f"RetryRule{attempt}", rule, origin)


def _dead_letters(site: Site, stack: str) -> tuple[Ref, Parameter]:
    return take(
        site, stack, "DeadLettersArn", DEAD_LETTER_ARN, "String", "The queue of starts that did not come off"
    )


def _place(site: Site, stack: str) -> dict[str, object]:
    return {
        "Subnets": network.join(site, stack).private_subnets,
        "SecurityGroups": [GetAtt("SecurityGroup", "GroupId")],
        "AssignPublicIp": "DISABLED",
    }


def _cluster_arn(site: Site) -> Sub:
    return iam.arn("ecs", f"cluster/{site.cluster('training')}")


def may_run(site: Site, trainers: Iterable[str], roles: tuple[Value, ...], because: str) -> tuple[Grant, ...]:
    """What it takes to start these trainers on their cluster, with these `roles`, and nothing else."""
    families = tuple(iam.arn("ecs", f"task-definition/{site.family(name)}:*") for name in trainers)
    return (
        Grant(("ecs:RunTask",), families, because, (("ArnEquals", "ecs:cluster", _cluster_arn(site)),)),
        Grant(
            ("ecs:TagResource",),
            (iam.arn("ecs", f"task/{site.cluster('training')}/*"),),
            because,
            (("StringEquals", "ecs:CreateAction", "RunTask"),),
        ),
        iam.pass_role(roles, "ecs-tasks.amazonaws.com", because),
    )


def _key_grant(key: Value, actions: tuple[str, ...], service: str, because: str) -> Grant:
    via = Sub(f"{service}.${{AWS::Region}}.${{AWS::URLSuffix}}")
    return Grant(actions, (key,), because, (("StringEquals", "kms:ViaService", via),))


def _commands(site: Site, trainer: TrainerSpec) -> Iterator[Part]:
    region, name = site.spec.aws.region, trainer.name
    place = site.parameter(network_key(trainer.name))
    asked = f"aws ssm get-parameter --region {region} --name {place} --query Parameter.Value --output text"
    yield Command(
        "Training",
        f"Start {name} in {site.environment}",
        (
            "aws ecs run-task \\",
            f"  --region {region} \\",
            f"  --cluster {site.cluster('training')} \\",
            f"  --task-definition {site.family(name)} \\",
            f"  --capacity-provider-strategy capacityProvider={provider(site, trainer)},weight=1 \\",
            f'  --network-configuration "$({asked})" \\',
            "  --enable-ecs-managed-tags --propagate-tags TASK_DEFINITION \\",
            "  --query 'tasks[0].taskArn' --output text",
        ),
    )
    yield Command(
        "Training",
        f"Follow what {name} logs in {site.environment}",
        (f"aws logs tail {site.log_group(name)} --region {region} --follow",),
    )
