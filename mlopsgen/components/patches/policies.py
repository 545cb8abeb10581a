"""Policy documents held against IAM's grammar and AWS's service authorization reference.

Of an ARN that is put together at deployment, what is not known yet may be any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.aws.iam_actions import Action, ServiceActions, service, services
from mlopsgen.aws.resource_schemas import identified_by_arn, schema
from mlopsgen.components.patches.references import Known, is_function, shown_path
from mlopsgen.components.patches.schema import Path, PropertyFault
from mlopsgen.diagnostics.closest import closest
from mlopsgen.document import Read

Kind: TypeAlias = Literal["identity", "trust", "resource", "endpoint"]

_PLACES: dict[str, dict[str, Kind]] = {
    "AWS::EC2::VPCEndpoint": {"PolicyDocument": "endpoint"},
    "AWS::ECR::Repository": {"RepositoryPolicyText": "resource"},
    "AWS::EFS::FileSystem": {"FileSystemPolicy": "resource"},
    "AWS::IAM::ManagedPolicy": {"PolicyDocument": "identity"},
    "AWS::IAM::Role": {"AssumeRolePolicyDocument": "trust"},
    "AWS::KMS::Key": {"KeyPolicy": "resource"},
    "AWS::S3::BucketPolicy": {"PolicyDocument": "resource"},
    "AWS::SNS::TopicPolicy": {"PolicyDocument": "resource"},
    "AWS::SQS::QueuePolicy": {"PolicyDocument": "resource"},
}


class PolicyDocument(NamedTuple):
    """A policy document in a resource."""

    path: Path
    kind: Kind
    body: Read


def documents(kind: str, properties: Mapping[str, Read]) -> Iterator[PolicyDocument]:
    """The policy documents of a resource of type `kind`, each with its path."""
    for name, what in _PLACES.get(kind, {}).items():
        if name in properties:
            yield PolicyDocument((name,), what, properties[name])
    policies = properties.get("Policies") if kind == "AWS::IAM::Role" else None
    for index, each in enumerate(policies if isinstance(policies, list) else ()):
        if isinstance(each, dict) and "PolicyDocument" in each:
            yield PolicyDocument(("Policies", index, "PolicyDocument"), "identity", each["PolicyDocument"])


def faults(document: PolicyDocument, known: Known) -> Iterator[PropertyFault]:
    """What is wrong with a policy document."""
    body, path = document.body, document.path
    if not isinstance(body, dict):
        # JSON in a string is taken too, and not looked into.
        if not isinstance(body, str):
            yield PropertyFault(
                path, f"`{shown_path(path)}` takes a policy", "`{Version: …, Statement: […]}`"
            )
        return
    if is_function(body):
        return
    for name in sorted(body.keys() - {"Version", "Id", "Statement"}):
        yield PropertyFault(
            (*path, name), f"a policy has no `{name}`", "there are `Version`, `Id`, `Statement`", True
        )
    if body.get("Version") != _VERSION:
        said = f"`{body['Version']}`" if "Version" in body else "none"
        message = f"the policy's `Version` is {said}, with which `${{…}}` and newer words mean nothing"
        yield PropertyFault((*path, "Version"), message, f'`Version: "{_VERSION}"`')
    found = body.get("Statement")
    if not found or not isinstance(found, list | dict):
        yield PropertyFault(path, "the policy has no `Statement`", "`Statement: [{Effect: Allow, …}]`")
        return
    listed = found if isinstance(found, list) else [found]
    for index, each in enumerate(listed):
        at = (*path, "Statement", index) if isinstance(found, list) else (*path, "Statement")
        if isinstance(each, dict):
            yield from _statement(_Statement(at, document.kind, each, known))
        else:
            yield PropertyFault(at, "a statement is a map", "`{Effect: Allow, Action: …, Resource: …}`")
    sids = [each.get("Sid") for each in listed if isinstance(each, dict) and "Sid" in each]
    for sid in sorted({str(each) for each in sids if sids.count(each) > 1}):
        yield PropertyFault((*path, "Statement"), f"two statements have the Sid `{sid}`", "give each its own")


_VERSION = "2012-10-17"
_WORDS = ("Action", "Condition", "Effect", "NotAction", "NotPrincipal", "NotResource", "Principal",
          "Resource", "Sid")  # fmt: skip


class _Statement(NamedTuple):
    path: Path
    kind: Kind
    body: dict[str, Read]
    known: Known

    @property
    def allows(self) -> bool:
        return bool(self.body.get("Effect") == "Allow")

    @property
    def actions(self) -> tuple[tuple[Path, str], ...]:
        """The actions with their paths."""
        return tuple((path, each) for path, each in self.each("Action") if isinstance(each, str))

    def each(self, name: str) -> Iterator[tuple[Path, Read]]:
        """What stands under `name`, one or a list, with its path."""
        value = self.body.get(name, ())
        if isinstance(value, list | tuple):
            yield from (((*self.path, name, index), each) for index, each in enumerate(value))
        else:
            yield (*self.path, name), value


def _statement(each: _Statement) -> Iterator[PropertyFault]:
    shape = tuple(_shape(each))
    yield from shape
    if not shape:
        yield from _actions(each)
        yield from _conditions(each)
        yield from _principals(each)
        if each.kind == "identity":
            yield from _resources(each)


def _shape(each: _Statement) -> Iterator[PropertyFault]:
    """The grammar of a statement (IAM user guide, "Grammar of the IAM JSON policy language")."""
    path, body = each.path, each.body
    for name in sorted(body.keys() - set(_WORDS)):
        close = closest(name, _WORDS)
        help_ = f"did you mean `{close}`?" if close else f"there are: {', '.join(_WORDS)}"
        yield PropertyFault((*path, name), f"a statement has no `{name}`", help_, key=True)
    if body.get("Effect") not in ("Allow", "Deny"):
        said = f"takes no `{body['Effect']}`" if "Effect" in body else "is missing in the statement"
        yield PropertyFault((*path, "Effect"), f"`Effect` {said}", "one of `Allow`, `Deny`")
    for name in ("Action", "Resource"):
        given = [word for word in (name, f"Not{name}") if body.get(word)]
        if len(given) > 1:
            yield PropertyFault(
                (*path, given[1]), f"`{given[0]}` and `{given[1]}` cannot stand together", key=True
            )
        elif not given and (name == "Action" or each.kind == "identity"):
            yield PropertyFault(path, f"the statement has no `{name}`", f"say on what it holds: `{name}: …`")
    if each.kind == "trust" and (body.get("Resource") or body.get("NotResource")):
        message = "who may assume a role is said without `Resource`: it holds for the role"
        yield PropertyFault((*path, "Resource"), message, "take it out", key=True)
    principal = "Principal" in body or "NotPrincipal" in body
    if each.kind == "identity" and principal:
        message = "a role's own policy names no `Principal`: it holds for the role"
        yield PropertyFault((*path, "Principal"), message, "take it out", key=True)
    if each.kind != "identity" and not principal:
        yield PropertyFault(path, "the statement does not say for whom it holds", "`Principal: {Service: …}`")
    sid = body.get("Sid")
    if each.kind == "identity" and isinstance(sid, str) and not re.fullmatch(r"[A-Za-z0-9]*", sid):
        yield PropertyFault((*path, "Sid"), f"`Sid` takes no `{sid}`", "letters and digits")


def _actions(each: _Statement) -> Iterator[PropertyFault]:
    if each.allows and each.body.get("NotAction"):
        message = "`Allow` with `NotAction` gives every action there is but these"
        yield PropertyFault((*each.path, "NotAction"), message, "name the actions in `Action`", key=True)
    for path, action in (*each.actions, *_texts(each.each("NotAction"))):
        if action == "*":
            if each.allows and each.kind not in ("resource", "endpoint"):
                yield PropertyFault(path, "`*` allows every action of every service", "name the actions")
            continue
        name, colon, verb = action.partition(":")
        if not colon or not verb:
            yield PropertyFault(path, f"`{action}` is no action", "`SERVICE:ACTION`, such as `s3:GetObject`")
        elif name.lower() not in services():
            close = closest(name.lower(), services())
            help_ = f"did you mean `{close}:{verb}`?" if close else "`SERVICE:ACTION`, such as `s3:GetObject`"
            yield PropertyFault(path, f"IAM knows no service `{name}`", help_)
        elif (held := service(name.lower())) and not _meant(held, verb):
            known = {stated.name: lower for lower, stated in held.actions.items()}
            close = closest(f"{held.name}:{verb}", known)
            yield PropertyFault(
                path, f"IAM knows no action `{action}`", f"did you mean `{close}`?" if close else None
            )


def _texts(found: Iterable[tuple[Path, Read]]) -> tuple[tuple[Path, str], ...]:
    return tuple((path, each) for path, each in found if isinstance(each, str))


def _meant(held: ServiceActions, verb: str) -> tuple[Action, ...]:
    """The actions that a name, perhaps with `*` and `?`, stands for."""
    if "*" in verb or "?" in verb:
        pattern = verb.lower().replace("[", "[[]")
        return tuple(each for lower, each in held.actions.items() if fnmatchcase(lower, pattern))
    return (held.actions[verb.lower()],) if verb.lower() in held.actions else ()


def meant(action: str) -> tuple[str, ...]:
    """The actions that a word of a policy stands for, as far as they are known; else the word itself."""
    name, _, verb = action.partition(":")
    held = service(name.lower()) if name.lower() in services() else None
    return tuple(each.name.lower() for each in _meant(held, verb)) if held else (action.lower(),)


def _single(each: _Statement) -> Iterator[tuple[Path, Action]]:
    """The actions without wildcards, as far as they are known."""
    for path, action in each.actions:
        name, _, verb = action.partition(":")
        held = service(name.lower()) if name.lower() in services() else None
        if held and verb.lower() in held.actions:
            yield path, held.actions[verb.lower()]


def _resources(each: _Statement) -> Iterator[PropertyFault]:
    """Each action gets a resource that it can act on, and `*` is left to those that take none."""
    given = tuple(each.each("Resource"))
    if not given:
        return
    for path, value in given:
        yield from _arn(path, value, each.known)
    arns = [text(value) for _, value in given]
    everything = "*" in arns
    for path, action in _single(each):
        if not action.resources:
            if not everything and None not in arns and "*" not in str(arns):
                message = f"`{action.name}` acts on no single resource: with these ARNs it allows nothing"
                yield PropertyFault(path, message, '`Resource: "*"`, in a statement of its own')
        elif everything:
            if action.narrow and action.name not in _WHOLE and each.allows and not each.body.get("Condition"):
                message = f'`Resource: "*"` gives `{action.name}` on everything that the account may reach'
                yield PropertyFault(path, message, f"name what it is for: `{_like(action.resources)}`")
        elif None not in arns and not any(fits(arn, action) for arn in arns if arn):
            message = f"`{action.name}` acts on none of these resources, so that it allows nothing"
            yield PropertyFault(path, message, f"it takes `{_like(action.resources)}`")
    if everything and each.allows and not each.body.get("Condition"):
        for path, action_word in each.actions:
            if action_word.endswith(":*"):
                message = f'`{action_word}` on `"*"` gives the whole service'
                yield PropertyFault(path, message, "name the actions, and what they are for")


_WHOLE = frozenset(("cloudwatch:DescribeAlarms", "logs:GetQueryResults"))
"""Composite alarms are told of with `*` alone (CloudWatch API reference, DescribeAlarms). Who asks for
results names a query and no log group (CloudWatch Logs API reference, GetQueryResults), though the service
authorization reference has log groups for it: where the two differ, nothing is said.
"""


def _like(arns: Iterable[str]) -> str:
    """ARNs as one would write them."""
    shown = (
        arn.replace("${Partition}", "aws").replace("${Region}", "REGION").replace("${Account}", "ACCOUNT")
        for arn in sorted(arns, key=len)
    )
    return "` or `".join(arn.replace(".*", "NAME") for arn in shown)


def _arn(path: Path, value: Read, known: Known) -> Iterator[PropertyFault]:
    """A resource is an ARN or `*`."""
    match value:
        case str() if value != "*" and not value.startswith("arn:") and not value.startswith("*"):
            yield PropertyFault(path, f"`{value}` is no ARN", "such as `arn:aws:s3:::BUCKET/*`")
        case {"Ref": str(target)} if target in known.resources:
            kind = known.resources[target]
            if schema(kind) is not None and not identified_by_arn(kind):
                message = f"`Ref` of `{target}` gives no ARN"
                yield PropertyFault(path, message, f"`{{Fn::GetAtt: [{target}, Arn]}}` gives one")


def text(value: Read) -> str | None:
    """The ARN, with `*` for what is put in at deployment; None if nothing is known of it."""
    match value:
        case str():
            return re.sub(r"\$\{[^}]*\}", "*", value)
        case {"Fn::Sub": str(given)} | {"Fn::Sub": [str(given), *_]}:
            return re.sub(r"\$\{[^}]*\}", "*", given)
        case {"Fn::Join": [str(between), list(parts)]}:
            return between.join(text(each) or "*" for each in parts)
        case _:
            return None


def fits(arn: str, action: Action) -> bool:
    """Whether an action acts on some resource that an ARN of a policy may stand for."""
    for each in action.resources:
        pattern = re.sub(r"\$\{[^}]*\}|\.\*", "*", each)
        # The name of a bucket has no slash; what has one is an object.
        if pattern == "arn:*:s3:::*" and "/" in arn.split(":", 5)[-1]:
            continue
        if overlap(pattern, arn):
            return True
    return False


def overlap(one: str, other: str) -> bool:
    """Whether some ARN is meant by both patterns, of which `*` is any text and `?` any character.

    No `*` reaches over a colon before the resource (IAM user guide, "IAM JSON policy elements: Resource").
    """
    if "*" in (one, other):
        return True
    pairs = tuple(zip(one.split(":", 5), other.split(":", 5), strict=False))
    return len(pairs) == 6 and all(_meet(*pair) for pair in pairs)


def _meet(one: str, other: str) -> bool:
    """Whether some text is meant by both patterns."""
    waiting, seen = [(0, 0)], {(0, 0)}
    while waiting:
        i, j = waiting.pop()
        first, second = one[i : i + 1], other[j : j + 1]
        if not first and not second:
            return True
        steps = []
        if first == "*":
            steps += [(i + 1, j)] + ([(i, j + 1)] if second else [])
        if second == "*":
            steps += [(i, j + 1)] + ([(i + 1, j)] if first else [])
        if first and second and (first == second or "?" in (first, second)):
            steps.append((i + 1, j + 1))
        waiting += set(steps) - seen
        seen.update(steps)
    return False


_OPERATOR = re.compile(
    r"(For(Any|All)Values?:)?(String(Not)?(Equals(IgnoreCase)?|Like)|Numeric(Not)?Equals"
    r"|Numeric(Less|Greater)Than(Equals)?|Date(Not)?Equals|Date(Less|Greater)Than(Equals)?|Bool|BinaryEquals"
    r"|(Not)?IpAddress|Arn(Not)?(Equals|Like))(IfExists)?|Null"
)
"""IAM user guide, "IAM JSON policy elements: Condition operators", with `IfExists` and the set operators.
https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

