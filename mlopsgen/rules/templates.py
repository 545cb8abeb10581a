"""Rules on the plan: the limits of CloudFormation and of the services, once everything is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from math import ceil

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.document import Document
from mlopsgen.model.plan import Resource, Stack
from mlopsgen.model.workload import Workload
from mlopsgen.rules.registry import Planned, plan_rule

# What `aws cloudformation deploy` takes without a bucket, and what CloudFormation takes at all (AWS
# CloudFormation user guide, "Understand CloudFormation quotas").
TEMPLATE_BYTES = 51_200
RESOURCES = 500
PARAMETERS = 200
OUTPUTS = 200
# IAM user guide, "IAM and AWS STS quotas": the inline policies of a role, all together, without white space.
INLINE_POLICY = 10_240
MANAGED_POLICY = 6_144
# Amazon ECS developer guide, "Amazon ECS service quotas".
TASK_DEFINITION_BYTES = 65_536


@plan_rule(
    "E301",
    "a template that must be uploaded",
    """`aws cloudformation deploy` takes templates up to 51,200 bytes by itself. Each workload has a stack of its
    own, so this comes from one workload that says very much, such as hundreds of environment variables, many
    retries of many triggers, or five routes with two target groups each.""",
)
def template_bytes(planned: Planned) -> Iterable[Finding]:
    """A template can be deployed without a bucket to upload it to."""
    for stack in planned.plan.stacks:
        size = len(planned.texts[stack.name].encode())
        if size > TEMPLATE_BYTES:
            cause, help_ = _large(planned, stack, size)
            message = f"stack `{stack.name}` becomes {size:,} bytes; `aws cloudformation deploy` takes"
            yield Finding(cause, f"{message} {TEMPLATE_BYTES:,}", help_)


def _large(planned: Planned, stack: Stack, size: int) -> tuple[SpecPath, str]:
    """What makes a template so large, and what to do: labels and patches are nobody's workload."""
    labels = len(json.dumps(planned.site.pipeline.metadata.labels))
    tagged = sum("Tags" in each.properties for each in stack.resources)
    patches = {
        index: len(json.dumps(each.value))
        for index, each in enumerate(planned.site.spec.patches)
        if each.stack == stack.name
    }
    if labels * tagged > size - TEMPLATE_BYTES and labels * tagged > size // 3:
        return ("metadata", "labels"), f"fewer or shorter labels: each is on {tagged} resources of this stack"
    largest = max(patches, key=lambda index: patches[index], default=None)
    if largest is not None and patches[largest] > size // 3:
        return ("spec", "patches", largest, "value"), "let the patch say less"
    own = next((each for each in planned.site.workloads if each.stack == stack.name), None)
    if own:
        return _of_workload(own, stack, size)
    return _cause(stack), "split the pipeline in two, or say less at this place"


def _of_workload(workload: Workload, stack: Stack, size: int) -> tuple[SpecPath, str]:
    """What of a workload makes its template so large, and how much of it there can be."""
    routes, whole = workload.routes, sum(map(_size, stack.resources))
    # As far above the limit as the template is, in the measure of `_size`.
    over = whole * (size - TEMPLATE_BYTES) / size
    by_route = sum(_size(each) for each in stack.resources if _of_a_route(each, workload))
    if routes and by_route > whole / 2:
        fit = len(routes) - ceil(over * len(routes) / by_route)
        return (*workload.origin, "ingress"), (
            f"{fit} of these {len(routes)} routes fit: let one route take several hosts and paths, or give some "
            "routes to a second service"
        )
    again = [_size(each) for each in stack.resources if each.origin == (*workload.origin, "retries")]
    if isinstance(workload.spec, JobSpec) and sum(again) > whole / 2:
        retries, triggers = workload.spec.retries.on_lost_capacity, len(workload.spec.triggers)
        fit = retries - ceil(over * retries / sum(again))
        of_each = f"each of {triggers} triggers" if triggers > 1 else "the trigger"
        many = f"{fit} fit" if fit > 1 else "one fits" if fit == 1 else "none fits"
        return (*workload.origin, *_AGAIN), (
            f"a retry is a rule for {of_each} and one for runs that people start, of which {many}: retry less "
            "often, or let a second job have some of the triggers"
        )
    secrets = workload.spec.secrets
    # Two ARNs of a secret stand in the role's policies, one in the task.
    if 3 * _ARN * len(secrets) > size / 2:
        return (*workload.origin, "secrets"), (
            f"there are {len(secrets)} of them: let a secret hold several values as JSON, and the program or "
            "`secretKeyRef` take them out"
        )
    inside = _cause(stack, workload.origin)
    return inside, "say less at this place, or split it in two"


_ARN = 120
"""The bytes of a line with a secret's ARN, without its name, in a template."""

_AGAIN = ("retries", "onLostCapacity")


def _of_a_route(resource: Resource, workload: Workload) -> bool:
    """Whether there is one such resource for each route."""
    return resource.logical_id.startswith(tuple(each.logical_id for each in workload.routes)) or (
        len(resource.origin) > 4 and resource.origin[:4] == (*workload.origin, "ingress")
    )


