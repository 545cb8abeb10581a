"""The intermediate form: everything that will be written, before any format.

Components declare resources and what belongs to them; lowering sorts the declarations into a plan. Emitters
read the plan and nothing above it.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import Literal, NamedTuple, TypeAlias, TypeVar

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.document import Document
from mlopsgen.model.values import Published, Reference, Value


class Resource(NamedTuple):
    """One finished resource of one stack, and the path of the spec that it comes from."""

    stack: str
    logical_id: str
    type: str
    document: dict[str, Document]
    """The resource as the template holds it: `Type`, `Properties`, `DependsOn` … Not to be changed."""
    origin: SpecPath
    references: tuple[Reference, ...] = ()
    """What it takes of other stacks."""

    @property
    def properties(self) -> dict[str, Document]:
        """Its properties, in a map of their own."""
        properties = self.document.get("Properties", {})
        assert isinstance(properties, dict)
        return dict(properties)


class Publication(NamedTuple):
    """A value that a stack publishes for the others, by an SSM parameter that lowering makes."""

    reference: Published
    value: Document
    origin: SpecPath
    references: tuple[Reference, ...] = ()
    kept: str | None = None
    """Why it is published though no stack may take it; without a reason, that is a bug."""


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
    value: Document
    description: str


class Phase(IntEnum):
    """When a stack can be deployed for the first time."""

    BEFORE_IMAGES = 0
    """Before any image was pushed: it holds no task."""
    BEFORE_FIRST_MODEL = 1
    """Once its images are there; before a model has a version."""
    AFTER_FIRST_MODEL = 2
    """Once each model that its tasks load has a version."""
    LAST = 3
    """After everything else: nothing waits for it."""


class StackDescription(NamedTuple):
    """That there is a stack, what it is for, and when it can be deployed."""

    name: str
    text: str
    phase: Phase = Phase.BEFORE_IMAGES


Effect: TypeAlias = Literal["Allow", "Deny", "Confine"]


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
    effect: Effect = "Allow"
    """`Deny` holds whatever another policy may allow.

    `Confine` is a Deny with NotResource: the actions are denied on everything but `resources`. It narrows
    what a broader Allow gives, and gives nothing by itself.
    """


PrincipalKind: TypeAlias = Literal["task", "execution", "service", "delivery", "person"]


class Principal(NamedTuple):
    """A role, and everything it may do: a row of the table in `generated/README.md`."""

    name: str
    kind: PrincipalKind
    stack: str
    logical_id: str
    grants: tuple[Grant, ...]


class Image(NamedTuple):
    """An image that is built from a folder and pushed to a repository of the pipeline."""

    name: str
    repository: str
    context: str
    """The build context, from the folder of `pipeline.yaml`."""
    requirements: str
    """The locked dependencies, from the context."""
    dockerfile: str | None
    """One's own Dockerfile, from the folder of `pipeline.yaml`; None for the generated one."""
    python: str
    system_packages: tuple[str, ...]
    command: tuple[str, ...]
    user: int
    platform: str
    """`linux/amd64` or `linux/arm64`."""
    port: int | None
    health_path: str | None
    origin: SpecPath
    volumes: tuple[str, ...] = ()
    """Paths that the image opens to its user as `VOLUME`: `/tmp` and each emptyDir that is mounted."""


class Task(NamedTuple):
    """A task definition that some stack holds, to be written as JSON of its own too."""

    name: str
    kind: Literal["service", "worker", "job"]
    stack: str
    logical_id: str
    image: str | None
    """The name of the `Image` it runs, or None if it runs one that exists already."""
    cluster: str
    origin: SpecPath
    loads: tuple[str, ...] = ()
    """The models that it loads, by name."""
    follows: tuple[str, ...] = ()
    """Those of them that it loads by the pointer `current`: without a version it cannot start."""
    produces: str | None = None
    """The model that it trains."""
    start: tuple[str, ...] = ()
    """Lines of shell that start it by hand and print the task's ARN; of a job alone."""


