"""Permissions held against AWS's service authorization reference."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase

from mlopsgen.components.workloads.spec import PermissionSpec
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import Scene, rule


def _permissions(scene: Scene) -> Iterator[tuple[SpecPath, PermissionSpec]]:
    for path, workload in workloads(scene):
        yield from each((*path, "permissions"), workload.permissions)


@rule(
    "E283",
    "an action that IAM does not have",
    """An action is a service and a word, such as `s3:GetObject`, or the beginning of several, `s3:GetObject*`. One
    that does not exist allows nothing, without a word from IAM.""",
    """
    spec:
      services:
        - name: api
          permissions:
            - {name: catalogue, actions: ["s3:GetObjct"], resources: ["arn:aws:s3:::shop/*"], reason: Prices}
    """,
    """
    spec:
      services:
        - name: api
          permissions:
            - {name: catalogue, actions: ["s3:GetObject"], resources: ["arn:aws:s3:::shop/*"], reason: Prices}
    """,
)
def unknown_action(scene: Scene) -> Iterable[Finding]:
    """Every action is one of AWS's, as far as its service's are known."""
    declared = tuple(_permissions(scene))
    if not declared:
        return
    # Only who has permissions waits for IAM's table.
    from mlopsgen.aws.iam_actions import service, services

    for path, permission in declared:
        for at, action in each((*path, "actions"), permission.actions):
            name, _, word = action.partition(":")
            if name not in services():
                near = closest(name, services())
                yield Finding(at, f"AWS has no service `{name}`", f"did you mean `{near}`?" if near else None)
                continue
            known = service(name)
            if known and not any(fnmatchcase(one, word.lower()) for one in known.actions):
                near = closest(word.lower(), known.actions)
                meant = f"did you mean `{known.actions[near].name}`?" if near else None
                yield Finding(at, f"`{name}` has no action `{word}`", meant)


@rule(
    "E284",
    "a permission on everything, or on what its actions do not act on",
    """A permission names what it is about. `*` is for actions that take no resource, and the ARN of something that
    none of its actions acts on allows nothing.""",
    """
    spec:
      services:
        - name: api
          permissions: [{name: catalogue, actions: ["s3:GetObject"], resources: ["*"], reason: Prices}]
    """,
    """
    spec:
      services:
        - name: api
          permissions:
            - {name: catalogue, actions: ["s3:GetObject"], resources: ["arn:aws:s3:::shop/*"], reason: Prices}
    """,
)
def resources_of_actions(scene: Scene) -> Iterable[Finding]:
    """`*` stands where AWS has nothing narrower, and an ARN where an action takes such a one."""
    declared = tuple(_permissions(scene))
    if not declared:
        return
    from mlopsgen.aws.iam_actions import service

    for path, permission in declared:
        taken: dict[str, tuple[str, ...]] = {}
        complete = True
        for action in permission.actions:
            name, _, word = action.partition(":")
            known = service(name)
            if known is None:
                complete = False
                continue
            for key, found in known.actions.items():
                if fnmatchcase(key, word.lower()):
                    taken[found.name] = found.resources
        narrow = next((name for name in sorted(taken) if taken[name]), None)
        owners = {arn.split(":")[2] for arns in taken.values() for arn in arns}
        for at, resource in each((*path, "resources"), permission.resources):
            if resource == "*":
                if narrow:
                    help_ = f"name them: `{narrow}` takes ARNs such as {_such(taken[narrow])}"
                    yield Finding(at, f"`{permission.name}` is about everything", help_)
            elif complete and taken and resource.split(":")[2] not in owners:
                what = "`, `".join(permission.actions)
                message = f"none of `{what}` acts on this"
                yield Finding(at, message, None if owners else "write `*`: they take no resource")


def _such(patterns: tuple[str, ...]) -> str:
    shortest = min(patterns, key=lambda each: (len(each), each))
    return re.sub(r"\$\{\w+\}|\.\*", "…", shortest)
