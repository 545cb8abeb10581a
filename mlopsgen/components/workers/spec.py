"""`spec.workers`: containers that run for ever and have no way in."""

from typing import Annotated

from pydantic import Field

from mlopsgen.components.monitoring.spec import WorkerAlarmsSpec
from mlopsgen.components.workloads.spec import ContainerCheckSpec, ReplicasSpec, RollingSpec, WorkloadSpec
from mlopsgen.language.base import Name, Spec


class WorkerReplicasSpec(ReplicasSpec):
    """How many tasks run."""

    min: Annotated[int, Field(ge=0, le=5000)] = 1
    """The fewest. Without `max`: exactly so many."""


class WorkerRollbackSpec(Spec):
    """What sends a deployment back to the version before it."""

    on_failure: bool = True
    """Tasks that do not become healthy."""


class WorkerDeploymentSpec(Spec):
    """How a new version takes over."""

    rolling: RollingSpec = Field(default_factory=RollingSpec)
    """New tasks take the place of old ones in turn."""

    rollback: WorkerRollbackSpec = Field(default_factory=WorkerRollbackSpec)
    """What sends a deployment back."""


class WorkerSpec(WorkloadSpec):
    """A container that runs for ever and has no way in. On SIGTERM it finishes its message or gives it back."""

    consumes: tuple[Name, ...] = ()
    """Queues: receive, delete, change visibility. `NAME_QUEUE_URL`. A worker that takes its work elsewhere has none."""

    health_check: ContainerCheckSpec = Field(default_factory=ContainerCheckSpec)
    """How ECS tells whether a task is well; without `command` there is no check."""

    replicas: WorkerReplicasSpec = Field(default_factory=WorkerReplicasSpec)
    """How many tasks run."""

    deployment: WorkerDeploymentSpec = Field(default_factory=WorkerDeploymentSpec)
    """How a new version takes over."""

    alarms: WorkerAlarmsSpec = Field(default_factory=WorkerAlarmsSpec)
    """Its own, before `monitoring.alarms.workers`, key by key."""
