"""What a patch takes from a role, and what it gives beyond the boundary."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import NamedTuple

from mlopsgen.components.patches.policies import documents, meant, overlap, text
from mlopsgen.components.patches.schema import Path
from mlopsgen.document import Read
from mlopsgen.model.plan import Plan, Resource

BEYOND = "E255"
NEEDED = "E256"
DROPPED = "W256"
CLOSED = "W210"

_ROLE = "AWS::IAM::Role"


class RightsChange(NamedTuple):
    """A resource before and after its patches."""

    before: Resource
    after: Resource


class Told(NamedTuple):
    """What is to be said of a change, with its code."""

    code: str
    stack: str
    resource: str
    path: Path
    message: str
    help: str


def changed_rights(
    plan: Plan, before: Mapping[str, Resource], after: Mapping[str, Resource]
) -> Iterator[Told]:
    """What the patches of one stack change of rights; `plan` is the patched one."""
    kinds = {each.logical_id: each.kind for each in plan.principals if each.stack in _stacks(after.values())}
    for name, role in after.items():
        if role.type == _ROLE:
            earlier, now = _allowed(before, name), _allowed(after, name)
            if earlier != now:
                yield from _lost(role, kinds.get(name, ""), earlier, now)
                yield from _beyond(plan, role, earlier, now)
            yield from _unbounded(before[name], role)
        yield from _undenied(before[name], role)
        if _opened(role) and not _opened(before[name]):
            yield from _closed(role, after)


# What the agent in a task does to open a shell; and it writes to the container's root file system (Amazon ECS
# developer guide, "Monitor Amazon ECS containers with ECS Exec").
_SHELL = (
    "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel",
    "ssmmessages:OpenDataChannel",
)  # fmt: skip


def _opened(service: Resource) -> bool:
    asked = service.properties.get("EnableExecuteCommand")
    return service.type == "AWS::ECS::Service" and asked in (True, "true")


def _closed(service: Resource, after: Mapping[str, Resource]) -> Iterator[Told]:
    """A shell in a task opens for nobody without its role's rights, nor where nothing can be written."""
    rights = _allowed(after, "TaskRole") if "TaskRole" in after else ()
    lacking = [each for each in _SHELL if not any(_covers(right.action, each) for right in rights)]
    definition = after.get("TaskDefinition")
    containers = definition.properties.get("ContainerDefinitions") if definition else None
    closed = [
        each.get("Name")
        for each in (containers if isinstance(containers, list) else ())
        if isinstance(each, dict) and each.get("ReadonlyRootFilesystem") in (True, "true")
    ]
    if lacking:
        why = f"its role does not have `{lacking[0]}`" + (
            f" and {len(lacking) - 1} more" if lacking[1:] else ""
        )
    elif closed:
        why = f"`{closed[0]}` cannot write to its root file system"
    else:
        return
    yield Told(
        CLOSED,
        service.stack,
        service.logical_id,
        ("EnableExecuteCommand",),
        f"no shell opens: {why}",
        "ECS Exec takes the four actions of `ssmmessages` in the task's role, and a root file system that "
        "can be written to: `securityContext: {readOnlyRootFilesystem: false, reason: …}`",
    )


def _stacks(resources: Iterable[Resource]) -> set[str]:
    return {each.stack for each in resources}


class _Right(NamedTuple):
    action: str
    resources: tuple[str | None, ...]
    """The ARNs, with `*` for what is not known yet; None where nothing is."""


def _allowed(resources: Mapping[str, Resource], role: str) -> tuple[_Right, ...]:
    """What the role's own policies allow, and those of the same stack that it names."""
    properties = resources[role].properties
    found = list(documents(_ROLE, properties))
    arns = properties.get("ManagedPolicyArns")
    for each in arns if isinstance(arns, list) else ():
        name = each.get("Ref") if isinstance(each, dict) else None
        if isinstance(name, str) and name in resources:
            found += documents(resources[name].type, resources[name].properties)
    return tuple(right for each in found if each.kind == "identity" for right in _rights(each.body))


def _rights(body: Read) -> Iterator[_Right]:
    for each in _statements(body):
        if each.get("Effect") == "Allow":
            resources = tuple(text(value) for value in _many(each.get("Resource", "*")))
            for action in _many(each.get("Action", ())):
                if isinstance(action, str):
                    yield _Right(action, resources)


def _statements(body: Read) -> list[dict[str, Read]]:
    found = body.get("Statement") if isinstance(body, dict) else None
    return [each for each in _many(found or ()) if isinstance(each, dict)]