_GLOBAL = frozenset((
    "aws:assumedroot", "aws:calledvia", "aws:calledviaawsmcp", "aws:calledviafirst", "aws:calledvialast",
    "aws:chatbotsourcearn",
    "aws:currenttime", "aws:ec2instancesourceprivateipv4", "aws:ec2instancesourcevpc", "aws:epochtime",
    "aws:federatedprovider", "aws:ismcpserviceaction", "aws:multifactorauthage",
    "aws:multifactorauthpresent", "aws:principalaccount", "aws:principalarn", "aws:principalisawsservice",
    "aws:principalorgid", "aws:principalorgpaths", "aws:principalservicename",
    "aws:principalservicenameslist", "aws:principaltype", "aws:referer", "aws:requestedregion",
    "aws:resourceaccount", "aws:resourceorgid", "aws:resourceorgpaths", "aws:securetransport",
    "aws:signinsessionarn", "aws:sourceaccount", "aws:sourcearn", "aws:sourceidentity", "aws:sourceip",
    "aws:sourceorgid", "aws:sourceorgpaths", "aws:sourcevpc", "aws:sourcevpcarn", "aws:sourcevpce",
    "aws:tagkeys", "aws:tokenissuetime", "aws:useragent", "aws:userid", "aws:username",
    "aws:viaawsmcpservice", "aws:viaawsservice",
    "aws:vpceaccount", "aws:vpceorgid", "aws:vpceorgpaths", "aws:vpcsourceip",
))  # fmt: skip
"""IAM user guide, "AWS global condition context keys", the table at its beginning; those of tags end with the
tag's name. https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html
"""
_TAGS = ("aws:principaltag/", "aws:requesttag/", "aws:resourcetag/")
_OF_CREDENTIALS = frozenset((
    "codebuild:buildarn", "codebuild:projectarn", "ec2:roledelivery", "ec2:sourceinstancearn",
    "glue:credentialissuingservice", "glue:roleassumedby", "identitystore:userid", "lambda:sourcefunctionarn",
    "ssm:sourceinstancearn",
))  # fmt: skip
"""Keys of a service that every request of its credentials carries, to whatever service (the same table)."""


