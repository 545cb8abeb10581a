"""Task definitions as `aws ecs register-task-definition --cli-input-json` takes them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.aws.partitions import partition, url_suffix
from mlopsgen.document import Document
from mlopsgen.model.plan import Plan, Stack, Task

PLACEHOLDERS = {
    "AWS_ACCOUNT_ID": "the account",
    "EXECUTION_ROLE_ARN": "the role ExecutionRole of the stack",
    "IMAGE_DIGEST": "the digest of the image: sha256:…",
    "TASK_ROLE_ARN": "the role TaskRole of the stack",
}
"""What stands in for values that exist only once something is deployed, for `envsubst`."""

# Maps whose keys are the user's own, not words of the API.
_OPAQUE = frozenset({"DockerLabels", "Options", "DriverOpts", "Labels"})


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """`ENVIRONMENT/task-definitions/NAME.json`, equal to what the template holds."""
    for plan in plans:
        yield from _files(plan)


def _files(plan: Plan) -> Iterator[Artifact]:
    for task, stack in _stacks(plan):
        text = json.dumps(document(plan, task, stack), indent=2) + "\n"
        yield Artifact(f"{plan.environment}/task-definitions/{task.name}.json", text)


def _stacks(plan: Plan) -> Iterator[tuple[Task, Stack]]:
    """Each task and the stack that holds its definition."""
    stacks = {each.name: each for each in plan.stacks}
    for task in plan.tasks:
        yield task, stacks[task.stack]


def document(plan: Plan, task: Task, stack: Stack) -> dict[str, Document]:
    """The request of the ECS API: the template's properties in camelCase, its functions resolved."""
    found = {each.logical_id: each.properties for each in stack.resources}
    resolve = _Resolver(plan, found)
    return {_lower(key): resolve(value, key) for key, value in found[task.logical_id].items()}


@cache
def _lower(key: str) -> str:
    """CloudFormation's word as the API spells it: `Cpu` is `cpu`, `EFSVolume…` is `efsVolume…`."""
    if key in _SPELT:
        return _SPELT[key]
    start = _CAPITALS.match(key)
    if start is None or len(start[0]) == 1:
        return key[:1].lower() + key[1:]
    head = start[0] if start[0] == key else start[0][:-1]
    return head.lower() + key[len(head) :]


_CAPITALS = re.compile("[A-Z]+")
_SUBSTITUTED = re.compile(r"\$\{([^}!]+)\}")

# Words whose parts the two spell apart (Amazon ECS API reference, EFSVolumeConfiguration).
_SPELT = {"FilesystemId": "fileSystemId"}


@cache
def placeholder(word: str) -> str:
    """What stands in for a parameter or attribute: for `NetworkVpcId` it is `NETWORK_VPC_ID`."""
    apart = re.sub("(?<=[a-z0-9])(?=[A-Z])", "_", word)
    return re.sub("[^A-Za-z0-9]+", "_", apart).upper()


def placeholders(plans: Sequence[Plan]) -> dict[str, str]:
    """Every placeholder of the task definitions with its meaning, the usual ones first."""
    words = {
        word
        for plan in plans
        for task, stack in _stacks(plan)
        for each in stack.resources
        if each.logical_id == task.logical_id
        for word in _words(each.document)
    }
    taken = {
        placeholder(each.name): f"{each.description}, from the SSM parameter {each.default}"
        for plan in plans
        for stack in plan.stacks
        for each in stack.parameters
        if each.default and each.name in words
    }
    return PLACEHOLDERS | dict(sorted(taken.items()))


def _words(value: Document) -> Iterator[str]:
    """What a task definition refers to."""
    match value:
        case {"Ref": str(name)}:
            yield name
        case {"Fn::Sub": str(text)}:
            yield from _SUBSTITUTED.findall(text)
        case dict() | list():
            for each in value.values() if isinstance(value, dict) else value:
                if isinstance(each, dict | list):
                    yield from _words(each)


class _Resolver:
    """Gives intrinsic functions their values, or a placeholder where only AWS knows it."""

    def __init__(self, plan: Plan, found: dict[str, dict[str, Document]]) -> None:
        """`found`: the properties of each resource of the stack, by logical id."""
        self.names = {
            "AWS::AccountId": plan.account or "${AWS_ACCOUNT_ID}",
            "AWS::Partition": partition(plan.region),
            "AWS::Region": plan.region,
            "AWS::URLSuffix": url_suffix(plan.region),
            "ExecutionRole.Arn": "${EXECUTION_ROLE_ARN}",
            "ImageDigest": "${IMAGE_DIGEST}",
            "TaskRole.Arn": "${TASK_ROLE_ARN}",
        }
        group = found.get("LogGroup", {}).get("LogGroupName")
        if isinstance(group, str):
            self.names["LogGroup"] = group

    def name(self, word: str) -> str:
        """What `word` stands for: a value, or a placeholder, of its own for what only a patch refers to."""
        return self.names.get(word, f"${{{placeholder(word)}}}")

    def __call__(self, value: Document, key: str = "") -> Document:
        match value:
            case {"Ref": str(name), **others} if not others:
                return self.name(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self.name(f"{name}.{attribute}")
            case {"Fn::Sub": str(text)}:
                return _SUBSTITUTED.sub(lambda found: self.name(found[1]), text)
            case dict():
                rename = (lambda name: name) if key in _OPAQUE else _lower
                return {rename(name): self(item, name) for name, item in value.items()}
            case list():
                return [self(item) for item in value]
            case _:
                return value