def _size(resource: Resource) -> int:
    return len(json.dumps(resource.document))


@plan_rule(
    "E302",
    "too much for one stack",
    "CloudFormation takes 500 resources, 200 parameters and 200 outputs in a stack.",
)
def stack_limits(planned: Planned) -> Iterable[Finding]:
    """A stack holds as much as CloudFormation takes."""
    for stack in planned.plan.stacks:
        counts = (
            ("resources", len(stack.resources), RESOURCES),
            ("parameters", len(stack.parameters), PARAMETERS),
            ("outputs", len(stack.outputs), OUTPUTS),
        )
        for what, count, limit in counts:
            if count > limit:
                message = f"stack `{stack.name}` has {count} {what}; CloudFormation takes {limit}"
                yield Finding(_cause(stack), message, "split the pipeline in two")


@plan_rule(
    "E303",
    "a policy or task definition that is too large",
    """IAM takes 10,240 characters of inline policy in a role and 6,144 in a managed policy; ECS takes 64 KiB for
    a task definition. The workload reads, writes or says too much: split it in two.""",
)
def document_sizes(planned: Planned) -> Iterable[Finding]:
    """Policies and task definitions are as large as AWS takes them."""
    for stack in planned.plan.stacks:
        for resource in stack.resources:
            if resource.type not in _SIZED:
                continue
            key, limit, what = _SIZED[resource.type]
            size = sum(_length(each) for each in _found(resource.properties, key))
            if size > limit:
                message = f"{what} of `{resource.logical_id}` has {size:,} characters; AWS takes {limit:,}"
                yield Finding(resource.origin, message, "let it do less, or split it in two")


# Amazon EventBridge user guide, "Amazon EventBridge quotas", both until AWS raises them.
EVENT_PATTERN = 2_048
RULES = 300


@plan_rule(
    "W355",
    "more than EventBridge takes by default",
    """An account's event bus takes 300 rules, and a rule a pattern of 2,048 characters, until AWS raises the quota.
    Each retry of a job that lost its capacity is a rule, for each of its triggers.""",
)
def event_rules(planned: Planned) -> Iterable[Finding]:
    """By default EventBridge takes so many rules, and patterns of such a length."""
    count = 0
    for stack in planned.plan.stacks:
        for resource in stack.resources:
            if resource.type != "AWS::Events::Rule":
                continue
            count += 1
            size = _length(resource.properties.get("EventPattern"))
            if size > EVENT_PATTERN:
                yield Finding(
                    resource.origin,
                    f"the event pattern of `{resource.logical_id}` has {size:,} characters",
                    f"by default EventBridge takes {EVENT_PATTERN:,}: shorten the names of pipeline and job, or ask "
                    "AWS to raise the quota",
                )
            if count == RULES + 1:
                yield Finding(
                    resource.origin,
                    f"with this job there are more than {RULES} rules on the account's event bus",
                    "retry less often, or ask AWS to raise the quota before the deployment",
                )


def _cause(stack: Stack, inside: SpecPath = ()) -> SpecPath:
    """The part of the pipeline, or of what is `inside`, that most of the stack comes from."""
    sizes: dict[SpecPath, int] = {}
    for each in stack.resources:
        if each.origin[: len(inside)] == inside:
            sizes[each.origin] = sizes.get(each.origin, 0) + len(json.dumps(each.document))
    return max(sizes, key=lambda path: sizes[path])


_SIZED = {
    "AWS::ECS::TaskDefinition": ("ContainerDefinitions", TASK_DEFINITION_BYTES, "the task definition"),
    "AWS::IAM::ManagedPolicy": ("PolicyDocument", MANAGED_POLICY, "the policy"),
    "AWS::IAM::Role": ("Policies", INLINE_POLICY, "the policy"),
}


def _found(properties: Mapping[str, Document], key: str) -> Iterator[Document]:
    value = properties.get(key)
    if key != "Policies":
        yield value
    elif isinstance(value, list):
        # A patch may have put anything there.
        yield from (policy.get("PolicyDocument") for policy in value if isinstance(policy, dict))


def _length(value: Document) -> int:
    """Characters without white space, once CloudFormation has put in the longest values there can be."""
    return len(json.dumps(_resolved(value), separators=(",", ":")))


def _resolved(value: Document) -> Document:
    match value:
        case {"Fn::Sub": str(text)}:
            for name, longest in _LONGEST.items():
                text = text.replace(f"${{{name}}}", longest)
            return text
        case {"Ref": _} | {"Fn::GetAtt": _}:
            return "x" * _ARN
        case dict():
            return {name: _resolved(item) for name, item in value.items()}
        case list():
            return [_resolved(item) for item in value]
        case _:
            return value


_ARN = 100
_LONGEST = {
    "AWS::AccountId": "0" * 12,
    "AWS::Partition": "aws-us-gov",
    "AWS::Region": "ap-southeast-1",
    "AWS::URLSuffix": "amazonaws.com.cn",
}
