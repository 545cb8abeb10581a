"""Grants to policy statements, and the roles that carry them: who may assume each, and how far it reaches."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii
from typing import Any, Literal, NamedTuple

from troposphere import AWSHelperFn, GetAtt, Ref, Sub, iam

from mlopsgen.components.base import Site
from mlopsgen.plan import Grant, Part, Principal, Resource, Value
from mlopsgen.source.node import Path

VERSION = "2012-10-17"

# What each service says it acts for when it assumes a role (`aws:SourceArn`), by its own documentation. EC2
# hands a role to an instance and CloudFormation a role to a stack without saying so; there, `iam:PassRole`,
# which never crosses accounts, keeps others out.
_SOURCES: dict[str, str | None] = {
    "cloudformation.amazonaws.com": None,
    "ec2.amazonaws.com": None,
    "ecs.amazonaws.com": "ecs:${AWS::Region}:${AWS::AccountId}:*",
    "ecs-tasks.amazonaws.com": "ecs:${AWS::Region}:${AWS::AccountId}:*",
    "events.amazonaws.com": "events:${AWS::Region}:${AWS::AccountId}:rule/PREFIX-*",
    "scheduler.amazonaws.com": "scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/PREFIX-*",
    "vpc-flow-logs.amazonaws.com": "ec2:${AWS::Region}:${AWS::AccountId}:vpc-flow-log/*",
}

# Several values of one of these mean "any of them", so two conditions that differ in values alone are one.
_ANY_OF = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike"})

_MAX_SID = 64

# IAM allows 10,240 characters in the inline policies of a role and 6,144 in a managed one (IAM user guide,
# "IAM and AWS STS quotas"); some room is left for the document around the statements.
MAX_INLINE = 10_000
MAX_MANAGED = 6_000


def arn(service: str, resource: str) -> Sub:
    """The ARN of something in this account and region, such as `arn("ecs", "cluster/x")`.

    `service` may be `s3` or `iam`, whose ARNs have no region (and those of S3 no account).
    """
    place = {"s3": ":", "iam": ":${AWS::AccountId}"}.get(service, "${AWS::Region}:${AWS::AccountId}")
    return Sub(f"arn:${{AWS::Partition}}:{service}:{place}:{resource}")


def statements(grants: Iterable[Grant]) -> list[dict[str, Any]]:
    """The policy statements of `grants`, each with a Sid: few, and the same for any order of the grants.

    Grants that differ only in resources, in actions, or in the values of one condition become one statement,
    which allows exactly what they did.
    """
    merged = _merge(grants)
    taken: dict[str, int] = {}
    result = []
    for grant in merged:
        name = _sid(grant)
        taken[name] = taken.get(name, 0) + 1
        result.append(_statement(grant, name if taken[name] == 1 else f"{name}{taken[name]}"))
    return result


def policy(grants: Iterable[Grant]) -> dict[str, Any]:
    """The policy document of `grants`."""
    return {"Version": VERSION, "Statement": statements(grants)}


def role(
    site: Site,
    *,
    stack: str,
    logical_id: str,
    name: str,
    kind: Literal["task", "execution", "service", "delivery", "person"],
    trust: dict[str, Any],
    grants: Iterable[Grant],
    description: str,
    origin: Path,
    max_session: int | None = None,
    role_name: str | None = None,
    deploys: bool = False,
) -> tuple[Part, ...]:
    """A role in the path of its stack, bounded if the pipeline says so, and its row of who may do what.

    `name` is what people read; `role_name` only where something outside must know the name in advance.
    `max_session` is in seconds. A role that `deploys` makes other roles, and is held by the account's own
    boundary alone. What does not fit into the role goes into managed policies beside it.
    """
    grants = tuple(grants)
    inline, *others = _documents(statements(grants))
    path = role_path(site, stack)
    policies = [
        iam.ManagedPolicy(
            f"{logical_id}Policy{number}", Path=path, Description=description, PolicyDocument=each
        )
        for number, each in enumerate(others, start=1)
    ]
    body = iam.Role(logical_id, Description=description, Path=path, AssumeRolePolicyDocument=trust)
    if grants:
        body.Policies = [iam.Policy(PolicyName="permissions", PolicyDocument=inline)]
    if policies:
        body.ManagedPolicyArns = [Ref(each.title) for each in policies]
    given = site.spec.aws.permissions_boundary
    bound = (own(given) if given else None) if deploys else boundary(site)
    if bound:
        body.PermissionsBoundary = bound
    if max_session:
        body.MaxSessionDuration = max_session
    if role_name:
        body.RoleName = role_name
    return (
        *(Resource(stack, each.title, each, origin) for each in policies),
        Resource(stack, logical_id, body, origin),
        Principal(name, kind, stack, logical_id, grants),
    )


def role_path(site: Site, stack: str) -> str:
    """The path of a stack's roles, so that one pattern says which roles may be passed: `/PREFIX/STACK/`."""
    return f"{site.role_path}{stack}/"


