"""The intermediate form: everything that will be written, before any format.

Components yield parts; `assemble` sorts them into a plan. Emitters read the plan and nothing above it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, TypeAlias

from troposphere import AWSHelperFn, AWSObject

from mlopsgen.source.node import Path

Value: TypeAlias = str | AWSHelperFn
"""A string, or an intrinsic function that becomes one."""

STACK_ORDER = (
    "foundation",
    "access",
    "network",
    "registry",
    "training",
    "serving",
    "observability",
    "people",
)
"""Stacks are deployed in this order; `training-NAME` follows `training`, and so on."""


class Body(NamedTuple):
    """A finished resource: what troposphere made of it, converted once."""

    resource_type: str
    document: dict[str, Any]

    @property
    def properties(self) -> dict[str, Any]:
        return dict(self.document.get("Properties", {}))

    def to_dict(self) -> dict[str, Any]:
        """The resource as the template holds it. Not to be changed."""
        return self.document


class Resource(NamedTuple):
    """One resource of one stack, and the path of the spec that it comes from.

    Components give its body as a troposphere object; in a finished plan it is a `Body`.
    """

    stack: str
    logical_id: str
    body: AWSObject
    origin: Path


class Parameter(NamedTuple):
    """A value that a stack takes in: from SSM, or (without a default) from whoever deploys it.

    `type` is CloudFormation's; with `AWS::SSM::Parameter::Value<…>`, `default` is the parameter's name.
    """

    stack: str
    name: str
    type: str
    description: str
    default: str | None = None
    pattern: str | None = None


class Output(NamedTuple):
    """A value that a stack shows after it was deployed, for people and for commands."""

    stack: str
    name: str
    value: Value
    description: str


class Grant(NamedTuple):
    """What a principal may do, and the words of the spec that give it.

    `resources` are ARNs. `reason` is needed where a resource is `*`: it says why AWS has none narrower.
    """

    actions: tuple[str, ...]
    resources: tuple[Value, ...]
    because: str
    condition: tuple[tuple[str, str, Value | tuple[Value, ...]], ...] = ()
    """(operator, key, value), such as `("StringLike", "s3:prefix", ("raw/*",))`."""
    reason: str | None = None
    effect: Literal["Allow", "Deny", "Confine"] = "Allow"
    """`Deny` holds whatever another policy may allow; `Confine` denies the actions on all but `resources`."""


class Principal(NamedTuple):
    """A role, and everything it may do: a row of the table in `generated/README.md`."""

    name: str
    kind: Literal["task", "execution", "service", "delivery", "person"]
    stack: str
    logical_id: str
    grants: tuple[Grant, ...]


class Image(NamedTuple):
    """An image that is built from a folder and pushed to a repository of the pipeline."""

    name: str
    repository: str
    context: str
    requirements: str
    dockerfile: str | None
    python: str
    system_packages: tuple[str, ...]
    command: tuple[str, ...]
    user: int
    platform: str
    port: int | None
    health_path: str | None
    origin: Path


class Task(NamedTuple):
    """A task definition that some stack holds, to be written as JSON of its own too."""

    name: str
    kind: Literal["service", "trainer"]
    stack: str
    logical_id: str
    image: str | None
    """The name of the `Image` it runs, or None if it runs one that exists already."""
    cluster: str
    origin: Path


class Edge(NamedTuple):
    """An arrow of the data flow, such as bucket → trainer, labelled `reads raw/`."""

    source: str
    target: str
    label: str


class Thing(NamedTuple):
    """A node of the data flow: `id` is what edges name."""

    id: str
    label: str
    kind: Literal["store", "image", "trainer", "model", "service", "balancer", "person", "topic", "schedule"]


class Command(NamedTuple):
    """Something a person runs by hand, shown in `generated/README.md` under `topic`."""

    topic: str
    title: str
    lines: tuple[str, ...]


class Workflow(NamedTuple):
    """What the delivery workflow needs to know."""

    repository: str
    branch: str
    role_name: str
    """The role that the job assumes."""
    stack_role_name: str
    """The role that CloudFormation deploys with."""
    role_path: str
    """The path of both."""
    environments: tuple[str, ...] = ()
    """The order of the environments; by name if it is empty."""


Part: TypeAlias = Resource | Parameter | Output | Principal | Image | Task | Edge | Thing | Command | Workflow


class Stack(NamedTuple):
    """One CloudFormation template."""

    name: str
    description: str
    resources: tuple[Resource, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]

    @property
    def needs_iam(self) -> bool:
        """Whether deploying it takes `CAPABILITY_IAM`."""
        return any(each.body.resource_type.startswith("AWS::IAM::") for each in self.resources)

    @property
    def names_iam(self) -> bool:
        """Whether deploying it takes `CAPABILITY_NAMED_IAM`."""
        names = (
            "RoleName",
            "PolicyName",
            "ManagedPolicyName",
            "InstanceProfileName",
            "GroupName",
            "UserName",
        )
        return any(
            each.body.resource_type != "AWS::IAM::Policy"
            and any(name in each.body.properties for name in names)
            for each in self.resources
            if each.body.resource_type.startswith("AWS::IAM::")
        )


class Plan(NamedTuple):
    """Everything of one environment, in the order in which it is deployed and shown."""

    name: str
    environment: str
    region: str
    account: str | None
    tags: tuple[tuple[str, str], ...]
    stacks: tuple[Stack, ...]
    principals: tuple[Principal, ...] = ()
    images: tuple[Image, ...] = ()
    tasks: tuple[Task, ...] = ()
    things: tuple[Thing, ...] = ()
    edges: tuple[Edge, ...] = ()
    commands: tuple[Command, ...] = ()
    workflow: Workflow | None = None

    @property
    def prefix(self) -> str:
        """What every physical name starts with: `NAME-ENVIRONMENT`."""
        return f"{self.name}-{self.environment}"

    def stack_name(self, stack: Stack) -> str:
        """The stack's name in AWS."""
        return f"{self.prefix}-{stack.name}"


def stack_order(name: str) -> tuple[int, str]:
    """Sorts stack names in the order of their deployment; the shared stack comes before its components'."""
    base = next(each for each in STACK_ORDER if name == each or name.startswith(each + "-"))
    return (STACK_ORDER.index(base), name)


def of(kind: type[Any], parts: Iterable[Part]) -> tuple[Any, ...]:
    """The parts of one kind, in order."""
    return tuple(part for part in parts if isinstance(part, kind))
