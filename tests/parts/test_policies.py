"""Policies say what the grants said, in few statements, within IAM's limits and in IAM's own words."""

from __future__ import annotations

import fnmatch
import json
import re
from itertools import permutations

import pytest
from troposphere import GetAtt, Sub

from mlopsgen.model.plan import Grant, Plan
from mlopsgen.parts.policies import canonical_json, statements
from mlopsgen.parts.roles import trust_people
from tests.components.pipelines import plan, site, trainer
from tests.policies import authorisation, documents, filled, listed, may, properties
from tests.policies import statements as statements_of

DELIVERED = "  delivery: {github: {repository: owner/name}}\n"
BASE = """\
  images: [{name: train}, {name: app}]
  models: [{name: model}]
  capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], spot: {}}}]
  volumes: [{name: cache, efs: {}}]
  jobs:
    - name: trainer
      image: train
      capacity: gpu
      produces: [model]
      triggers: [{name: weekly, schedule: {cron: "0 3 * * 0"}}]
  services:
    - name: api
      image: app
      loads: [model]
      reads: [raw]
      secrets: {KEY: {secret: demo/key}}
      volumeMounts: [{name: cache, mountPath: /cache}]
      ingress: [{name: web}]
      deployment: {canary: {}}
"""
PEOPLE = """\
  people:
    roles:
      - {name: developer, preset: developer, principals: ["arn:aws:iam::123456789012:role/engineers"]}
      - {name: analyst, preset: analyst, principals: ["arn:aws:iam::123456789012:user/ann"], deploys: [api]}
      - {name: model-trainer, preset: modelTrainer, principals: ["arn:aws:iam::123456789012:user/bob"]}
"""

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"

GRANTS = (
    Grant(("s3:GetObject",), (Sub("arn:aws:s3:::b/raw/*"),), "reads raw/"),
    Grant(("s3:GetObject",), (Sub("arn:aws:s3:::b/done/*"),), "reads done/"),
    Grant(("s3:PutObject",), (Sub("arn:aws:s3:::b/done/*"),), "writes done/"),
    Grant(("s3:ListBucket",), ("arn:aws:s3:::b",), "lists", (("StringLike", "s3:prefix", ("raw/*",)),)),
    Grant(("s3:ListBucket",), ("arn:aws:s3:::b",), "lists", (("StringLike", "s3:prefix", ("done/*",)),)),
    Grant(("ecr:GetAuthorizationToken",), ("*",), "pulls", reason="there is none narrower"),
)


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan(BASE, DELIVERED, PEOPLE)


def test_the_order_of_the_grants_is_irrelevant():
    expected = json.dumps(filled(statements(GRANTS)))
    assert {json.dumps(filled(statements(each))) for each in permutations(GRANTS)} == {expected}


