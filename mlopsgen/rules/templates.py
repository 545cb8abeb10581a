"""Rules on the plan: the limits of CloudFormation and of the services, once everything is known."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlopsgen.artifacts import Artifact
from mlopsgen.checks.rule import Finding
from mlopsgen.diagnostics.diagnostic import Diagnostic
from mlopsgen.emit.cloudformation import template, template_path
from mlopsgen.load import Loaded
from mlopsgen.plan import Plan, Stack
from mlopsgen.source.node import Path
from mlopsgen.spec.patches import PatchSpec

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


def check_plans(
    plans: Iterable[Plan], environments: Iterable[Loaded], artifacts: Iterable[Artifact]
) -> tuple[Diagnostic, ...]:
    """What of the plans, and of the templates they became, AWS would not take, at what causes it."""
    from mlopsgen.checks import diagnostic

    texts = {each.path: each.text for each in artifacts}
    found: dict[Diagnostic, None] = {}
    for plan, environment in zip(plans, environments, strict=True):
        findings = [
            each
            for stack in plan.stacks
            for each in (*_bytes(stack, texts[template_path(plan, stack)]), *_limits(stack))
        ]
        for code, finding in findings:
            found[diagnostic(environment.tree, code, "error", finding)] = None
    return tuple(found)


def check_patches(plan: Plan, environment: Loaded) -> tuple[Diagnostic, ...]:
    """What patches broke of a plan, before anything is made of it."""
    from mlopsgen.checks import diagnostic

    found = _patched(plan, environment.pipeline.spec.patches)
    return tuple(diagnostic(environment.tree, "E251", "error", finding) for finding in found)


def _patched(plan: Plan, patches: Sequence[PatchSpec]) -> Iterator[Finding]:
    """Each fault at the last patch that touched the resource, or else its stack."""
    if not patches:
        return
    from mlopsgen.checks.structure import faults

    for fault in faults({stack.name: template(stack) for stack in plan.stacks}):
        nearness = [
            (each.stack == fault.stack, each.stack == fault.stack and each.resource == fault.resource, index)
            for index, each in enumerate(patches)
        ]
        index = max(nearness)[2]
        yield Finding(
            ("spec", "patches", index, "value"),
            f"`{fault.resource}` of stack `{fault.stack}`: {fault.message}",
            "mend the patch: without it the resource is sound",
        )


def _bytes(stack: Stack, text: str) -> Iterator[tuple[str, Finding]]:
    size = len(text.encode())
    if size > TEMPLATE_BYTES:
        yield (
            "E301",
            Finding(
                _cause(stack),
                f"stack `{stack.name}` becomes {size:,} bytes; "
                f"`aws cloudformation deploy` takes {TEMPLATE_BYTES:,}",
                "split the pipeline in two, or say less in this component",
            ),
        )


def _cause(stack: Stack) -> Path:
    """The part of the pipeline that most of the stack comes from."""
    sizes: dict[Path, int] = {}
    for each in stack.resources:
        sizes[each.origin] = sizes.get(each.origin, 0) + len(json.dumps(each.body.to_dict()))
    return max(sizes, key=lambda path: sizes[path])


def _limits(stack: Stack) -> Iterator[tuple[str, Finding]]:
    counts = (
        ("resources", len(stack.resources), RESOURCES),
        ("parameters", len(stack.parameters), PARAMETERS),
        ("outputs", len(stack.outputs), OUTPUTS),
    )
    for what, count, limit in counts:
        if count > limit:
            message = f"stack `{stack.name}` has {count} {what}; CloudFormation takes {limit}"
            yield "E302", Finding(_cause(stack), message, "split the pipeline in two")
    for resource in stack.resources:
        kind = resource.body.resource_type
        if kind in _SIZED:
            key, limit, what = _SIZED[kind]
            size = sum(_length(each) for each in _found(resource.body.properties, key))
            if size > limit:
                message = f"{what} of `{resource.logical_id}` has {size:,} characters; AWS takes {limit:,}"
                yield "E303", Finding(resource.origin, message, "let it do less, or split it in two")


_SIZED = {
    "AWS::ECS::TaskDefinition": ("ContainerDefinitions", TASK_DEFINITION_BYTES, "the task definition"),
    "AWS::IAM::ManagedPolicy": ("PolicyDocument", MANAGED_POLICY, "the policy"),
    "AWS::IAM::Role": ("Policies", INLINE_POLICY, "the policy"),
}


def _found(properties: dict[str, Any], key: str) -> Iterator[Any]:
    value = properties.get(key)
    if key != "Policies":
        yield value
    elif isinstance(value, list):
        # A patch may have put anything there.
        yield from (policy.get("PolicyDocument") for policy in value if isinstance(policy, dict))


def _length(value: Any) -> int:
    """Characters without white space, once CloudFormation has put in the longest values there can be."""
    return len(json.dumps(_resolved(value), separators=(",", ":")))


def _resolved(value: Any) -> Any:
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
