"""What CloudFormation must be allowed to do to deploy the stacks of one environment, as grants.

It is all that the handlers of the plan's resource types take to create, read, update and delete, minus what
is withheld; each held to the environment's names and, where there are none, to its tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import NamedTuple, TypeAlias

from troposphere import Sub

from mlopsgen.aws import stack_scopes as scopes
from mlopsgen.aws.resource_types import ResourceType, resource_type
from mlopsgen.aws.stack_scopes import ActionScope, Hold, Where, Withheld
from mlopsgen.model.plan import Grant
from mlopsgen.model.values import Body, Value
from mlopsgen.parts.policies import Condition, keep_apart

Properties: TypeAlias = Mapping[str, Body]


class StackReach(NamedTuple):
    """How far the role reaches: the environment that it makes, and what bounds the roles in it."""

    pipeline: str
    environment: str
    boundary: Value
    """The ARN of the policy that every role carries which it makes or changes."""
    administered: str = "access"
    """The stack that only an administrator deploys. Roles and policies in its path stay as they are."""
    keys: tuple[Value, ...] = ()
    """ARNs of somebody else's keys with which this environment encrypts."""

    @property
    def prefix(self) -> str:
        """What every physical name starts with."""
        return f"{self.pipeline}-{self.environment}"


def stack_rights(resources: Iterable[tuple[str, Properties]], reach: StackReach) -> tuple[Grant, ...]:
    """The grants of the role for `resources`, each a type and its properties, by type.

    While an environment changes they are those of both plans, since what goes is deleted with the same role.
    Types that nobody has looked at, and permissions that have no place, are our bug: a LookupError.
    """
    by_type: dict[str, list[Properties]] = {}
    for name, properties in resources:
        by_type.setdefault(name, []).append(properties)
    if unknown := sorted(by_type.keys() - scopes.TYPES):
        raise LookupError(f"nobody has looked at what {unknown[0]} takes")
    named = {"BUCKET": _buckets(by_type), "ZONE": _zones(by_type)}
    grants = [
        grant
        for name in sorted(by_type)
        for grant in _grants(resource_type(name), by_type[name], reach, named)
    ]
    return (*grants, *_parameters(by_type, reach), *_denials(reach), *_apart(grants, reach))


def withheld(name: str, resources: Sequence[Properties] = ()) -> dict[str, str]:
    """The permissions that handlers of the type name and the role does not get, each with its reason."""
    return {
        action: each.reason
        for each, actions in _withholdable(name)
        if not _have(resources, each.unless)
        for action in actions
    }


@cache
def _withholdable(name: str) -> tuple[tuple[Withheld, tuple[str, ...]], ...]:
    """What may be withheld of a type, each with the actions of its handlers that it means."""
    return tuple(
        (each, tuple(action for action in _named(name) if any(_fits(action, one) for one in each.actions)))
        for each in scopes.WITHHELD
        if name in each.types
    )


def public_parameters() -> Grant:
    """The parameters in which AWS publishes the current machine images."""
    public = Sub("arn:${AWS::Partition}:ssm:${AWS::Region}::parameter/aws/service/*")
    return Grant(("ssm:GetParameter", "ssm:GetParameters"), (public,), "finds AWS's machine images")


@cache
def _named(name: str) -> frozenset[str]:
    """What a stack takes of the type's handlers. Nobody lists all resources of a type to deploy one."""
    return resource_type(name).permissions("create", "read", "update", "delete")


@cache
def _making(name: str) -> frozenset[str]:
    """What the type's handlers take to make a resource."""
    return resource_type(name).permissions("create")