def boundary(site: Site) -> Value | None:
    """What no role of the environment reaches beyond: the account's own policy, or the one made for delivery.

    Who can create a role without a boundary can give it every right, so whatever deploys roles by itself
    needs one.
    """
    if site.spec.aws.permissions_boundary:
        return own(site.spec.aws.permissions_boundary)
    if site.github:
        return arn("iam", f"policy{role_path(site, 'access')}{site.boundary}")
    return None


def own(policy: str) -> Value:
    """A managed policy's ARN, by pseudo parameters: a role's boundary is AWS's, or of the role's account."""
    _, _, _, _, account, resource = policy.split(":", 5)
    return arn("iam", resource) if account.isdigit() else policy


def trust_service(service: str, site: Site) -> dict[str, Any]:
    """Lets `service` assume a role, on behalf of this account's or this environment's resources only."""
    source = _SOURCES[service]
    statement: dict[str, Any] = {
        "Sid": "Service",
        "Effect": "Allow",
        "Principal": {"Service": service},
        "Action": "sts:AssumeRole",
    }
    if source:
        statement["Condition"] = {
            "StringEquals": {"aws:SourceAccount": Sub("${AWS::AccountId}")},
            "ArnLike": {
                "aws:SourceArn": Sub(f"arn:${{AWS::Partition}}:{source.replace('PREFIX', site.prefix)}")
            },
        }
    return {"Version": VERSION, "Statement": [statement]}


def trust_oidc(provider: Value, issuer: str, claims: dict[str, str | list[str]]) -> dict[str, Any]:
    """Lets a token of `issuer` assume a role, if each claim has the value, or one of the values, given."""
    statement = {
        "Sid": "Workflow",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer}:{claim}": value for claim, value in claims.items()}},
    }
    return {"Version": VERSION, "Statement": [statement]}


def trust_people(principals: Iterable[str]) -> dict[str, Any]:
    """Lets the ARNs `principals` assume a role: users, and whole accounts, only with a second factor.

    Sessions of a role carry no `aws:MultiFactorAuthPresent`: that role's own trust asks for the factor.
    """
    principals = tuple(principals)
    roles = sorted({each for each in principals if ":role/" in each or ":assumed-role/" in each})
    others = sorted(set(principals) - set(roles))
    trusted: list[dict[str, Any]] = []
    if others:
        trusted.append(
            {
                "Sid": "PeopleWithSecondFactor",
                "Effect": "Allow",
                "Principal": {"AWS": others},
                "Action": "sts:AssumeRole",
                "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}},
            }
        )
    if roles:
        trusted.append(
            {"Sid": "Roles", "Effect": "Allow", "Principal": {"AWS": roles}, "Action": "sts:AssumeRole"}
        )
    return {"Version": VERSION, "Statement": trusted}


def pass_role(roles: Iterable[Value], service: str, because: str) -> Grant:
    """May hand `roles` to `service`, and to no other."""
    return Grant(
        ("iam:PassRole",),
        tuple(roles),
        because,
        condition=(("StringEquals", "iam:PassedToService", service),),
    )


def role_arn(logical_id: str) -> GetAtt:
    """The ARN of a role in the same stack."""
    return GetAtt(logical_id, "Arn")


def key(value: Any) -> str:
    """A string that is equal for equal values, to sort and compare intrinsic functions by."""
    return value if isinstance(value, str) else _json(value)


def _json(value: Any) -> str:
    """As `json.dumps` writes it, with intrinsic functions and sorted keys; it is asked thousands of times."""
    match value:
        case str():
            return encode_basestring_ascii(value)
        case tuple() | list():
            return f"[{', '.join(map(_json, value))}]"
        case dict():
            return f"{{{', '.join(f'{_json(name)}: {_json(value[name])}' for name in sorted(value))}}}"
        case AWSHelperFn():
            return _json(value.data)
        case _:
            return json.dumps(value)


