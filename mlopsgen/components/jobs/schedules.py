"""What starts a job by the clock: a schedule for each trigger."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Ref, scheduler

from mlopsgen.aws.cron import to_eventbridge
from mlopsgen.components.jobs.dead_letters import DEAD_LETTERS_ARN
from mlopsgen.components.jobs.outcomes import attempt_group
from mlopsgen.components.jobs.runs import RETRY, ROLES, job_spec, may_run, run, started_by, target_cluster
from mlopsgen.components.jobs.spec import TriggerSpec
from mlopsgen.model.names import logical
from mlopsgen.model.plan import Declaration, FlowEdge, FlowNode, Grant
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.key import key_arn, use_key
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import Role, declare_role, role_arn, trust_service


def declare_schedules(scope: Scope, job: Workload) -> Iterator[Declaration]:
    """A schedule for each trigger, in a group of the job's own, and the role that starts it."""
    triggers = sorted(job_spec(job).triggers, key=lambda each: each.name)
    if not triggers:
        return
    scope = scope.at("triggers")
    group = scheduler.ScheduleGroup("ScheduleGroup", Name=scope.site.schedule_group(job.name))
    yield scope.resource(group)
    yield from _role(scope, job)
    for trigger in triggers:
        # By its own name alone: a neighbour that comes or goes makes no schedule anew.
        yield from _schedule(scope.at(trigger.name), job, trigger, f"{logical(trigger.name)}Schedule")


def _role(scope: Scope, job: Workload) -> tuple[Declaration, ...]:
    site = scope.site
    return declare_role(
        scope,
        Role(
            logical_id="ScheduleRole",
            name=f"{job.name}: schedule",
            kind="service",
            trust=trust_service("scheduler.amazonaws.com", site),
            grants=(
                *may_run(site, (job.name,), ROLES, "starts the run"),
                Grant(("sqs:SendMessage",), (DEAD_LETTERS_ARN,), "reports failed starts"),
                *use_key(site, ("kms:Decrypt", "kms:GenerateDataKey"), "sqs", "reports failed starts"),
                *use_key(site, ("kms:Decrypt",), "scheduler", "reads the encrypted schedule"),
            ),
            description=f"Lets schedules start job {job.name} of {site.prefix}",
        ),
    )


def _schedule(scope: Scope, job: Workload, trigger: TriggerSpec, name: str) -> Iterator[Declaration]:
    site, schedule = scope.site, trigger.schedule
    assert schedule is not None
    key = key_arn(site)
    body = scheduler.Schedule(
        name,
        Description=f"Starts job {job.name} of {site.prefix}",
        GroupName=Ref("ScheduleGroup"),
        ScheduleExpression=to_eventbridge(schedule.cron),
        ScheduleExpressionTimezone=schedule.time_zone,
        FlexibleTimeWindow=scheduler.FlexibleTimeWindow(Mode="OFF"),
        State="ENABLED" if trigger.enabled else "DISABLED",
        Target=_target(site, job, trigger),
        **({"KmsKeyArn": key} if key else {}),
    )
    yield scope.resource(body)
    node = f"schedule:{job.name}:{trigger.name}"
    yield FlowNode(node, f"{' '.join(schedule.cron.split())} {schedule.time_zone}", "schedule")
    yield FlowEdge(node, job.name, "starts")


def _target(site: Site, job: Workload, trigger: TriggerSpec) -> scheduler.Target:
    started = run(site, job, attempt_group(site, job, 0, trigger.name), scheduler)
    return scheduler.Target(
        Arn=target_cluster(site),
        RoleArn=role_arn("ScheduleRole"),
        Input=started_by(job, trigger.name),
        RetryPolicy=scheduler.RetryPolicy(**RETRY),
        DeadLetterConfig=scheduler.DeadLetterConfig(Arn=DEAD_LETTERS_ARN),
        EcsParameters=scheduler.EcsParameters(**started),
    )
