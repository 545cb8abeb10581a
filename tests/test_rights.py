"""Every policy of every known pipeline, against AWS's service authorization reference."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from mlopsgen.aws.iam_actions import service
from tests.cases import KNOWN
from tests.policies import authorisation, filled, listed

ANYWHERE = frozenset(
    (
        "aws:multifactorauthpresent",
        "aws:principalaccount",
        "aws:resourceaccount",
        "aws:securetransport",
        "aws:sourceaccount",
        "aws:sourcearn",
    )
)
"""Keys that a request brings whatever its action is (IAM user guide, "AWS global condition context keys")."""

TAGGED = (
    "the request's tags, which the linter's copy of the reference leaves out (KMS developer guide, 'ABAC')"
)

EXCEPTIONS = {
    ("kms:CreateKey", "aws:RequestTag/mlopsgen:environment"): TAGGED,
    ("kms:CreateKey", "aws:RequestTag/mlopsgen:pipeline"): TAGGED,
    ("kms:DescribeKey", "kms:EncryptionContext:aws:logs:arn"): "as CloudWatch Logs documents its key policy "
    "(its user guide, 'Encrypt log data in CloudWatch Logs using AWS Key Management Service')",
}
"""Actions that do not know a key of their statement, which stays as it is for the reason given."""


def policies(body: Any) -> Iterator[list[dict[str, Any]]]:
    """The statements of each policy document, however deep: of roles, keys, buckets, topics, endpoints."""
    if isinstance(body, dict):
        if isinstance(body.get("Statement"), list):
            yield body["Statement"]
        else:
            for each in body.values():
                yield from policies(each)
    elif isinstance(body, list):
        for each in body:
            yield from policies(each)


@cache
def emitted() -> tuple[tuple[str, dict[str, Any]], ...]:
    """Each statement, with where it is."""
    return tuple(
        (f"{case.name} {compilation.environment} {stack.name}.{resource.logical_id} {each['Sid']}", each)
        for case in KNOWN
        for compilation in case.compilations
        for stack in compilation.plan.stacks
        for resource in stack.resources
        for statements in policies(filled(resource.properties))
        for each in statements
    )


def asked() -> Iterator[tuple[str, dict[str, Any], str, list[str]]]:
    """Each action of each statement, with the actions of IAM that it names."""
    for where, statement in emitted():
        for action in listed(statement["Action"]):
            name, _, verb = action.partition(":")
            if name != "*":
                known = authorisation()[name]["Actions"]
                yield where, statement, action, fnmatch.filter(known, verb.lower())


def kinds(action: str, verb: str) -> list[dict[str, Any]]:
    """The kinds of resources that an action takes."""
    reference = authorisation()[action.partition(":")[0]]
    known = {name.lower(): each for name, each in reference["Resources"].items()}
    named = reference["Actions"][verb].get("Resources", ())
    return [known[kind.lower()] for kind in named if kind.lower() in known]


def knows(action: str, verb: str, key: str) -> bool:
    """Whether a request of the action can bring the key: of itself, or of what it acts on."""
    found = service(action.partition(":")[0])
    own = found.actions[verb].keys if found and verb in found.actions else None
    of_resources = [name for kind in kinds(action, verb) for name in kind.get("ConditionKeys", ())]
    forms = (re.sub(r"\$\{[^}]+\}", "*", each).lower() for each in (*(own or ()), *of_resources))
    return any(fnmatch.fnmatchcase(key.lower(), each) for each in forms)


def test_every_action_exists():
    """A misspelt one is taken by IAM, and grants nothing."""
    assert len(emitted()) > 1000
    assert {f"{where} {action}" for where, _, action, verbs in asked() if not verbs} == set()


def test_no_condition_names_a_key_that_its_action_does_not_know():
    """A condition on it would never hold, and what the statement allows be refused."""
    unknown = {
        (action, key): where
        for where, statement, action, verbs in asked()
        for keys in statement.get("Condition", {}).values()
        for key in keys
        if key.lower() not in ANYWHERE and not action.startswith("sts:")
        if not any(knows(action, verb, key) for verb in verbs)
    }
    assert {each: where for each, where in unknown.items() if each not in EXCEPTIONS} == {}
    assert set(EXCEPTIONS) <= unknown.keys()


def test_no_allowance_of_single_resources_asks_for_a_kind_that_the_action_does_not_take():
    """On an ARN of another kind it grants nothing."""
    wrong = set()
    for where, statement, action, verbs in asked():
        resources = [each for each in listed(statement.get("Resource", "*")) if each.startswith("arn:")]
        if statement["Effect"] == "Deny" or "*" in action or not resources or "Principal" in statement:
            continue
        forms = [form for verb in verbs for kind in kinds(action, verb) for form in kind["ARNFormats"]]
        if not any(f":{each.split(':')[2]}:" in form for each in resources for form in forms):
            wrong.add(f"{where} {action}")
    assert wrong == set()


def test_a_key_is_known_by_the_action_that_brings_it_alone():
    """An instance's reports of its tasks bring no `ecs:cluster`, though its polling does."""
    assert knows("ecs:Poll", "poll", "ecs:cluster")
    assert not knows("ecs:SubmitTaskStateChange", "submittaskstatechange", "ecs:cluster")