def test_merging_allows_exactly_what_the_grants_allowed():
    """Nothing is lost, and no action reaches a resource that it was not granted for."""
    policy = filled(statements(GRANTS))
    assert len(policy) == 4
    raw, done = "arn:aws:s3:::b/raw/x", "arn:aws:s3:::b/done/x"
    assert may(policy, "s3:GetObject", raw)
    assert may(policy, "s3:GetObject", done)
    assert may(policy, "s3:PutObject", done)
    assert not may(policy, "s3:PutObject", raw)
    assert may(policy, "s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "raw/x"})
    assert not may(policy, "s3:ListBucket", "arn:aws:s3:::b", {"s3:prefix": "other/x"})
    assert not may(policy, "s3:ListBucket", "arn:aws:s3:::b")


def test_conditions_that_differ_in_one_value_are_one():
    """And those that differ in two stay apart: as one they would allow what neither did."""
    grants = [
        Grant(("kms:Decrypt",), (KEY,), "decrypts", (("StringEquals", "via", via), ("StringLike", "of", of)))
        for via, of in (("one", "a"), ("one", "b"), ("two", "c"))
    ]
    policy = filled(statements(grants))
    assert len(policy) == 2
    allowed = {
        via + of
        for via in ("one", "two")
        for of in "abc"
        if may(policy, "kms:Decrypt", KEY, {"via": via, "of": of})
    }
    assert allowed == {"onea", "oneb", "twoc"}


def test_every_statement_has_a_name_of_its_own():
    names = [each["Sid"] for each in statements(GRANTS)]
    assert names == ["Lists", "Pulls", "ReadsDoneRaw", "WritesDone"]


def test_two_confinements_stay_two():
    """Together they leave what both leave; as one statement they would leave what either does."""
    first, second = (
        Grant(("s3:*",), (f"arn:aws:s3:::{each}",), "no other", effect="Confine") for each in "ab"
    )
    policy = statements((first, second, Grant(("s3:*",), ("arn:aws:s3:::a", "arn:aws:s3:::b"), "all")))
    assert not may(filled(policy), "s3:GetObject", "arn:aws:s3:::a")


def test_a_star_without_a_reason_is_our_bug():
    with pytest.raises(AssertionError, match="needs a reason"):
        statements([Grant(("s3:GetObject",), ("*",), "reads everything")])


def test_what_exceeds_a_role_goes_into_managed_policies(whole: Plan):
    """A role of 300 prefixes keeps every right, and no document exceeds what IAM takes."""
    names = [f"a-rather-long-prefix-number-{number}" for number in range(300)]
    prefixes = ", ".join(f"{{name: {each}}}" for each in names)
    buckets = f"  buckets: [{{name: data, prefixes: [{{name: models}}, {prefixes}]}}]\n"
    large = plan(buckets, trainer(reads=f"[{', '.join(names)}]"))
    policy = statements_of(large, "training-trainer", "TaskRole")
    bucket = "arn:aws:s3:::demo-default-data-123456789012"
    assert all(may(policy, "s3:GetObject", f"{bucket}/{each}/x") for each in names)
    assert not may(policy, "s3:GetObject", f"{bucket}/another/x")
    assert len(properties(large, "training-trainer", "TaskRole")["ManagedPolicyArns"]) > 1
    _within_limits(large)


def test_every_document_is_within_iams_limits(whole: Plan):
    _within_limits(whole)


def _within_limits(whole: Plan) -> None:
    """IAM user guide, "IAM and AWS STS quotas"."""
    sizes: dict[str, int] = {}
    for where, document in documents(whole):
        sizes[where] = sizes.get(where, 0) + len(json.dumps(document, separators=(",", ":")))
        sids = [each["Sid"] for each in document["Statement"]]
        assert len(sids) == len(set(sids))
        assert all(re.fullmatch("[A-Za-z0-9]+", each) for each in sids)
    managed = {
        f"{stack.name}.{each.logical_id}"
        for stack in whole.stacks
        for each in stack.resources
        if each.type == "AWS::IAM::ManagedPolicy"
    }
    assert {
        where: size for where, size in sizes.items() if size > (6144 if where in managed else 10240)
    } == {}
    for stack in whole.stacks:
        for resource in stack.resources:
            if resource.type == "AWS::IAM::Role":
                trust = properties(whole, stack.name, resource.logical_id)["AssumeRolePolicyDocument"]
                assert len(json.dumps(trust, separators=(",", ":"))) <= 2048


def test_every_action_exists(whole: Plan):
    """A misspelt action is accepted by IAM, and grants nothing."""
    unknown = [
        f"{where} {action}"
        for where, document in documents(whole)
        for statement in document["Statement"]
        for action in listed(statement["Action"])
        if not _actions(action)
    ]
    assert unknown == []


def test_every_action_is_granted_on_a_resource_that_it_knows(whole: Plan):
    """An action on an ARN of another kind grants nothing; one that takes no resource must say `*`."""
    wrong = []
    for where, document in documents(whole):
        for statement in document["Statement"]:
            resources = listed(statement.get("Resource", "*"))
            for action in listed(statement["Action"]):
                if "*" in resources or "*" in action or statement["Effect"] == "Deny":
                    continue
                service = action.partition(":")[0]
                kinds = authorisation()[service]["Actions"][action.partition(":")[2].lower()].get(
                    "Resources", []
                )
                forms = [form for kind in kinds for form in _forms(service, kind)]
                if not any(_meets(form, resource) for form in forms for resource in resources):
                    wrong.append(f"{where} {action} {resources}")
    assert wrong == []


def _actions(pattern: str) -> list[str]:
    service, _, action = pattern.lower().partition(":")
    return fnmatch.filter(authorisation()[service]["Actions"], action) if service in authorisation() else []


def _forms(service: str, kind: str) -> list[str]:
    """The forms of an ARN of this kind, as patterns. The reference spells a few kinds in two ways."""
    known = {name.lower(): each for name, each in authorisation()[service]["Resources"].items()}
    forms = known.get(kind.lower(), {}).get("ARNFormats", [f"arn:${{Partition}}:{service}:.*"])
    return [re.sub(r"\$\{[^}]+\}", "[^:]*", each) for each in forms]


def _meets(form: str, resource: str) -> bool:
    """Whether some ARN is of the form and meets the resource's own wildcards."""
    if resource.startswith(("att-", "ref-")):
        return True
    if resource.split(":", 5)[5:] == ["*"]:
        return f":{resource.split(':')[2]}:" in form
    examples = [resource.replace("*", part) for part in ("x", "x/x", "x:x", "*")]
    return any(re.fullmatch(form, example) for example in examples)


UNSAID = ("cloudformation.amazonaws.com", "ec2.amazonaws.com", "ecs.amazonaws.com")
"""Those of which nothing is documented to say for whom they assume a role."""


def test_services_assume_roles_for_this_account_alone(whole: Plan):
    """Each trust in a service that can say for whom it acts has both conditions."""
    for stack in whole.stacks:
        for resource in stack.resources:
            if resource.type != "AWS::IAM::Role":
                continue
            role = properties(whole, stack.name, resource.logical_id)
            assert role["Path"] == f"/demo-default/{stack.name}/"
            for statement in role["AssumeRolePolicyDocument"]["Statement"]:
                service = statement["Principal"].get("Service")
                if service and service not in UNSAID:
                    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": "123456789012"}
                    assert ":123456789012:" in statement["Condition"]["ArnLike"]["aws:SourceArn"]


def test_the_accounts_own_boundary_holds_every_role():
    """With `aws.permissionsBoundary`, no role is without it, and none is made here."""
    arn = "arn:aws:iam::123456789012:policy/bank"
    bounded = plan(
        BASE, DELIVERED, PEOPLE, aws=f"  aws: {{region: ap-southeast-1, permissionsBoundary: '{arn}'}}\n"
    )
    roles = [
        properties(bounded, stack.name, each.logical_id)
        for stack in bounded.stacks
        for each in stack.resources
        if each.type == "AWS::IAM::Role"
    ]
    assert len(roles) > 8
    assert {each.get("PermissionsBoundary") for each in roles} == {arn}
    assert "Boundary" not in {each.logical_id for stack in bounded.stacks for each in stack.resources}


def test_without_delivery_or_a_boundary_roles_have_none():
    simple = plan(trainer())
    assert "PermissionsBoundary" not in properties(simple, "training-trainer", "TaskRole")


def test_users_and_accounts_need_a_second_factor_and_roles_bring_their_own():
    user, account = "arn:aws:iam::123456789012:user/ann", "arn:aws:iam::210987654321:root"
    role, session = "arn:aws:iam::1:role/x", "arn:aws:sts::1:assumed-role/x/y"
    factor, plain = trust_people([role, user, session, account])["Statement"]
    assert factor["Principal"] == {"AWS": [user, account]}
    assert factor["Condition"] == {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
    assert plain["Principal"] == {"AWS": [role, session]}
    assert "Condition" not in plain


def test_values_are_compared_by_what_they_say():
    assert canonical_json(GetAtt("Role", "Arn")) == canonical_json({"Fn::GetAtt": ["Role", "Arn"]})


def test_long_names_are_cut_and_stay_different():
    """EventBridge takes 64 characters; the prefix, by which policies know the rule, stays whole."""
    long = site(environment="default")
    names = {long.rule("a" * 32, f"{'b' * 32}-{number}") for number in (1, 2)}
    assert len(names) == 2
    assert all(len(each) <= 64 and each.startswith("demo-default-") for each in names)