def _grants(
    kind: ResourceType,
    resources: Sequence[Properties],
    reach: StackReach,
    named: Mapping[str, tuple[str, ...]],
) -> Iterator[Grant]:
    """One grant for all actions of a type that may act in the same places."""
    added = {
        action
        for each in scopes.ADDED
        if each.type == kind.name and (not each.where or _have(resources, (each.where,)))
        for action in each.actions
    }
    grants: dict[tuple[Where, Condition], list[str]] = {}
    for action in sorted(_named(kind.name) - withheld(kind.name, resources).keys() | added):
        found = _scope(action)
        if found is None:
            raise LookupError(f"nothing says where {action} of {kind.name} may act, or why it is withheld")
        scope, pattern = found
        for place in scope.places:
            grants.setdefault((place, _condition(place.hold, kind, action, reach)), []).append(
                pattern if scope.whole else action
            )
    for (place, condition), actions in grants.items():
        if arns := tuple(arn for each in place.resources for arn in _arns(each, reach, named)):
            yield Grant(
                tuple(dict.fromkeys(actions)), arns, f"makes {kind.name}", condition, reason=place.reason
            )


@cache
def _scope(action: str) -> tuple[ActionScope, str] | None:
    """The scope of an action, and the pattern by which it is named there; None if nothing names it."""
    service, _, verb = action.partition(":")
    for scope in scopes.SCOPES.get(service, ()):
        for pattern in scope.actions:
            if _fits(verb, pattern):
                return scope, f"{service}:{pattern}"
    return None


def _arns(resource: str, reach: StackReach, named: Mapping[str, tuple[str, ...]]) -> Iterator[Value]:
    """A resource of a place as ARNs: one for each thing that it stands for."""
    if resource == "*":
        yield resource
        return
    if resource == "KEY":
        yield from reach.keys
        return
    text = resource.replace("HERE", "${AWS::Region}:${AWS::AccountId}").replace(
        "ACCOUNT", ":${AWS::AccountId}"
    )
    texts = [text.replace("PREFIX", reach.prefix)]
    for word, values in named.items():
        if word in resource:
            texts = [text.replace(word, each) for each in values]
    yield from (Sub(f"arn:${{AWS::Partition}}:{each}") for each in texts)


def _condition(hold: Hold, kind: ResourceType, action: str, reach: StackReach) -> Condition:
    match hold:
        case "":
            return ()
        case "own":
            return _tagged("StringEquals", "aws:ResourceTag", reach)
        case "own by AWS":
            return (*_condition("own", kind, action, reach), *_condition("by AWS", kind, action, reach))
        case "by AWS":
            return (("Bool", "kms:GrantIsForAWSResource", "true"),)
        case "new":
            return _tagged("StringEquals", "aws:RequestTag", reach)
        case "settled":
            return _settled(kind, action, reach)
        case "bounded":
            return (("StringEquals", "iam:PermissionsBoundary", reach.boundary),)
        case "handed":
            return (("StringEquals", "iam:PassedToService", scopes.HANDED_TO[kind.name]),)
        case "linked":
            return (("StringEquals", "iam:AWSServiceName", scopes.LINKED[kind.name]),)


def _settled(kind: ResourceType, action: str, reach: StackReach) -> Condition:
    """The tags that a resource has when a handler of the type acts on it.

    CloudFormation makes some resources first and tags them with a second call, among them security groups and
    certificates (aws-cdk issue 13204; cloudformation-coverage-roadmap issues 714 and 2308). So what makes a
    resource may meet it without tags, and is only kept off what carries another environment's. What changes
    or removes one, or acts on that of which it is a part, meets them all; and the name of the stack, where
    CloudFormation puts it. Nobody else can: tagging a resource does not make it the environment's.
    """
    whole = scopes.PART_OF.get(kind.name)
    if action in _making(kind.name) and not whole:
        return _tagged("StringEqualsIfExists", "aws:ResourceTag", reach)
    own = _tagged("StringEquals", "aws:ResourceTag", reach)
    tags = resource_type(whole).tags if whole else kind.tags
    if tags and tags.system:
        return (*own, ("StringLike", "aws:ResourceTag/aws:cloudformation:stack-name", f"{reach.prefix}-*"))
    return own


def _tagged(operator: str, key: str, reach: StackReach) -> Condition:
    return (
        (operator, f"{key}/mlopsgen:environment", reach.environment),
        (operator, f"{key}/mlopsgen:pipeline", reach.pipeline),
    )