def _conditions(each: _Statement) -> Iterator[PropertyFault]:
    condition = each.body.get("Condition", {})
    path = (*each.path, "Condition")
    if not isinstance(condition, dict):
        yield PropertyFault(path, "`Condition` takes a map", "`{StringEquals: {KEY: VALUE}}`")
        return
    for operator, keys in condition.items():
        if not _OPERATOR.fullmatch(operator):
            yield PropertyFault(
                (*path, operator), f"IAM knows no operator `{operator}`", _operator(operator), key=True
            )
        elif not isinstance(keys, dict):
            yield PropertyFault((*path, operator), f"`{operator}` takes a map", "`{KEY: VALUE}`")
        else:
            for key in keys:
                for message, help_ in _key(key, operator, each):
                    yield PropertyFault((*path, operator, key), message, help_, key=True)


def _operator(word: str) -> str | None:
    common = ("ArnEquals", "ArnLike", "Bool", "DateGreaterThan", "DateLessThan", "IpAddress", "Null",
              "NumericEquals", "NumericLessThan", "StringEquals", "StringLike")  # fmt: skip
    close = closest(word, common)
    return f"did you mean `{close}`?" if close else f"such as {', '.join(common)}"


def _key(key: str, operator: str, each: _Statement) -> Iterator[tuple[str, str | None]]:
    lower = key.lower()
    name = lower.partition(":")[0]
    if name == "aws":
        known = lower in _GLOBAL or lower.startswith(_TAGS)
        # A key that resembles none may be newer than this list.
        if not known and (close := closest(lower, (*_GLOBAL, *_TAGS))):
            yield f"IAM knows no condition key `{key}`", f"did you mean `{close}`?"
        return
    held = service(name) if name in services() else None
    if held is None or lower in _OF_CREDENTIALS:
        return
    if not _among(lower, held.keys):
        close = closest(key, held.keys)
        yield f"IAM knows no condition key `{key}`", f"did you mean `{close}`?" if close else None
        return
    if operator == "Null" or operator.endswith("IfExists") or each.kind != "identity":
        return
    for _, action in _single(each):
        if action.keys is not None and not _among(lower, action.keys):
            effect = "it is never allowed" if each.allows else "it is never denied"
            yield (
                f"no request of `{action.name}` carries `{key}`, so that {effect}",
                "give it a statement of its own",
            )


