"""Rules on the plan: the limits of CloudFormation and of the services, once everything is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.document import Document
from mlopsgen.model.plan import Stack
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
    own, so this comes from one workload that says very much, such as hundreds of environment variables.""",
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
    return _cause(stack), "split the pipeline in two, or say less at this place"


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


def _cause(stack: Stack) -> SpecPath:
    """The part of the pipeline that most of the stack comes from."""
    sizes: dict[SpecPath, int] = {}
    for each in stack.resources:
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
