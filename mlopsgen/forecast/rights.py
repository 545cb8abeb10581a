"""Whose rights widen or narrow: what each principal can do in effect, before and after.

Effective rights follow IAM's own logic: an Allow, no Deny, and a boundary that allows it too (IAM user guide,
"Policy evaluation logic"). Patterns are compared by what they match, conditions by what they let through, so
that `s3:Get*` in place of `s3:GetObject` widens and a statement that is only written otherwise does not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.motion.live import Account, Live
from mlopsgen.motion.stacks import Json

Condition: TypeAlias = tuple[tuple[str, str, tuple[str, ...]], ...]
"""Operator, key and values, sorted; all have to hold."""

POLICIES_OF = {
    "AWS::S3::BucketPolicy": "PolicyDocument",
    "AWS::SNS::TopicPolicy": "PolicyDocument",
    "AWS::SQS::QueuePolicy": "PolicyDocument",
    "AWS::KMS::Key": "KeyPolicy",
    "AWS::ECR::Repository": "RepositoryPolicyText",
    "AWS::EFS::FileSystem": "FileSystemPolicy",
    "AWS::EC2::VPCEndpoint": "PolicyDocument",
    "AWS::SecretsManager::ResourcePolicy": "ResourcePolicy",
}
"""The resources that say themselves who may do what with them, and where."""

_OWN = frozenset({
    "aws:resourcetag/mlopsgen:environment", "aws:resourcetag/mlopsgen:pipeline",
    "aws:requesttag/mlopsgen:environment", "aws:requesttag/mlopsgen:pipeline",
    "aws:resourcetag/aws:cloudformation:stack-name",
})  # fmt: skip
"""Keys by which a role is held to what is its pipeline's own."""

_PRINCIPALS = ("AWS::IAM::Role", "AWS::IAM::User", "AWS::IAM::Group")


class Grant(NamedTuple):
    """One action on one resource. Patterns may have wildcards."""

    action: str
    resource: str
    condition: Condition = ()
    principal: str = ""
    """In a resource's own policy, and where a role says who may act as it; empty for the role itself."""


class Right(NamedTuple):
    """What somebody may do now and could not before, or the other way round."""

    stack: str
    logical_id: str
    """The role, or the resource whose policy it is."""
    type: str
    direction: Literal["wider", "narrower"]
    verb: Literal["may", "is denied", "is acted as by", "exists"]
    actions: tuple[str, ...]
    resource: str
    condition: str
    principal: str

    @property
    def sentence(self) -> str:
        """Such as `may s3:GetObject on imdb-prod-data/models/*`, in the words of what changes."""
        actions = ", ".join(self.actions[:4]) + (
            f" and {len(self.actions) - 4} more" if self.actions[4:] else ""
        )
        if self.verb == "exists":
            return f"is new, and may do {self.resource}" if self.direction == "wider" else "is gone"
        what = {
            "may": f"{actions} on {self.resource}",
            "is denied": f"{actions} on {self.resource}",
            "is acted as by": self.principal,
        }[self.verb]
        if self.principal and self.verb != "is acted as by":
            what += f" by {self.principal}"
        if self.condition:
            what += f", where {self.condition}"
        if self.verb == "is denied":
            now = "is no longer denied" if self.direction == "wider" else "is denied from now on"
        elif self.verb == "is acted as by":
            now = "can be acted as by" if self.direction == "wider" else "can no longer be acted as by"
        else:
            now = "may from now on" if self.direction == "wider" else "may no longer"
        return f"{now}: {what}"


class _Rights(NamedTuple):
    may: frozenset[Grant]
    denied: frozenset[Grant]
    trusts: frozenset[Grant]