def _many(value: Read) -> list[Read]:
    return list(value) if isinstance(value, list | tuple) else [value]


def _covers(word: str, action: str) -> bool:
    return fnmatchcase(action.lower(), word.lower().replace("[", "[[]"))


def _lost(role: Resource, kind: str, earlier: Iterable[_Right], now: tuple[_Right, ...]) -> Iterator[Told]:
    gone = sorted({
        right.action
        for right in earlier
        if not all(any(_covers(each.action, action) for each in now) for action in meant(right.action))
    })  # fmt: skip
    if gone:
        listed = ", ".join(f"`{each}`" for each in gone)
        needed = kind in ("execution", "service")
        who = "AWS does it for the tasks" if needed else "what the spec says of it needs that"
        yield Told(
            NEEDED if needed else DROPPED,
            role.stack,
            role.logical_id,
            ("Policies",),
            f"the patch takes {listed} away: {who}",
            "say the statements that are there in the patch too: a list is replaced as a whole",
        )


def _beyond(plan: Plan, role: Resource, earlier: tuple[_Right, ...], now: Iterable[_Right]) -> Iterator[Told]:
    """An action that the boundary does not have is denied whatever a policy says (IAM user guide,
    "Permissions boundaries for IAM entities").
    """
    bounds = _bounds(plan, role)
    if bounds is None:
        return
    for right in dict.fromkeys(now):
        if right not in earlier and not _within(right, bounds):
            yield Told(
                BEYOND,
                role.stack,
                role.logical_id,
                ("Policies",),
                f"its boundary does not have `{right.action}`{_on(right)}, so that it has no such right",
                "`reads`, `writes`, `loads` and `secrets` give rights with their line in the boundary; for "
                "everything else let a second patch say the boundary's whole `PolicyDocument`, with a "
                f"statement for `{right.action}` among the others: stack `access`, resource `Boundary`",
            )


def _on(right: _Right) -> str:
    known = [each for each in right.resources if each and each != "*"]
    return f" on `{known[0]}`" if known else ""


def _within(right: _Right, bounds: tuple[_Right, ...]) -> bool:
    """Whether the boundary has some of what a right gives: an action that it means, on a resource."""
    actions = meant(right.action)
    fitting = [each for each in bounds if any(_covers(each.action, action) for action in actions)]
    return any(
        one is None or other is None or overlap(one, other)
        for each in fitting
        for one in each.resources
        for other in right.resources
    )


def _bounds(plan: Plan, role: Resource) -> tuple[_Right, ...] | None:
    """What the boundary made for delivery allows, if that is the role's; the account's own is not known."""
    given = text(role.properties.get("PermissionsBoundary"))
    for stack in plan.stacks:
        for each in stack.resources:
            name = each.properties.get("ManagedPolicyName")
            if each.type == "AWS::IAM::ManagedPolicy" and given and given.endswith(f"/{name}"):
                return tuple(_rights(each.properties.get("PolicyDocument")))
    return None


def _unbounded(before: Resource, after: Resource) -> Iterator[Told]:
    given, now = (each.properties.get("PermissionsBoundary") for each in (before, after))
    if given and given != now:
        yield Told(
            BEYOND,
            after.stack,
            after.logical_id,
            ("PermissionsBoundary",),
            "it loses its boundary, without which nobody may make a role here",
            "`spec.aws.permissionsBoundary` names another for all roles" if now else "leave it as it is",
        )


def _undenied(before: Resource, after: Resource) -> Iterator[Told]:
    """Denials that a document had before and has no more."""
    left = {_bare(each) for found in documents(after.type, after.properties) for each in _denials(found.body)}
    for found in documents(before.type, before.properties):
        for each in _denials(found.body):
            if _bare(each) not in left:
                name, first = each.get("Sid", "a statement"), _many(each.get("Action", "*"))[0]
                yield Told(
                    DROPPED,
                    after.stack,
                    after.logical_id,
                    found.path,
                    f"the patch drops or changes `{name}`, which denies `{first}`",
                    "say the statements that are there in the patch too: a list is replaced as a whole",
                )


def _denials(body: Read) -> Iterator[dict[str, Read]]:
    return (each for each in _statements(body) if each.get("Effect") == "Deny")


def _bare(statement: Mapping[str, Read]) -> str:
    return json.dumps({name: each for name, each in statement.items() if name != "Sid"}, sort_keys=True)
