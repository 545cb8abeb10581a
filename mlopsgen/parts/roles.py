"""Roles: who may assume each, what it may do, and how far it reaches."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from troposphere import GetAtt, Ref, Sub, iam

from mlopsgen.model.plan import Declaration, Grant, Principal, PrincipalKind
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Named, Value
from mlopsgen.parts.policies import VERSION, arn, documents, statements
from mlopsgen.parts.resource import Scope

# What each service says it acts for when it assumes a role (`aws:SourceArn`), by its own documentation. EC2
# hands a role to an instance and CloudFormation a role to a stack without saying so, and of what ECS does to
# load balancers nothing is documented (Amazon ECS developer guide, "Amazon ECS infrastructure IAM role for
# load balancers"); there, `iam:PassRole`, which never crosses accounts, keeps others out.
_SOURCES: dict[str, str | None] = {
    "cloudformation.amazonaws.com": None,
    "ec2.amazonaws.com": None,
    "ecs.amazonaws.com": None,
    "ecs-tasks.amazonaws.com": "ecs:${AWS::Region}:${AWS::AccountId}:*",
    "events.amazonaws.com": "events:${AWS::Region}:${AWS::AccountId}:rule/PREFIX-*",
    "scheduler.amazonaws.com": "scheduler:${AWS::Region}:${AWS::AccountId}:schedule-group/PREFIX-*",
    "vpc-flow-logs.amazonaws.com": "ec2:${AWS::Region}:${AWS::AccountId}:vpc-flow-log/*",
}


class Role(NamedTuple):
    """A role, before it stands in a stack."""

    logical_id: str
    name: str
    """What people read in the table of who may do what."""
    kind: PrincipalKind
    trust: dict[str, Body]
    """The policy of who may assume it."""
    grants: tuple[Grant, ...]
    description: str
    max_session: int | None = None
    """Seconds."""
    role_name: str | None = None
    """Only where something outside must know the name in advance."""
    deploys: bool = False
    """Whether it makes other roles: it is then held by the account's own boundary alone."""


def declare_role(scope: Scope, role: Role) -> tuple[Declaration, ...]:
    """The role in the path of its stack, bounded if the pipeline says so, and its row of who may do what.

    What does not fit into the role goes into managed policies beside it.
    """
    inline, *others = documents(statements(role.grants))
    path = role_path(scope.site, scope.stack)
    policies = [
        iam.ManagedPolicy(
            f"{role.logical_id}Policy{number}", Path=path, Description=role.description, PolicyDocument=each
        )
        for number, each in enumerate(others, start=1)
    ]
    body = iam.Role(
        role.logical_id, Description=role.description, Path=path, AssumeRolePolicyDocument=role.trust
    )
    if role.grants:
        body.Policies = [iam.Policy(PolicyName="permissions", PolicyDocument=inline)]
    if policies:
        body.ManagedPolicyArns = [Ref(each.title) for each in policies]
    given = scope.site.spec.aws.permissions_boundary
    bound = (own(given) if given else None) if role.deploys else boundary(scope.site)
    if bound:
        body.PermissionsBoundary = bound
    if role.max_session:
        body.MaxSessionDuration = role.max_session
    if role.role_name:
        body.RoleName = role.role_name
    return (
        *(scope.resource(each) for each in policies),
        scope.resource(body),
        Principal(role.name, role.kind, scope.stack, role.logical_id, role.grants),
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
    if site.delivers:
        return Named("access", arn("iam", f"policy{role_path(site, 'access')}{site.boundary}"))
    return None


def own(policy: str) -> Value:
    """A managed policy's ARN, by pseudo parameters: a role's boundary is AWS's, or of the role's account."""
    _, _, _, _, account, resource = policy.split(":", 5)
    return arn("iam", resource) if account.isdigit() else policy


def trust_service(service: str, site: Site) -> dict[str, Body]:
    """Lets `service` assume a role, on behalf of this account's or this environment's resources only."""
    source = _SOURCES[service]
    statement: dict[str, Body] = {
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


def trust_oidc(provider: Value, issuer: str, claims: dict[str, str | list[str]]) -> dict[str, Body]:
    """Lets a token of `issuer` assume a role, if each claim has the value, or one of the values, given."""
    statement = {
        "Sid": "Workflow",
        "Effect": "Allow",
        "Principal": {"Federated": provider},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{issuer}:{claim}": value for claim, value in claims.items()}},
    }
    return {"Version": VERSION, "Statement": [statement]}


def trust_people(principals: Iterable[str]) -> dict[str, Body]:
    """Lets the ARNs `principals` assume a role: users, and whole accounts, only with a second factor.

    Sessions of a role carry no `aws:MultiFactorAuthPresent`: that role's own trust asks for the factor.
    """
    principals = tuple(principals)
    roles = sorted({each for each in principals if ":role/" in each or ":assumed-role/" in each})
    others = sorted(set(principals) - set(roles))
    trusted: list[dict[str, Body]] = []
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
