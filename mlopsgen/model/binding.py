"""What a workload gets because of what it names: bindings are computed first and handed to all components."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.model.plan import Declaration, FlowEdge, Grant
from mlopsgen.model.values import Body, Value


class TaskVolume(NamedTuple):
    """A volume of a task definition, as `AWS::ECS::TaskDefinition` takes it in `Volumes`."""

    name: str
    properties: tuple[tuple[str, Body], ...] = ()
    """What stands beside `Name`, as troposphere takes it; nothing for space on the host."""


class Mount(NamedTuple):
    """Where the main container sees a volume."""

    volume: str
    path: str
    read_only: bool = False


class Tmpfs(NamedTuple):
    """Memory that the main container sees as a folder."""

    path: str
    size: int
    """MiB."""
    read_only: bool = False


class Connection(NamedTuple):
    """Whom a workload may connect to: its security group gets the way out, theirs the way in."""

    id: str
    """The start of the logical ids of both rules, such as `CacheVolume`."""
    group: Value
    """The other's security group."""
    port: int
    description: str
    owned: bool = True
    """Whether the other's group is the pipeline's own; somebody else adds the rule to theirs."""


class WayOut(NamedTuple):
    """Whom a workload may connect to, wherever it is: a rule of its security group alone."""

    peer: str
    """A range, or the id of a security group or of a prefix list."""
    port: int
    description: str


class Contribution(NamedTuple):
    """A statement for a policy that is shared: its owner puts it in."""

    owner: Literal["key", "bucket", "boundary"]
    grant: Grant
    principal: str = ""
    """The service that gets it, such as `cloudfront.amazonaws.com`; a boundary names none."""
    bucket: str = ""
    """Whose policy it is for, if a bucket's: the bucket's name in the spec."""
    named: bool = False
    """Whether its resources are names: of very many, those that begin alike may come to stand as one."""


class Binding(NamedTuple):
    """What one workload gets."""

    environment: tuple[tuple[str, Value], ...] = ()
    """Environment variables of its containers."""
    secrets: tuple[tuple[str, Value], ...] = ()
    """Environment variables that ECS fills from a secret: (name, `valueFrom`)."""
    grants: tuple[Grant, ...] = ()
    """For the task role: what the program does."""
    execution_grants: tuple[Grant, ...] = ()
    """For the execution role: what ECS does to start it."""
    volumes: tuple[TaskVolume, ...] = ()
    """Volumes of its task definition."""
    mounts: tuple[Mount, ...] = ()
    """Where its main container sees them."""
    tmpfs: tuple[Tmpfs, ...] = ()
    """Memory that its main container sees as folders."""
    opened: tuple[Mount, ...] = ()
    """Empty volumes that belong to root, to be opened to every user before the main container starts."""
    connections: tuple[Connection, ...] = ()
    """Whom of the pipeline, or of those that its volumes name, it may connect to."""
    ways_out: tuple[WayOut, ...] = ()
    """Whom else."""
    services: tuple[str, ...] = ()
    """What of AWS it calls, or ECS for it, as interface endpoints are named: `secretsmanager`, `ecr.api`."""
    declarations: tuple[Declaration, ...] = ()
    """Resources in the workload's own stack, and arrows of the data flow."""
    contributions: tuple[Contribution, ...] = ()
    """Statements for shared policies."""

    @property
    def edges(self) -> tuple[FlowEdge, ...]:
        """Its arrows of the data flow."""
        return tuple(each for each in self.declarations if isinstance(each, FlowEdge))


Bindings: TypeAlias = Mapping[str, Binding]
"""The binding of each workload, by its name."""


def contributed(
    bindings: Bindings, owner: Literal["key", "bucket", "boundary"], bucket: str = ""
) -> tuple[Contribution, ...]:
    """What all workloads together say to the owner of a shared policy, each once."""
    every = (each for name in sorted(bindings) for each in bindings[name].contributions)
    return tuple(dict.fromkeys(each for each in every if each.owner == owner and each.bucket == bucket))


def together(bindings: Iterable[Binding]) -> Binding:
    """All of them as one, in order."""
    columns = zip(*bindings, strict=True)
    return Binding(*(tuple(chain.from_iterable(column)) for column in columns))
