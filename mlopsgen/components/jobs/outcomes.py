"""How a job's run ends, as patterns of the event that ECS sends: lost, failed.

A run's task group says what started it and which attempt it is, so that rules of EventBridge alone can count.
"""

from __future__ import annotations

from mlopsgen.components.jobs.runs import cluster_arn, job_spec
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.model.workload import Workload

INTERRUPTED = 143
"""The exit code of a program that SIGTERM ended, as docs/contracts.md asks of jobs."""

# `TaskStopCode` of the ECS API: the host was unhealthy, Fargate Spot took it back, or AWS retires it.
_LOST_CODES = ["InfrastructureHealth", "SpotInterruption", "TerminationNotice"]
_LOST_HOST = "Host EC2 (instance "

# Why a task that waited for instances was given up (Amazon ECS developer guide, "Amazon ECS API failure
# reasons"): none came, or those that are there were taken; and what Fargate says where it has none (AWS
# re:Post, knowledge-center/ecs-fargate-runtask-capacity), if it has not refused the start itself, which is
# repeated anyway.
_ON_INSTANCES = ["*EMPTY CAPACITY PROVIDER*", "*NO ACTIVE INSTANCES*", "*RESOURCE:*"]
_ON_FARGATE = ["*apacity is unavailable*"]


def attempt_group(site: Site, job: Workload, attempt: int, trigger: str | None) -> str:
    """The task group of an attempt, counted from 0, of a run that `trigger` started, or a person.

    People need to name none: ECS then takes the family (Amazon ECS API reference, RunTask).
    """
    first = f"trigger-{trigger}" if trigger else "family"
    again = f"retry-{attempt}-{trigger}" if trigger else f"retry-{attempt}"
    return f"{again if attempt else first}:{site.family(job.name)}"


def lost(site: Site, job: Workload, attempt: int, trigger: str | None) -> dict[str, Body]:
    """The attempt lost its capacity or found none: a retry may take over from its last checkpoint."""
    return _stopped(site, _lost(job), group=[attempt_group(site, job, attempt, trigger)])


def failed(site: Site, job: Workload) -> dict[str, Body]:
    """A run that nothing will start again: it could not start, ended with an error, or used up its retries.

    A run that a person stops did not fail.
    """
    every = [{"suffix": f":{site.family(job.name)}"}]
    ended = {
        "stopCode": ["EssentialContainerExited"],
        "containers": {"name": [job.name], "exitCode": [{"anything-but": [0, INTERRUPTED]}]},
    }
    never_started: dict[str, Body] = {
        "stopCode": ["TaskFailedToStart"],
        "stoppedReason": [{"anything-but": {"wildcard": _no_capacity(job)}}],
    }
    last = _last_groups(site, job) or every
    return _stopped(
        site,
        [
            {"group": every, **never_started},
            {"group": every, **ended},
            *({"group": last, **each} for each in _lost(job)),
        ],
    )


def _last_groups(site: Site, job: Workload) -> list[Body]:
    """The task groups of last retries; none if nothing is retried."""
    spec, family = job_spec(job), site.family(job.name)
    last = spec.retries.on_lost_capacity
    if not last:
        return []
    triggered = [{"wildcard": f"retry-{last}-*:{family}"}] if spec.triggers else []
    return [attempt_group(site, job, last, None), *triggered]


def _lost(job: Workload) -> list[dict[str, Body]]:
    # A spot instance that is about to go stops its containers itself, which to ECS is an exit like any other.
    interrupted = {"name": [job.name], "exitCode": [INTERRUPTED]}
    ways: list[dict[str, Body]] = [
        {"stopCode": _LOST_CODES},
        {"stopCode": ["EssentialContainerExited"], "containers": interrupted},
        {"stoppedReason": [{"prefix": _LOST_HOST}]},
    ]
    reasons = [{"wildcard": each} for each in _no_capacity(job)]
    ways.append({"stopCode": ["TaskFailedToStart"], "stoppedReason": reasons})
    return ways


def _no_capacity(job: Workload) -> list[str]:
    return _ON_INSTANCES if job.on_instances else _ON_FARGATE


def _stopped(site: Site, ways: list[dict[str, Body]], **more: Body) -> dict[str, Body]:
    """A task of the cluster stopped, in one of these ways, and all that is said besides holds."""
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {"clusterArn": [cluster_arn(site)], "lastStatus": ["STOPPED"], **more, "$or": ways},
    }