def changed_rights(before: Account, after: Account) -> tuple[Right, ...]:
    """What changes between two accounts, by principal in the order of deployment; what widens first."""
    old, new = _holders(before), _holders(after)
    found: list[Right] = []
    for key, live in new.items():
        if key not in old:
            if live.type in _PRINCIPALS:
                count = len({each.action for each in _rights(live, after).may})
                words = f"{count} action{'s' * (count != 1)}"
                found.append(_right(live, "wider", "exists", (), words, "", ""))
        elif _text(live, after) != _text(old[key], before):
            found += _changes(old[key], live, _rights(old[key], before), _rights(live, after))
    for key, live in old.items():
        if key not in new and live.type in _PRINCIPALS:
            found.append(_right(live, "narrower", "exists", (), "", "", ""))
    return tuple(sorted(found, key=lambda each: each.direction != "wider"))


def _holders(account: Account) -> dict[tuple[str, str], Live]:
    wanted = {*_PRINCIPALS, *POLICIES_OF}
    return {
        (each.short, each.logical_id): each
        for each in account.resources()
        if each.type in wanted and each.stack
    }


def _text(live: Live, account: Account) -> str:
    """Everything that decides about its rights, as one text."""
    documents = [live.text, *(each.text for each in _attached(live, account))]
    boundary = _boundary(live, account)
    return _plain("\n".join([*documents, boundary.text if boundary else ""]))


def _rights(live: Live, account: Account) -> _Rights:
    if live.type in POLICIES_OF:
        statements = list(_statements(live.at(POLICIES_OF[live.type])))
        return _Rights(_grants(statements, "Allow"), _grants(statements, "Deny"), frozenset())
    documents = [each.get("PolicyDocument") for each in live.maps("Policies")]
    documents += [each.at("PolicyDocument") for each in _attached(live, account)]
    statements = [each for document in documents for each in _statements(document)]
    may, denied = _grants(statements, "Allow"), _grants(statements, "Deny")
    boundary = _boundary(live, account)
    if boundary is not None:
        limits = list(_statements(boundary.at("PolicyDocument")))
        may = frozenset(_within(may, _grants(limits, "Allow")))
        denied |= frozenset(each for each in _grants(limits, "Deny") if any(_touch(each, one) for one in may))
    may = frozenset(each for each in may if not any(not no.condition and covers(no, each) for no in denied))
    trust = _grants(list(_statements(live.at("AssumeRolePolicyDocument"))), "Allow")
    return _Rights(may, denied, frozenset(each._replace(action="", resource="") for each in trust))


def _attached(live: Live, account: Account) -> list[Live]:
    """The policies of the same account that it is given beside its own."""
    names = [str(each) for each in live.items("ManagedPolicyArns")]
    found = []
    for each in account.resources():
        if each.type in ("AWS::IAM::Policy", "AWS::IAM::RolePolicy", "AWS::IAM::ManagedPolicy"):
            theirs = any(
                live.ref() == name or live.named == name
                for key in ("Roles", "Users", "Groups")
                for name in each.items(key)
            )
            if theirs or live.ref() == each.at("RoleName") or any(_names(name, each) for name in names):
                found.append(each)
    return found


def _boundary(live: Live, account: Account) -> Live | None:
    name = live.word("PermissionsBoundary")
    if not name:
        return None
    policies = (each for each in account.resources() if each.type == "AWS::IAM::ManagedPolicy")
    return next((each for each in policies if _names(name, each)), None)


def _names(arn: str, policy: Live) -> bool:
    """Whether an ARN is the one of a policy."""
    called = policy.word("ManagedPolicyName")
    return policy.id in arn or bool(called and arn.endswith(f":policy{policy.word('Path') or '/'}{called}"))


def _statements(document: Json) -> Iterator[Mapping[str, Json]]:
    found = document.get("Statement") if isinstance(document, dict) else None
    for each in found if isinstance(found, list) else [found]:
        if isinstance(each, dict):
            yield each


