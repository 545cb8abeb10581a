"""Grants as the statements of IAM policies: few, in a fixed order, and in documents that IAM takes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from json.encoder import encode_basestring_ascii
from typing import NamedTuple, TypeAlias, TypeVar

from troposphere import AWSHelperFn, Sub

from mlopsgen.model.binding import Contribution
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Value

Statement: TypeAlias = dict[str, Body]
"""A statement of a policy, as IAM's JSON has it."""

Condition: TypeAlias = tuple[tuple[str, str, Value | tuple[Value, ...]], ...]
"""What has to hold for a grant: operators, keys and values."""

VERSION = "2012-10-17"

# Several values of one of these mean "any of them", so two conditions that differ in values alone are one.
_ANY_OF = frozenset({"StringEquals", "StringLike", "ArnEquals", "ArnLike"})

_MAX_SID = 64

T = TypeVar("T")

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


def own_tags(site: Site) -> Condition:
    """What acts on this environment's resources alone, by their tags."""
    return (
        ("StringEquals", "aws:ResourceTag/mlopsgen:environment", site.environment),
        ("StringEquals", "aws:ResourceTag/mlopsgen:pipeline", site.name),
    )


def keep_apart(services: Iterable[str], pipeline: str) -> Grant:
    """Off whatever has another pipeline's tag, in services where only the beginning of a name is known.

    `shop-eu-*` names what pipeline `shop` has in `eu`, and also what `shop-eu` has in any environment. One
    pipeline's environments need no tag: their names have no hyphens, so none begins another's.
    """
    tag = "aws:ResourceTag/mlopsgen:pipeline"
    condition: Condition = (("Null", tag, "false"), ("StringNotEquals", tag, pipeline))
    return Grant(
        tuple(f"{each}:*" for each in services), ("*",), "touch another pipeline", condition, effect="Deny"
    )


def statements(grants: Iterable[Grant]) -> list[Statement]:
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


def service_statements(contributions: Iterable[Contribution]) -> list[Statement]:
    """What workloads contribute to a resource's own policy: statements that name the service they are for."""
    return [
        {**statement, "Principal": {"Service": each.principal}}
        for each in contributions
        for statement in statements([each.grant])
    ]


def policy(grants: Iterable[Grant]) -> dict[str, Body]:
    """The policy document of `grants`."""
    return {"Version": VERSION, "Statement": statements(grants)}


def canonical_json(value: object) -> str:
    """A string that is equal for equal values, to sort and compare intrinsic functions by."""
    return value if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    """As `json.dumps` writes it, with intrinsic functions and sorted keys; it is asked thousands of times."""
    match value:
        case str():
            return encode_basestring_ascii(value)
        case AWSHelperFn():
            return _json(value.data)
        case dict() if len(value) == 1:
            [(name, item)] = value.items()
            return f"{{{encode_basestring_ascii(name)}: {_json(item)}}}"
        case dict():
            pairs = [f"{encode_basestring_ascii(name)}: {_json(value[name])}" for name in sorted(value)]
            return f"{{{', '.join(pairs)}}}"
        case tuple() | list():
            return f"[{', '.join([_json(item) for item in value])}]"
        case _:
            return json.dumps(value)


def size(document: Mapping[str, Body]) -> int:
    """The length of a policy document in AWS at most, as IAM counts it."""
    return _size(dict(document))


def documents(every: Sequence[Statement]) -> list[dict[str, Body]]:
    """The statements as one inline policy and as many managed ones as the rest takes."""
    pages: list[list[Statement]] = [[]]
    room = MAX_INLINE
    for piece, size in (piece for each in every for piece in _pieces(each)):
        if size > room:
            pages.append([])
            room = MAX_MANAGED
        pages[-1].append(piece)
        room -= size
    return [{"Version": VERSION, "Statement": each} for each in pages]


