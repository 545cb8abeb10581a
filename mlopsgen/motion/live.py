"""What is there: resources that live in an account, whose they are, and what they hold that is exclusive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mlopsgen.aws.resource_types import known, resource_type
from mlopsgen.motion.stacks import Json
from mlopsgen.motion.values import text


@dataclass(frozen=True)
class Live:
    """A resource as it is in AWS."""

    region: str
    stack: str
    """The full name of the stack that has it; empty for what no stack has any more."""
    short: str
    """The stack's name without its prefix, the one that it was made in."""
    logical_id: str
    type: str
    number: int
    """The how-manieth resource of this logical id it is."""
    properties: Mapping[str, Json]
    stack_name: str = ""
    """The full name of the stack that it was made in, which stays when it leaves the stack."""
    version: int = 1
    """How often its content was made anew in place: launch templates have versions."""
    deletion: str = "Delete"
    replacement: str = "Delete"
    needs: frozenset[str] = frozenset()
    """Logical ids that were made before it."""
    update_policy: Mapping[str, Json] = field(default_factory=dict)
    origin: str = ""

    @cached_property
    def id(self) -> str:
        """What templates get in place of what only AWS knows of it.

        A name that tells it from all others is all there is to know: one that is deleted and made again
        under that name is the same to everybody.
        """
        if self.named:
            return f"${{{self.type}:{self.named}}}"
        return f"${{{self.stack_name}/{self.logical_id}#{self.number}}}"

    @cached_property
    def named(self) -> str | None:
        """The physical id, where the template gives it."""
        if not known(self.type):
            return None
        identifier = resource_type(self.type).identifier
        if len(identifier) != 1 or identifier[0] in resource_type(self.type).read_only:
            return None
        found = self.properties.get(identifier[0])
        return found if isinstance(found, str) else None

    @cached_property
    def text(self) -> str:
        """All its properties as one text, to find in it what it speaks of."""
        return text(dict(self.properties))

    @property
    def place(self) -> tuple[str, str, str]:
        """Where its template stands: two resources of one place are before and after."""
        return (self.region, self.stack, self.logical_id)

    @property
    def title(self) -> str:
        """What to call it in a sentence."""
        return f"{self.logical_id} of `{self.short}`" + (
            "" if self.stack else ", which no stack has any more"
        )

    def ref(self) -> Json:
        """What `Ref` gives."""
        return self.named or self.id

    def attribute(self, path: str) -> Json:
        """What `Fn::GetAtt` gives."""
        found = self.properties.get(path)
        if found is not None:
            return found
        suffix = f"@{self.version}" if path in _VERSIONED.get(self.type, ()) else ""
        return f"{self.id}.{path}{suffix}"

    def speaks_of(self, other: Live) -> bool:
        """Whether its properties name the other."""
        return other.id in self.text

    def at(self, *path: str) -> Json:
        """The value at a path of its properties; None if there is none."""
        value: Json = dict(self.properties)
        for step in path:
            if not isinstance(value, dict) or step not in value:
                return None
            value = value[step]
        return value

    def word(self, *path: str) -> str:
        """The text at a path; empty if there is none."""
        value = self.at(*path)
        return "" if value is None else text(value)

    def items(self, *path: str) -> list[Json]:
        """The list at a path; empty if there is none."""
        value = self.at(*path)
        return value if isinstance(value, list) else []

    def maps(self, *path: str) -> list[dict[str, Json]]:
        """The maps of the list at a path."""
        return [each for each in self.items(*path) if isinstance(each, dict)]


_VERSIONED = {"AWS::EC2::LaunchTemplate": ("LatestVersionNumber", "DefaultVersionNumber")}
"""Attributes that change with the resource (CloudFormation template reference, AWS::EC2::LaunchTemplate)."""


class LiveStack(NamedTuple):
    """A stack as it is in AWS."""

    region: str
    name: str
    short: str
    owner: tuple[str, ...]
    tags: tuple[tuple[str, str], ...]
    parameters: Mapping[str, str]
    """What was given for each parameter: for one from SSM, its path."""
    resources: Mapping[str, Live]
    """By logical id, in the order in which they were made."""

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from other stacks of the account."""
        return (self.region, self.name)


class Account(NamedTuple):
    """Everything that is in an account after some deployments; at first, nothing."""

    stacks: Mapping[tuple[str, str], LiveStack] = {}
    """In the order in which they were first deployed."""
    kept: tuple[Live, ...] = ()
    """What left its stack and was not deleted."""
    born: Mapping[tuple[str, str], int] = {}
    """How many resources each logical id of each stack has had."""

    def resources(self) -> Iterator[Live]:
        """All of them, whosoever they are."""
        for stack in self.stacks.values():
            yield from stack.resources.values()
        yield from self.kept