def _grants(statements: Iterable[Mapping[str, Json]], effect: str) -> frozenset[Grant]:
    found = set()
    for each in statements:
        if each.get("Effect") != effect:
            continue
        actions = [
            *_words(each.get("Action")),
            *(f"all but {_joined(each, 'NotAction')}",) * ("NotAction" in each),
        ]
        resources = [
            *_words(each.get("Resource")),
            *(f"all but {_joined(each, 'NotResource')}",) * ("NotResource" in each),
        ]
        condition = _condition(each.get("Condition"))
        for principal in _who(each):
            for action in actions:
                for resource in resources or [""]:
                    found.add(Grant(action, _plain(resource), condition, principal))
    return frozenset(found)


def _who(statement: Mapping[str, Json]) -> list[str]:
    if "NotPrincipal" in statement:
        return [f"all but {_plain(json.dumps(statement['NotPrincipal'], sort_keys=True))}"]
    found = statement.get("Principal")
    if found is None:
        return [""]
    if isinstance(found, dict):
        return [_plain(word) for own in found.values() for word in _words(own)]
    return ["everybody" if found == "*" else _plain(str(found))]


def _words(value: Json) -> list[str]:
    if value is None:
        return []
    return [
        each if isinstance(each, str) else json.dumps(each, sort_keys=True)
        for each in (value if isinstance(value, list) else [value])
    ]


def _joined(statement: Mapping[str, Json], key: str) -> str:
    return ", ".join(_words(statement.get(key)))


def _condition(value: Json) -> Condition:
    if not isinstance(value, dict):
        return ()
    return tuple(
        sorted(
            (operator, key.lower(), tuple(sorted(_plain(word) for word in _words(words))))
            for operator, own in value.items()
            if isinstance(own, dict)
            for key, words in own.items()
        )
    )


def _plain(text: str) -> str:
    """The same text, whichever resource it is that has a name now."""
    return re.sub(r"(\$\{[^{}]*)#\d+\}", r"\1}", text)


# What covers what.


def covers(one: Grant, other: Grant) -> bool:
    """Whether everything that the other lets through, the one does too."""
    return (
        (one.principal == other.principal or one.principal in ("*", "everybody"))
        and matches(one.action.lower(), other.action.lower())
        and matches(one.resource, other.resource)
        and _lets(one.condition, other.condition)
    )


@cache
def matches(pattern: str, text: str) -> bool:
    """Whether a pattern with `*` and `?` matches all that another does."""
    if pattern in ("*", text):
        return True
    if "*" not in pattern and "?" not in pattern:
        return False
    parts = re.split(r"([*?])", pattern)
    made = "".join(".*" if part == "*" else "." if part == "?" else re.escape(part) for part in parts)
    return re.fullmatch(made, text, re.S) is not None


def _lets(one: Condition, other: Condition) -> bool:
    """Whether a condition lets through whatever another does: each part of it is there too, as narrow."""
    theirs = {(operator, key): values for operator, key, values in other}
    for operator, key, values in one:
        found = theirs.get((operator, key))
        if found is None:
            return False
        if "Not" in operator:
            if not set(values) <= set(found):
                return False
        elif not all(any(matches(value, each) for value in values) for each in found):
            return False
    return True


def _touch(one: Grant, other: Grant) -> bool:
    action = _narrower_action(one.action, other.action)
    return action is not None and _narrower(one.resource, other.resource) is not None


def _narrower(one: str, other: str) -> str | None:
    """What both patterns match, where one of them covers the other."""
    return other if matches(one, other) else one if matches(other, one) else None


def _narrower_action(one: str, other: str) -> str | None:
    """The same of actions, in which letters of either case are one."""
    return (
        other if matches(one.lower(), other.lower()) else one if matches(other.lower(), one.lower()) else None
    )


def _within(may: frozenset[Grant], limits: frozenset[Grant]) -> Iterator[Grant]:
    """What is left of grants within a boundary."""
    for grant in may:
        if any(covers(limit._replace(principal=grant.principal), grant) for limit in limits):
            yield grant
            continue
        for limit in limits:
            action = _narrower_action(limit.action, grant.action)
            resource = _narrower(limit.resource, grant.resource)
            if action is not None and resource is not None:
                both = tuple(sorted({*grant.condition, *limit.condition}))
                yield Grant(action, resource, both, grant.principal)


