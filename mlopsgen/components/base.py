"""The verbs that components speak: they declare parts, and they bind workloads to what these name."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from hashlib import sha256
from itertools import chain
from typing import NamedTuple

from mlopsgen.plan import Edge, Grant, Parameter, Part, Value
from mlopsgen.spec.delivery import GithubSpec
from mlopsgen.spec.models import ModelSpec
from mlopsgen.spec.pipeline import Pipeline, PipelineSpec
from mlopsgen.spec.services import ServiceSpec
from mlopsgen.spec.trainers import TrainerSpec
from mlopsgen.spec.workload import WorkloadSpec


class Site(NamedTuple):
    """One environment of one pipeline, and every name that is known before anything is deployed."""

    pipeline: Pipeline
    environment: str

    @property
    def spec(self) -> PipelineSpec:
        return self.pipeline.spec

    @property
    def name(self) -> str:
        return self.pipeline.metadata.name

    @property
    def services(self) -> tuple[ServiceSpec, ...]:
        """By name, so that their order in the file changes nothing."""
        return tuple(sorted(self.spec.services, key=lambda each: each.name))

    @property
    def trainers(self) -> tuple[TrainerSpec, ...]:
        """By name."""
        return tuple(sorted(self.spec.trainers, key=lambda each: each.name))

    @property
    def models(self) -> tuple[ModelSpec, ...]:
        """By name."""
        return tuple(sorted(self.spec.models, key=lambda each: each.name))

    @property
    def prefix(self) -> str:
        """What every physical name starts with."""
        return f"{self.name}-{self.environment}"

    @property
    def role_path(self) -> str:
        """The path of every role of this environment: what may be passed is said by it, not role by role."""
        return f"/{self.prefix}/"

    @property
    def data_bucket(self) -> str:
        """The data bucket's name, for `Fn::Sub`."""
        return f"{self.prefix}-data-${{AWS::AccountId}}"

    @property
    def log_bucket(self) -> str:
        """The name of the bucket for access logs, for `Fn::Sub`."""
        return f"{self.prefix}-logs-${{AWS::AccountId}}"

    @property
    def metrics_namespace(self) -> str:
        """The CloudWatch namespace of what the programs measure themselves."""
        return f"{self.name}/{self.environment}"

    @property
    def github(self) -> GithubSpec | None:
        """The workflow that deploys this environment, if one does."""
        github = self.spec.delivery.github
        return github if github and self.environment in (github.environments or (self.environment,)) else None

    @property
    def delivery_role(self) -> str:
        """The name of the role that the delivery workflow assumes."""
        return f"{self.prefix}-delivery"

    @property
    def stack_role(self) -> str:
        """The name of the role with which CloudFormation deploys on behalf of the delivery role."""
        return f"{self.prefix}-stacks"

    @property
    def boundary(self) -> str:
        """The name of the policy that bounds all other roles, where delivery makes one."""
        return f"{self.prefix}-boundary"

    def repository(self, image: str) -> str:
        """The ECR repository of an image."""
        return f"{self.prefix}/{image}"

    def cluster(self, kind: str) -> str:
        """The ECS cluster for `training` or `serving`."""
        return f"{self.prefix}-{kind}"

    def family(self, workload: str) -> str:
        """The family of a workload's task definition."""
        return f"{self.prefix}-{workload}"

    def schedule_group(self, trainer: str) -> str:
        """The EventBridge Scheduler group of a trainer's schedule."""
        return within(f"{self.prefix}-{trainer}", 64)

    def rule(self, trainer: str, purpose: str) -> str:
        """The EventBridge rule that does something about a trainer's runs."""
        return within(f"{self.prefix}-{trainer}-{purpose}", 64)

    def log_group(self, workload: str) -> str:
        """The log group of a workload."""
        return f"/{self.prefix}/{workload}"

    def parameter(self, key: str) -> str:
        """The SSM parameter by which one stack tells another a value, such as `network/vpc-id`."""
        return f"/{self.prefix}/{key}"


class Binding(NamedTuple):
    """What a workload gets because of what it names."""

    environment: tuple[tuple[str, Value], ...] = ()
    """Environment variables of its container."""
    secrets: tuple[tuple[str, Value], ...] = ()
    """Environment variables that ECS fills from a secret: (name, `valueFrom`)."""
    grants: tuple[Grant, ...] = ()
    """For the task role: what the program does."""
    execution_grants: tuple[Grant, ...] = ()
    """For the execution role: what ECS does to start it."""
    parameters: tuple[Parameter, ...] = ()
    """What the workload's stack must take in for all this."""
    edges: tuple[Edge, ...] = ()
    """Arrows of the data flow."""


class Component(ABC):
    """One thing that can be declared. A module of this package that defines one is registered by that."""

    @abstractmethod
    def declare(self, site: Site) -> Iterator[Part]:
        """Everything that this section of the spec becomes, each part addressed to its stack."""

    def bind(self, site: Site, workload: WorkloadSpec, stack: str) -> Binding:
        """What `workload`, in `stack`, gets because of what it names of this section."""
        return Binding()


def within(name: str, limit: int) -> str:
    """`name`, or as much of its start as `limit` allows and a digest that keeps it unique."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"


def total(*bindings: Binding) -> Binding:
    """All of them together, in order; a parameter that several take is taken once."""
    everything = Binding(*(tuple(chain.from_iterable(each)) for each in zip(*bindings, strict=True)))
    return everything._replace(parameters=tuple(dict.fromkeys(everything.parameters)))
