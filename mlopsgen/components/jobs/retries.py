"""What starts a job again: a rule for each retry of a run that lost its capacity."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import events

from mlopsgen.components.jobs.dead_letters import DEAD_LETTERS_ARN
from mlopsgen.components.jobs.outcomes import attempt_group, lost
from mlopsgen.components.jobs.runs import RETRY, ROLES, job_spec, may_run, run, started_by, target_cluster
from mlopsgen.model.names import logical
from mlopsgen.model.plan import Declaration
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import Role, declare_role, role_arn, trust_service


def declare_retries(scope: Scope, job: Workload) -> Iterator[Declaration]:
    """A rule for each retry, for runs that people start and for those of each trigger.

    A rule starts the run in the group of the next retry, and with the same `TRIGGER`.
    """
    most = job_spec(job).retries.on_lost_capacity
    if not most:
        return
    site = scope.site
    scope = scope.at("retries")
    yield from declare_role(
        scope,
        Role(
            logical_id="RetryRole",
            name=f"{job.name}: retries",
            kind="service",
            trust=trust_service("events.amazonaws.com", site),
            grants=may_run(site, (job.name,), ROLES, "starts the run again"),
            description=f"Lets rules start job {job.name} of {site.prefix} again",
        ),
    )
    triggers = sorted(each.name for each in job_spec(job).triggers)
    for trigger in (None, *triggers):
        for attempt in range(1, most + 1):
            yield scope.resource(_rule(site, job, attempt, most, trigger))


def _rule(site: Site, job: Workload, attempt: int, most: int, trigger: str | None) -> events.Rule:
    # No name has a dot, so that no job's rule can have the name of another's.
    purpose = f"retry-{attempt}.{trigger}" if trigger else f"retry-{attempt}"
    return events.Rule(
        f"{logical(trigger) if trigger else ''}RetryRule{attempt}",
        Name=site.rule(job.name, purpose),
        Description=f"Retry {attempt} of {most} of {job.name}, when it lost its capacity",
        EventPattern=lost(site, job, attempt - 1, trigger),
        Targets=[_target(site, job, attempt, trigger)],
    )


def _target(site: Site, job: Workload, attempt: int, trigger: str | None) -> events.Target:
    started = run(site, job, attempt_group(site, job, attempt, trigger), events)
    target = events.Target(
        Id="run-again",
        Arn=target_cluster(site),
        RoleArn=role_arn("RetryRole"),
        RetryPolicy=events.RetryPolicy(**RETRY),
        DeadLetterConfig=events.DeadLetterConfig(Arn=DEAD_LETTERS_ARN),
        EcsParameters=events.EcsParameters(**started),
    )
    if trigger:
        target.Input = started_by(job, trigger)
    return target