def _pieces(statement: Statement) -> list[tuple[Statement, int]]:
    """A statement, or several that together say the same: of fewer resources, or of fewer values each.

    With each goes its size.
    """
    size = _size(statement)
    if size <= MAX_MANAGED:
        return [(statement, size)]
    halves: list[Statement]
    match statement:
        case {"Resource": list(resources)}:
            halves = [{"Resource": each} for each in _halves(resources)]
        case {"Condition": dict(condition)} if several := _values(condition):
            operator, names, name, values = several
            halves = [{"Condition": condition | {operator: names | {name: each}}} for each in _halves(values)]
        case _:
            return [(statement, size)]
    first, second = halves
    return [*_pieces(statement | first), *_pieces(statement | {"Sid": f"{statement['Sid']}And"} | second)]


def _values(condition: Mapping[str, Body]) -> tuple[str, dict[str, Body], str, list[Body]] | None:
    """The operator with all its keys, and the key that has the most values of which any may hold."""
    found = [
        (operator, names, name, values)
        for operator, names in condition.items()
        if operator in _ANY_OF and isinstance(names, dict)
        for name, values in names.items()
        if isinstance(values, list)
    ]
    return max(found, key=lambda each: len(each[3]), default=None)


def _halves(values: list[T]) -> tuple[list[T], list[T]]:
    return values[: len(values) // 2], values[len(values) // 2 :]


def fitting(grants: Iterable[Grant], room: int) -> list[Grant]:
    """The grants, on secrets and parameters by name, with statements that take at most `room` characters.

    Where there are too many names, the two that have the longest beginning in common become that beginning
    and a `*`, again and again: so that the fewest others are let in.
    """
    result: list[Grant] | None = _merge(grants)
    while result and sum(map(_size, statements(result))) > room:
        result = _one_name_less(result)
    return result or []


def _one_name_less(grants: Sequence[Grant]) -> list[Grant] | None:
    starts = [
        (_start(one, other), number, place)
        for number, grant in enumerate(grants)
        for place, (one, other) in enumerate(pairwise(grant.resources))
    ]
    start, number, place = max(starts, key=lambda each: len(each[0]), default=("", 0, 0))
    if not start:
        return None
    grant = grants[number]
    pattern = f"{start}*" if isinstance(grant.resources[place], str) else Sub(f"{start}*")
    resources = (*grant.resources[:place], pattern, *grant.resources[place + 2 :])
    return [*grants[:number], grant._replace(resources=resources), *grants[number + 1 :]]


def _start(one: Value, other: Value) -> str:
    """What two names have in common, with the beginning of their ARNs; nothing if that itself differs."""
    first, second = (each if isinstance(each, str) else str(each.data["Fn::Sub"]) for each in (one, other))
    pairs = enumerate(zip(first, second, strict=False))
    start = first[: next((at for at, (a, b) in pairs if a != b), min(len(first), len(second)))]
    return start if re.search(":(parameter/|secret:)", start) else ""


def _size(statement: Statement) -> int:
    """Its length in AWS at most: names of the account and region filled in, other values an ARN long."""
    text = canonical_json(statement).replace(" ", "").replace('{"Fn::Sub":', "")
    text = text.replace("${AWS::Partition}", "aws-us-gov").replace("${AWS::AccountId}", "123456789012")
    text = text.replace("${AWS::Region}", "ap-southeast-1")
    return len(text) + 120 * (text.count('{"Ref":') + text.count('{"Fn::GetAtt":'))


def _merge(grants: Iterable[Grant]) -> list[Grant]:
    """As few grants as say the same, in a fixed order."""
    result = sorted((_tidy(grant) for grant in grants), key=_order)
    conditions = max((len(each.grant.condition) for each in result), default=0)
    by_values = (partial(_by_values, at) for at in range(conditions))
    parts: tuple[Callable[[_Tidy], Hashable], ...] = (_by_actions, _by_resources, *by_values)
    for part in parts:
        groups: dict[Hashable, list[_Tidy]] = {}
        for tidy in result:
            groups.setdefault(part(tidy), []).append(tidy)
        result = [_union(group) for group in groups.values()]
    return [tidy.grant for tidy in sorted(result, key=_order)]


class _Tidy(NamedTuple):
    """A grant whose sets are in one order, with the keys of what cannot be compared as it is."""

    grant: Grant
    resources: str
    condition: str


def _order(tidy: _Tidy) -> tuple[str, str, tuple[str, ...], str, str]:
    """Allowances before denials, then by the words of the spec, by what is allowed, and on what."""
    grant = tidy.grant
    return grant.effect, grant.because, grant.actions, tidy.resources, tidy.condition


def _by_actions(tidy: _Tidy) -> Hashable:
    grant = tidy.grant
    # Each confinement is a `Deny` on `NotResource`: merged, they would deny less.
    alone = tidy.resources if grant.effect == "Confine" else ""
    return grant.effect, alone, grant.actions, grant.reason, tidy.condition


def _by_resources(tidy: _Tidy) -> Hashable:
    return tidy.grant.effect, tidy.resources, tidy.grant.reason, tidy.condition


def _by_values(at: int, tidy: _Tidy) -> Hashable:
    """All but the values of one condition."""
    grant = tidy.grant
    if at < len(grant.condition) and grant.condition[at][0] in _ANY_OF:
        operator, name, _ = grant.condition[at]
        others = canonical_json(grant.condition[:at] + grant.condition[at + 1 :])
        return grant.effect, grant.actions, tidy.resources, grant.reason, operator, name, others
    return _by_actions(tidy), tidy.resources


def _union(group: Sequence[_Tidy]) -> _Tidy:
    """One grant for all of a group."""
    if len(group) == 1:
        return group[0]
    grants = [tidy.grant for tidy in group]
    first = grants[0]
    return _tidy(
        first._replace(
            actions=tuple(action for each in grants for action in each.actions),
            resources=tuple(resource for each in grants for resource in each.resources),
            because="; ".join(_distinct(each.because for each in grants)),
            condition=tuple(map(_any_of, *(each.condition for each in grants))),
        )
    )


def _any_of(
    *conditions: tuple[str, str, Value | tuple[Value, ...]],
) -> tuple[str, str, Value | tuple[Value, ...]]:
    """One condition, with the values of all."""
    operator, name, value = conditions[0]
    if len({canonical_json(each) for each in conditions}) == 1:
        return operator, name, value
    return operator, name, _distinct(one for _, _, values in conditions for one in _many(values))


def _tidy(grant: Grant) -> _Tidy:
    """A `*` without a reason is our bug."""
    assert grant.effect != "Allow" or grant.reason or "*" not in grant.resources, (
        f"`*` needs a reason: {grant.because}"
    )
    resources, resource_keys = _in_order(grant.resources)
    condition, condition_keys = _in_order(grant.condition)
    actions = tuple(sorted(set(grant.actions)))
    tidy = grant._replace(actions=actions, resources=resources, condition=condition)
    return _Tidy(tidy, "\n".join(resource_keys), "\n".join(condition_keys))


def _in_order(values: tuple[T, ...]) -> tuple[tuple[T, ...], Sequence[str]]:
    """The values without repetition in the order of their keys, and those."""
    if len(values) < 2:
        return values, [canonical_json(each) for each in values]
    by_key = {canonical_json(each): each for each in values}
    keys = sorted(by_key)
    return tuple(by_key[each] for each in keys), keys


def _many(value: Value | tuple[Value, ...]) -> tuple[Value, ...]:
    return value if isinstance(value, tuple) else (value,)


def _distinct(values: Iterable[T]) -> tuple[T, ...]:
    """The values without repetition, sorted."""
    return _in_order(tuple(values))[0]


def _statement(grant: Grant, sid: str) -> Statement:
    confines = grant.effect == "Confine"
    statement: Statement = {
        "Sid": sid,
        "Effect": "Deny" if confines else grant.effect,
        "Action": _one_or_list(grant.actions),
        "NotResource" if confines else "Resource": _one_or_list(grant.resources),
    }
    if grant.condition:
        conditions: dict[str, dict[str, Body]] = {}
        for operator, name, value in grant.condition:
            conditions.setdefault(operator, {})[name] = _one_or_list(_many(value))
        statement["Condition"] = conditions
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