# What is to be told.


def _changes(before: Live, after: Live, old: _Rights, new: _Rights) -> Iterator[Right]:
    yield from _told(after, "wider", "may", _beyond(new.may, old.may))
    yield from _told(before, "narrower", "may", _beyond(old.may, new.may))
    yield from _told(before, "wider", "is denied", _beyond(old.denied, new.denied))
    yield from _told(after, "narrower", "is denied", _beyond(new.denied, old.denied))
    yield from _told(after, "wider", "is acted as by", _beyond(new.trusts, old.trusts))
    yield from _told(before, "narrower", "is acted as by", _beyond(old.trusts, new.trusts))


def _beyond(these: frozenset[Grant], those: frozenset[Grant]) -> list[Grant]:
    """Of some grants, what others do not cover."""
    return sorted(each for each in these - those if not any(covers(other, each) for other in those))


def _told(
    live: Live,
    direction: Literal["wider", "narrower"],
    verb: Literal["may", "is denied", "is acted as by"],
    grants: Iterable[Grant],
) -> Iterator[Right]:
    together: dict[tuple[str, Condition, str], list[str]] = {}
    for each in grants:
        together.setdefault((each.resource, each.condition, each.principal), []).append(each.action)
    # The same actions on several resources are one sentence.
    alike: dict[tuple[tuple[str, ...], Condition, str], list[str]] = {}
    for (resource, condition, principal), actions in together.items():
        alike.setdefault((tuple(sorted(set(actions))), condition, principal), []).append(readable(resource))
    for (names, condition, principal), resources in alike.items():
        where = ", ".join(resources[:3]) + (f" and {len(resources) - 3} more" if resources[3:] else "")
        yield _right(live, direction, verb, names, where, _told_condition(condition), readable(principal))


def _right(
    live: Live,
    direction: Literal["wider", "narrower"],
    verb: Literal["may", "is denied", "is acted as by", "exists"],
    actions: tuple[str, ...],
    resource: str,
    condition: str,
    principal: str,
) -> Right:
    return Right(
        live.short, live.logical_id, live.type, direction, verb, actions, resource, condition, principal
    )


def _told_condition(condition: Condition) -> str:
    found = ["it is tagged as the pipeline's own"] if any(key in _OWN for _, key, _ in condition) else []
    for operator, key, values in condition:
        if key in _OWN:
            continue
        if operator == "Null":
            found.append(f"{key} is {'not ' if values == ('true',) else ''}given")
            continue
        named = " or ".join(readable(each) for each in values[:3])
        named += f" or {len(values) - 3} more" if values[3:] else ""
        found.append(f"{key} {'is not' if 'Not' in operator else 'is'} {named}")
    return " and ".join(found)


def readable(text: str) -> str:
    """An ARN, or a name that only AWS knows in full, as a reader takes it."""
    if text in ("*", ""):
        return "everything" if text else ""
    text = re.sub(r"\$\{AWS::[A-Za-z0-9]+::[A-Za-z0-9]+:((?:[^{}]|\$\{[^{}]*\})*)\}", r"\1", text)
    text = re.sub(r"\$\{([^{}/]+)/([^{}]+)\}", r"\2 of \1", text)
    text = re.sub(r"\.Arn\b", "", text)
    text = text.replace("-${AWS::AccountId}", "").replace("${AWS::URLSuffix}", "amazonaws.com")
    text = text.replace("${AWS::Partition}", "aws").replace("${AWS::AccountId}", "ACCOUNT")
    found = re.fullmatch(r"arn:[^:]*:([^:]*):[^:]*:[^:]*:(.*)", text, re.S)
    if not found:
        return text
    return found[2] if found[1] == "s3" else f"{found[1]} {found[2]}"
