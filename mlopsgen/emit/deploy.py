"""`deploy.sh`: change sets of all stacks, made, looked at, executed and waited for, in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.document import Document
from mlopsgen.model.names import weight_name
from mlopsgen.model.plan import Phase, Plan, Stack, Task
from mlopsgen.text.templates import render


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`ENVIRONMENT/deploy.sh`, one for each environment."""
    for plan in plans:
        yield Artifact(f"{plan.environment}/deploy.sh", _script(plan), executable=True)


def _script(plan: Plan) -> str:
    tasks = {each.stack: each for each in plan.tasks}
    stacks = [_stack(plan, stack, tasks.get(stack.name)) for stack in plan.stacks]
    return render(
        "deploy.sh.j2",
        plan=plan,
        stacks=stacks,
        tags=[{"Key": key, "Value": value} for key, value in plan.tags],
        names=[each.name for each in plan.stacks],
        images=sorted({each.image for each in stacks if each.image}),
        last_before_images=last_before_images(plan),
        first_after_images=first_after_images(plan),
        models=_models(plan),
        stays=[each.name for each in staying(plan)],
        pools=_pools(plan),
        guarded=sorted(_GUARDED),
        provider=_provider(plan),
        kept=_kept(plan),
    )


def _pools(plan: Plan) -> list[str]:
    """The capacity providers of the pipeline's own instances."""
    return [
        str(each.properties["Name"])
        for stack in plan.stacks
        for each in stack.resources
        if each.type == "AWS::ECS::CapacityProvider"
    ]


def _provider(plan: Plan) -> str | None:
    """The address of the identity provider that the pipeline makes; None if it makes none."""
    urls = (
        str(each.properties["Url"])
        for stack in plan.stacks
        for each in stack.resources
        if each.type == "AWS::IAM::OIDCProvider"
    )
    return next((each.removeprefix("https://") for each in urls), None)


def last_before_images(plan: Plan) -> str | None:
    """The last stack that holds no task; None if there is none."""
    names = [stack.name for stack in plan.phase(Phase.BEFORE_IMAGES)]
    return names[-1] if names else None


def first_after_images(plan: Plan) -> str | None:
    """The first stack that waits for images; None if there is none."""
    return next((stack.name for stack in plan.stacks if stack.phase > Phase.BEFORE_IMAGES), None)


def first_models(plan: Plan) -> tuple[str, ...]:
    """The models without a version of which some stack cannot be deployed."""
    return tuple(dict.fromkeys(name for each in plan.tasks for name in each.follows))


def capability(stack: Stack) -> str | None:
    """What CloudFormation wants to hear before it makes roles."""
    if stack.names_iam:
        return "CAPABILITY_NAMED_IAM"
    return "CAPABILITY_IAM" if stack.needs_iam else None


class _StackFacts(NamedTuple):
    """What the script knows of a stack."""

    name: str
    parameters: tuple[tuple[str, str], ...]
    """Names, and the SSM parameters that give their values."""
    capability: str | None
    image: str | None
    repository: str | None
    protected: bool
    models: tuple[str, ...]
    """Those without a version of which it cannot be made."""
    routes: tuple[str, ...]
    """`RULE:GROUP:ALTERNATE`, the logical ids of each rule with its target groups; no last one without."""


class _ModelFacts(NamedTuple):
    """What the script knows of a model that some stack follows."""

    name: str
    pointer: str
    """With the shell's `$account` in place of the account."""
    start: tuple[str, ...]
    """What starts a job that trains it."""


def _stack(plan: Plan, stack: Stack, task: Task | None) -> _StackFacts:
    names = {each.name for each in stack.parameters}
    image = task.image if task and "ImageDigest" in names else None
    return _StackFacts(
        stack.name,
        tuple((each.name, each.default) for each in stack.parameters if each.default is not None),
        capability(stack),
        image,
        next((each.repository for each in plan.images if each.name == image), None),
        any(each.type in _GUARDED for each in stack.resources),
        _waits_for(plan, stack),
        tuple(_routes(stack)),
    )