def _documents(every: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The statements as one inline policy and as many managed ones as the rest takes."""
    documents: list[list[dict[str, Any]]] = [[]]
    room = MAX_INLINE
    for piece, size in (piece for each in every for piece in _pieces(each)):
        if size > room:
            documents.append([])
            room = MAX_MANAGED
        documents[-1].append(piece)
        room -= size
    return [{"Version": VERSION, "Statement": each} for each in documents]


def _pieces(statement: dict[str, Any]) -> list[tuple[dict[str, Any], int]]:
    """A statement, or several that together say the same: of fewer resources, or of fewer values each.

    With each goes its size.
    """
    size = _size(statement)
    if size <= MAX_MANAGED:
        return [(statement, size)]
    resources = statement.get("Resource")
    halves: list[dict[str, Any]]
    if isinstance(resources, list):
        halves = [{"Resource": each} for each in _halves(resources)]
    else:
        conditions = [
            (operator, name, value)
            for operator, names in statement.get("Condition", {}).items()
            for name, value in names.items()
        ]
        if len(conditions) != 1 or conditions[0][0] not in _ANY_OF or not isinstance(conditions[0][2], list):
            return [(statement, size)]
        operator, name, values = conditions[0]
        halves = [{"Condition": {operator: {name: each}}} for each in _halves(values)]
    first, second = halves
    return [*_pieces(statement | first), *_pieces(statement | {"Sid": statement["Sid"] + "And"} | second)]


def _halves(values: list[Any]) -> tuple[list[Any], list[Any]]:
    return values[: len(values) // 2], values[len(values) // 2 :]


def _size(statement: dict[str, Any]) -> int:
    """Its length in AWS at most: names of the account and region filled in, other values an ARN long."""
    text = key(statement).replace(" ", "").replace('{"Fn::Sub":', "")
    text = text.replace("${AWS::Partition}", "aws-us-gov").replace("${AWS::AccountId}", "123456789012")
    text = text.replace("${AWS::Region}", "ap-southeast-1")
    return len(text) + 120 * (text.count('{"Ref":') + text.count('{"Fn::GetAtt":'))


def _merge(grants: Iterable[Grant]) -> list[Grant]:
    """As few grants as say the same, in a fixed order."""
    result = sorted((_tidy(grant) for grant in grants), key=_order)
    for part in (_by_actions, _by_resources, _by_values):
        groups: dict[Any, list[_Tidy]] = {}
        for tidy in result:
            groups.setdefault(part(tidy), []).append(tidy)
        result = [_union(group) for group in groups.values()]
    return [tidy.grant for tidy in sorted(result, key=_order)]


class _Tidy(NamedTuple):
    """A grant whose sets are in one order, with the keys of what cannot be compared as it is."""

    grant: Grant
    resources: str
    condition: str


def _order(tidy: _Tidy) -> tuple[Any, ...]:
    """Allowances before denials, then by the words of the spec, by what is allowed, and on what."""
    grant = tidy.grant
    return grant.effect, grant.because, grant.actions, tidy.resources, tidy.condition


def _by_actions(tidy: _Tidy) -> tuple[Any, ...]:
    grant = tidy.grant
    # Two confinements are narrower than one with the resources of both.
    alone = tidy.resources if grant.effect == "Confine" else ""
    return grant.effect, alone, grant.actions, grant.reason, tidy.condition


def _by_resources(tidy: _Tidy) -> tuple[Any, ...]:
    return tidy.grant.effect, tidy.resources, tidy.grant.reason, tidy.condition


def _by_values(tidy: _Tidy) -> tuple[Any, ...]:
    grant = tidy.grant
    if len(grant.condition) == 1 and grant.condition[0][0] in _ANY_OF:
        operator, name, _ = grant.condition[0]
        return grant.effect, grant.actions, tidy.resources, grant.reason, operator, name
    return _by_actions(tidy), tidy.resources


def _union(group: Sequence[_Tidy]) -> _Tidy:
    """One grant for all of a group."""
    if len(group) == 1:
        return group[0]
    grants = [tidy.grant for tidy in group]
    first = grants[0]
    condition = first.condition
    if len({tidy.condition for tidy in group}) > 1:
        operator, name, _ = condition[0]
        condition = ((operator, name, _distinct(v for each in grants for v in _many(each.condition[0][2]))),)
    return _tidy(
        first._replace(
            actions=tuple(action for each in grants for action in each.actions),
            resources=tuple(resource for each in grants for resource in each.resources),
            because="; ".join(_distinct(each.because for each in grants)),
            condition=condition,
        )
    )


def _tidy(grant: Grant) -> _Tidy:
    """A `*` without a reason is our bug."""
    assert grant.effect != "Allow" or grant.reason or "*" not in grant.resources, (
        f"`*` needs a reason: {grant.because}"
    )
    resources = {key(each): each for each in grant.resources}
    conditions = {key(each): each for each in grant.condition}
    tidy = grant._replace(
        actions=tuple(sorted(set(grant.actions))),
        resources=tuple(resources[each] for each in sorted(resources)),
        condition=tuple(conditions[each] for each in sorted(conditions)),
    )
    return _Tidy(tidy, "\n".join(sorted(resources)), "\n".join(sorted(conditions)))


def _many(value: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _distinct(values: Iterable[Any]) -> tuple[Any, ...]:
    """The values without repetition, sorted."""
    by_key = {key(value): value for value in values}
    return tuple(by_key[each] for each in sorted(by_key))


def _statement(grant: Grant, sid: str) -> dict[str, Any]:
    confines = grant.effect == "Confine"
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Deny" if confines else grant.effect,
        "Action": _one_or_list(grant.actions),
        "NotResource" if confines else "Resource": _one_or_list(grant.resources),
    }
    for operator, name, value in grant.condition:
        by_name = statement.setdefault("Condition", {}).setdefault(operator, {})
        by_name[name] = _one_or_list(_many(value))
    return statement


def _one_or_list(values: tuple[Value, ...]) -> Value | list[Value]:
    return values[0] if len(values) == 1 else list(values)


def _sid(grant: Grant) -> str:
    """The words of the spec as a Sid, which takes letters and digits only: `reads raw/` is `ReadsRaw`."""
    words = list(dict.fromkeys(re.findall(r"[A-Za-z0-9]+", grant.because.replace("'", ""))))
    name = ""
    for word in words:
        if len(name) + len(word) > _MAX_SID:
            break
        name += word[0].upper() + word[1:]
    return name or "Statement"
