"""Reads the policies of a plan as IAM would, with its intrinsic functions filled in.

moto's own evaluator knows no `NotResource`, and takes a condition that does not hold for a denial; so the
few rules of the IAM user guide's "Policy evaluation logic" that the policies here need are written out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import cfnlint

from mlopsgen.model.plan import Plan, Stack

ACCOUNT = "123456789012"
REGION = "ap-southeast-1"
PSEUDO = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::URLSuffix": "amazonaws.com",
}
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:key/00000000-0000-0000-0000-000000000000"


def filled(value: Any) -> Any:
    """The value with pseudo parameters, references and attributes filled in."""
    if hasattr(value, "to_dict"):
        value = value.to_dict()
    match value:
        case {"Ref": str(name), **rest} if not rest:
            return PSEUDO.get(name, KEY if name == "FoundationKeyArn" else f"ref-{name}")
        case {"Fn::GetAtt": [str(name), str(attribute)], **rest} if not rest:
            return f"att-{name}-{attribute}"
        case {"Fn::Sub": str(text), **rest} if not rest:
            return _substituted(text, {})
        case {"Fn::Sub": [str(text), dict(values)], **rest} if not rest:
            return _substituted(text, filled(values))
        case dict():
            return {name: filled(each) for name, each in value.items()}
        case list() | tuple():
            return [filled(each) for each in value]
        case _:
            return value


def _substituted(text: str, values: dict[str, str]) -> str:
    known = PSEUDO | values
    return re.sub(r"\$\{([^}]+)\}", lambda match: str(known.get(match[1], f"ref-{match[1]}")), text)


def stack(plan: Plan, name: str) -> Stack:
    return next(each for each in plan.stacks if each.name == name)


def properties(plan: Plan, stack_name: str, logical_id: str) -> dict[str, Any]:
    """The resource's properties, filled in."""
    found = {each.logical_id: each.properties for each in stack(plan, stack_name).resources}
    return filled(found[logical_id])


def statements(plan: Plan, stack_name: str, role: str) -> list[dict[str, Any]]:
    """Every statement that holds for a role, inline or in managed policies of its own."""
    own = properties(plan, stack_name, role)
    documents = [each["PolicyDocument"] for each in own.get("Policies", [])]
    for each in own.get("ManagedPolicyArns", []):
        documents.append(properties(plan, stack_name, each.removeprefix("ref-"))["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


def documents(plan: Plan) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every policy of a role and every managed policy, with where it is."""
    for each in plan.stacks:
        for resource in each.resources:
            body = filled(resource.properties)
            where = f"{each.name}.{resource.logical_id}"
            if resource.type == "AWS::IAM::Role":
                for policy in body.get("Policies", []):
                    yield where, policy["PolicyDocument"]
            if resource.type == "AWS::IAM::ManagedPolicy":
                yield where, body["PolicyDocument"]


def may(
    policy: list[dict[str, Any]], action: str, resource: str, context: dict[str, str] | None = None
) -> bool:
    """Whether the statements allow `action` on `resource`, with condition keys of the values in `context`."""
    effects = {
        each["Effect"]
        for each in policy
        if any(_like(pattern, action) for pattern in listed(each["Action"]))
        and _concerns(each, resource)
        and _holds(each.get("Condition", {}), context or {})
    }
    return effects == {"Allow"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _concerns(statement: dict[str, Any], resource: str) -> bool:
    if "NotResource" in statement:
        return not any(_like(pattern, resource) for pattern in listed(statement["NotResource"]))
    return any(_like(pattern, resource) for pattern in listed(statement["Resource"]))


def _holds(condition: dict[str, Any], context: dict[str, str]) -> bool:
    return all(
        _one(operator, listed(values), context.get(key))
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _one(operator: str, values: list[str], actual: str | None) -> bool:
    if operator.endswith("IfExists") and actual is None:
        return True
    match operator.removesuffix("IfExists"):
        case "Null":
            return values == [str(actual is None).lower()]
        case "StringNotEquals" | "ArnNotEquals":
            return actual not in values
        case "StringEquals" | "Bool":
            return actual in values
        case "StringLike" | "ArnLike" | "ArnEquals":
            return actual is not None and any(_like(value, actual) for value in values)
        case other:
            raise NotImplementedError(other)


def _like(pattern: str, text: str) -> bool:
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.IGNORECASE) is not None


@cache
def authorisation() -> dict[str, Any]:
    """AWS's service authorization reference, as cfn-lint carries it."""
    path = Path(cfnlint.__file__).parent / "data" / "AdditionalSpecs" / "Policies.json"
    reference: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return reference