def _parameters(by_type: Mapping[str, Sequence[Properties]], reach: StackReach) -> Iterator[Grant]:
    """CloudFormation reads a template's parameters from SSM with the role's rights, whatever it makes."""
    own = Sub(f"arn:${{AWS::Partition}}:ssm:${{AWS::Region}}:${{AWS::AccountId}}:parameter/{reach.prefix}/*")
    yield Grant(("ssm:GetParameter", "ssm:GetParameters"), (own,), "passes values between stacks")
    if by_type.keys() & {"AWS::EC2::Instance", "AWS::EC2::LaunchTemplate"}:
        yield public_parameters()


def _denials(reach: StackReach) -> Iterator[Grant]:
    path = f"{reach.prefix}/{reach.administered}/*"
    yield Grant(
        (
            "iam:Add*",
            "iam:Attach*",
            "iam:Create*",
            "iam:Delete*",
            "iam:Detach*",
            "iam:PassRole",
            "iam:Put*",
            "iam:Set*",
            "iam:Update*",
        ),
        tuple(
            Sub(f"arn:${{AWS::Partition}}:iam::${{AWS::AccountId}}:{each}/{path}")
            for each in ("policy", "role")
        ),
        "change its own rights",
        effect="Deny",
    )
    yield Grant(("iam:DeleteRolePermissionsBoundary",), ("*",), "unbind a role", effect="Deny")


def _apart(grants: Iterable[Grant], reach: StackReach) -> Iterator[Grant]:
    """Nothing of another pipeline, in the services where only the beginning of a name is known."""
    services = {
        str(each.data["Fn::Sub"]).split(":")[4]
        for grant in grants
        for each in grant.resources
        if isinstance(each, Sub) and f"{reach.prefix}-*" in each.data["Fn::Sub"]
    }
    if services:
        yield keep_apart(sorted(services), reach.pipeline)


def _buckets(by_type: Mapping[str, Sequence[Properties]]) -> tuple[str, ...]:
    """The names of the plan's buckets, as `Fn::Sub` takes them."""
    return tuple(sorted({_text(each["BucketName"]) for each in by_type.get("AWS::S3::Bucket", ())}))


def _zones(by_type: Mapping[str, Sequence[Properties]]) -> tuple[str, ...]:
    """The ids of the hosted zones that records and certificates name; `*` if one names none in text."""
    records = by_type.get("AWS::Route53::RecordSet", ())
    certificates = by_type.get("AWS::CertificateManager::Certificate", ())
    zones = [each.get("HostedZoneId") for each in records]
    zones += [zone for each in certificates for key, zone in _walk(each) if key == "HostedZoneId"]
    named = {each for each in zones if isinstance(each, str)}
    return tuple(sorted(named)) if zones and all(isinstance(each, str) for each in zones) else ("*",)


def _text(value: Body) -> str:
    match value:
        case str():
            return value
        case {"Fn::Sub": str(text)}:
            return text
        case _:
            raise LookupError(f"no ARN can be told from {value!r}")


def _fits(action: str, pattern: str) -> bool:
    """Whether the pattern, in which `*` stands for anything, names the action.

    `fnmatch` does the same and compiles each pattern first: 200 of them cost more than all the rest.
    """
    start, *rest = pattern.split("*")
    if not rest:
        return action == pattern
    *middle, end = rest
    place = len(start)
    for part in middle:
        place = action.find(part, place) + len(part)
        if place < len(part):
            return False
    return action.startswith(start) and action.endswith(end) and len(action) - len(end) >= place


def _have(resources: Iterable[Properties], names: Sequence[str]) -> bool:
    """Whether any of the resources has any of the properties, however deep."""
    return bool(names) and any(key in names for each in resources for key, _ in _walk(each))


def _walk(value: Body) -> Iterator[tuple[str, Body]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield key, each
            yield from _walk(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _walk(each)
