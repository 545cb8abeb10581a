"""How a trainer's run ends, as patterns of the event that ECS sends: lost, failed.

The n-th retry of a run carries `retry-n` in its task group, so that rules of EventBridge alone can count.
"""

from __future__ import annotations

from typing import Any

from mlopsgen import iam
from mlopsgen.components.base import Site
from mlopsgen.spec.trainers import TrainerSpec

INTERRUPTED = 143
"""The exit code of a program that SIGTERM ended, as docs/contracts.md asks of trainers."""

# `TaskStopCode` of the ECS API: the host was unhealthy, Fargate Spot took it back, or AWS retires it.
_LOST_CODES = ["InfrastructureHealth", "SpotInterruption", "TerminationNotice"]
_LOST_HOST = "Host EC2 (instance "


def schedule_group(site: Site, trainer: TrainerSpec) -> str:
    """The task group of runs that the schedule started."""
    return f"schedule:{site.family(trainer.name)}"


def retry_group(site: Site, trainer: TrainerSpec, attempt: int) -> str:
    """The task group of the n-th retry, counted from 1."""
    return f"retry-{attempt}:{site.family(trainer.name)}"


def attempt_groups(site: Site, trainer: TrainerSpec, attempt: int) -> list[str]:
    """The task groups of the n-th retry; of first attempts if n is 0, started by the schedule or by hand."""
    if attempt:
        return [retry_group(site, trainer, attempt)]
    # ECS's own default, when nobody says a group (ECS API reference, RunTask).
    return [f"family:{site.family(trainer.name)}", schedule_group(site, trainer)]


def lost(site: Site, trainer: TrainerSpec, attempt: int) -> dict[str, Any]:
    """The n-th attempt lost its capacity: a retry may take over from its last checkpoint."""
    return _stopped(
        site, [{"group": attempt_groups(site, trainer, attempt), **each} for each in _lost(trainer)]
    )


def failed(site: Site, trainer: TrainerSpec) -> dict[str, Any]:
    """A run that nothing will start again: it could not start, ended with an error, or used up its retries.

    A run that a person stops did not fail.
    """
    every = [
        group for attempt in range(trainer.retries + 1) for group in attempt_groups(site, trainer, attempt)
    ]
    last = attempt_groups(site, trainer, trainer.retries)
    ended = {
        "stopCode": ["EssentialContainerExited"],
        "containers": {"name": [trainer.name], "exitCode": [{"anything-but": [0, INTERRUPTED]}]},
    }
    return _stopped(
        site,
        [
            {"group": every, "stopCode": ["TaskFailedToStart"]},
            {"group": every, **ended},
            *({"group": last, **each} for each in _lost(trainer)),
        ],
    )


def _lost(trainer: TrainerSpec) -> list[dict[str, Any]]:
    # A spot instance that is about to go stops its containers itself, which to ECS is an exit like any other.
    interrupted = {"name": [trainer.name], "exitCode": [INTERRUPTED]}
    return [
        {"stopCode": _LOST_CODES},
        {"stopCode": ["EssentialContainerExited"], "containers": interrupted},
        {"stoppedReason": [{"prefix": _LOST_HOST}]},
    ]


def _stopped(site: Site, ways: list[dict[str, Any]]) -> dict[str, Any]:
    """A task of the training cluster stopped, in one of these ways."""
    return {
        "source": ["aws.ecs"],
        "detail-type": ["ECS Task State Change"],
        "detail": {
            "clusterArn": [iam.arn("ecs", f"cluster/{site.cluster('training')}")],
            "lastStatus": ["STOPPED"],
            "$or": ways,
        },
    }