def _routes(stack: Stack) -> Iterator[str]:
    """The rules of a stack that send to one of its target groups, or to two with weights that are passed."""
    names = {each.name for each in stack.parameters}
    groups = [each.logical_id for each in stack.resources if each.type == f"{_BALANCING}::TargetGroup"]
    for rule in (each for each in stack.resources if each.type == f"{_BALANCING}::ListenerRule"):
        sent = [each for each in groups if _refers(rule.document, each)]
        if len(sent) == 1:
            yield f"{rule.logical_id}:{sent[0]}:"
        elif len(sent) == 2 and {weight_name(each) for each in sent} <= names:
            first, second = sorted(sent, key=lambda each: "AlternateTargetGroup" in each)
            yield f"{rule.logical_id}:{first}:{second}"


def _refers(document: Document, logical_id: str) -> bool:
    """Whether a value, or something in it, is a `Ref` to a resource."""
    match document:
        case {"Ref": str(name)}:
            return name == logical_id
        case dict():
            return any(_refers(each, logical_id) for each in document.values())
        case list():
            return any(_refers(each, logical_id) for each in document)
    return False


def _waits_for(plan: Plan, stack: Stack) -> tuple[str, ...]:
    """The models without a version of which a stack cannot be made, nor what it takes values from."""
    needed, found = {stack.name}, [stack]
    while found:
        names = found.pop().requires
        found += [each for each in plan.stacks if each.name in names and each.name not in needed]
        needed |= set(names)
    return tuple(dict.fromkeys(name for each in plan.tasks if each.stack in needed for name in each.follows))


def _models(plan: Plan) -> list[_ModelFacts]:
    followed = first_models(plan)
    starts = {each.produces: each.start for each in reversed(plan.tasks) if each.produces}
    return [
        _ModelFacts(each.model, each.uri.replace("${AWS::AccountId}", "$account"), starts.get(each.model, ()))
        for each in plan.pointers
        if each.model in followed
    ]


_BALANCING = "AWS::ElasticLoadBalancingV2"

# Everything stands in them.
_NETWORKS = frozenset({"AWS::EC2::Subnet", "AWS::EC2::VPC"})
_KEPT = {
    "AWS::ECR::Repository": "images, which cost their storage",
    "AWS::EFS::FileSystem": "file systems, which cost their storage",
    "AWS::KMS::Key": "keys, which AWS charges for by the month",
    "AWS::Logs::LogGroup": "logs, which cost their storage until they expire",
    "AWS::S3::Bucket": "buckets, which cost their storage",
}
"""Types that stay when their stack goes, and what stays with them."""


_GUARDED = _NETWORKS | _KEPT.keys() - {"AWS::Logs::LogGroup"}
"""The types that a stack policy keeps from being replaced or taken away: networks, and what holds data.

A policy denies all that it does not allow, and holds until another is set (CloudFormation user guide,
"Prevent updates to stack resources").
"""


def staying(plan: Plan) -> tuple[Stack, ...]:
    """The stacks that taking an environment down leaves: what they keep could not be taken back by its name.

    A key and a file system get new ids with a new stack, and what was encrypted or stored with the old ones
    is out of its programs' reach. What such a stack stands on stays with it. Buckets, repositories and log
    groups have names, by which CreateChangeSet takes them back (CloudFormation API, ImportExistingResources).
    """
    names = {each.name for each in plan.stacks if each.keeps & {"AWS::EFS::FileSystem", "AWS::KMS::Key"}}
    while more := {
        other for each in plan.stacks if each.name in names for other in each.requires if other not in names
    }:
        names |= more
    return tuple(each for each in plan.stacks if each.name in names)


def _kept(plan: Plan) -> str:
    """What to say of what stays when an environment is taken down."""
    stay = [each.name for each in staying(plan)]
    kinds = {kind for each in plan.stacks for kind in each.keeps}
    lines = ["Data stays: " + "; ".join(text for kind, text in _KEPT.items() if kind in kinds) + "."]
    if stay:
        those = ", ".join(f"{plan.prefix}-{name}" for name in stay)
        lines.append(
            f"With it stay the stacks {those}: what they hold could not be found again without them."
        )
    lines.append(
        "deploy.sh takes all of it back when it deploys again. README.md says how to delete it for good."
    )
    return "\n".join(lines)