class Pointer(NamedTuple):
    """Where the version of a model that its services follow is named."""

    model: str
    uri: str
    """`s3://BUCKET/KEY`, for `Fn::Sub`."""


class FlowEdge(NamedTuple):
    """An arrow of the data flow, such as bucket → job, labelled `reads`."""

    source: str
    target: str
    label: str


NodeKind: TypeAlias = Literal[
    "store", "image", "job", "model", "service", "worker", "balancer", "person", "topic", "schedule"
]


class FlowNode(NamedTuple):
    """A node of the data flow: `id` is what edges name."""

    id: str
    label: str
    kind: NodeKind


class Command(NamedTuple):
    """Something a person runs by hand, shown in `generated/README.md` under `topic`."""

    topic: str
    title: str
    lines: tuple[str, ...]


class DeliveryWorkflow(NamedTuple):
    """What the delivery workflow needs to know."""

    repository: str
    branch: str
    role_name: str
    """The role that the job assumes."""
    stack_role_name: str
    """The role that CloudFormation deploys with."""
    role_path: str
    """The path of both."""
    stages: tuple[tuple[str, bool], ...] = ()
    """(environment, whether a person approves), in the order of delivery."""
    minutes: int = 180
    """How long the job may take."""
    session: int = 180 * 60
    """Seconds for which the role is assumed."""
    trains: bool = False
    """Whether it trains a model that has no version yet."""
    folder: str = ""
    """The pipeline's folder in the repository; empty for the repository's own."""
    requirement: str | None = None
    """The compiler on the package index, with its digests."""
    archive: tuple[str, str] | None = None
    """The compiler elsewhere: (URL, SHA-256)."""
    lock: str | None = None
    """The compiler and all that it needs: a requirements file with digests."""


Declaration: TypeAlias = (
    Resource | Publication | Parameter | Output | StackDescription | Principal | Image | Task | FlowEdge
    | FlowNode | Command | DeliveryWorkflow | Pointer
)  # fmt: skip
"""Whatever a component declares."""


class Stack(NamedTuple):
    """One CloudFormation template."""

    name: str
    description: str
    phase: Phase
    resources: tuple[Resource, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    requires: tuple[str, ...] = ()
    """The stacks that must be there before it, by name."""

    @property
    def keeps(self) -> frozenset[str]:
        """The types of what stays when the stack is deleted."""
        policies = ("Retain", "RetainExceptOnCreate")
        return frozenset(
            each.type for each in self.resources if each.document.get("DeletionPolicy") in policies
        )

    @property
    def needs_iam(self) -> bool:
        """Whether deploying it takes `CAPABILITY_IAM`."""
        return any(each.type.startswith("AWS::IAM::") for each in self.resources)

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
            each.type.startswith("AWS::IAM::")
            and each.type != "AWS::IAM::Policy"
            and any(name in each.properties for name in names)
            for each in self.resources
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
    nodes: tuple[FlowNode, ...] = ()
    edges: tuple[FlowEdge, ...] = ()
    commands: tuple[Command, ...] = ()
    workflow: DeliveryWorkflow | None = None
    pointers: tuple[Pointer, ...] = ()
    protected: bool = True
    """Whether changes may replace or delete what holds data, or be asked to delete its stack."""

    @property
    def prefix(self) -> str:
        """What every physical name starts with: `NAME-ENVIRONMENT`."""
        return f"{self.name}-{self.environment}"

    def stack_name(self, stack: Stack) -> str:
        """The stack's name in AWS."""
        return f"{self.prefix}-{stack.name}"

    def phase(self, phase: Phase) -> tuple[Stack, ...]:
        """The stacks of one phase, in the order of their deployment."""
        return tuple(each for each in self.stacks if each.phase == phase)


T = TypeVar("T")


def declared(kind: type[T], declarations: Iterable[object]) -> tuple[T, ...]:
    """The declarations of one kind, in order."""
    return tuple(each for each in declarations if isinstance(each, kind))