def _among(lower: str, keys: Iterable[str]) -> bool:
    """Whether a key is one of them, of which some end with a name of one's own: `s3:BucketTag/${TagKey}`."""
    return any(
        lower == known or ("${" in known and lower.startswith(known.partition("${")[0]))
        for known in (each.lower() for each in keys)
    )


def _principals(each: _Statement) -> Iterator[PropertyFault]:
    """Whom a policy of a resource, or of who may assume a role, lets in."""
    if each.kind == "identity":
        return
    principal = each.body.get("Principal")
    path = (*each.path, "Principal")
    if isinstance(principal, dict) and not is_function(principal):
        for name in sorted(principal.keys() - {"AWS", "CanonicalUser", "Federated", "Service"}):
            yield PropertyFault(
                (*path, name), f"`Principal` has no `{name}`", "one of `AWS`, `Federated`, `Service`"
            )
        for word in _many(principal.get("Service", ())):
            if isinstance(word, str) and not re.fullmatch(r"[a-z0-9.-]+\.amazonaws\.com(\.cn)?", word):
                yield PropertyFault(
                    (*path, "Service"), f"`{word}` is no service", "such as `ecs-tasks.amazonaws.com`"
                )
    elif principal not in ("*", None):
        yield PropertyFault(path, "`Principal` takes a map", "such as `{Service: ecs-tasks.amazonaws.com}`")
    anybody = principal == "*" or (isinstance(principal, dict) and "*" in _many(principal.get("AWS", ())))
    # An endpoint's policy lets nobody in: it holds back what passes (VPC user guide, "Endpoint policies").
    open_ = each.allows and not each.body.get("Condition") and each.kind != "endpoint"
    if open_ and (anybody or "NotPrincipal" in each.body):
        yield PropertyFault(
            path, "this lets anybody in, of any account", "name who it is for, or a `Condition`"
        )


def _many(value: Read) -> list[Read]:
    return list(value) if isinstance(value, list | tuple) else [value]
