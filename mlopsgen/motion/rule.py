"""What a rule of motion is: a small function that yields what is to be said of a step. It never raises.

Rules stand in `rules/`, a file for each service of AWS, and are found by being a `Rule` there. Each carries
its source. `@on` looks at steps of some resource types, `@exclusive` says what a resource has for itself
alone, and `@closing` looks at a whole deployment once it is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.discovery import modules
from mlopsgen.motion.live import Account, Live
from mlopsgen.motion.outcome import Change, Kind, Step

Trigger: TypeAlias = Literal["create", "update", "replace", "delete"]


@dataclass
class World:
    """Everything that lives in one region while stacks are deployed, in no stack's name."""

    region: str
    waits_minutes: int | None = None
    """How long the delivery waits for one stack; None for as long as it takes."""
    by_type: dict[str, list[Live]] = field(default_factory=dict)
    exclusive: dict[tuple[str, ...], Live] = field(default_factory=dict)
    """Who holds what only one can hold."""

    def of(self, *types: str) -> Iterator[Live]:
        """The resources of some types, also those that are about to go."""
        for name in types:
            yield from self.by_type.get(name, ())

    def users(self, of: Live, *types: str) -> Iterator[Live]:
        """The resources of some types (of all, without) that name another."""
        for each in self.of(*(types or self.by_type)):
            if each is not of and each.speaks_of(of):
                yield each

    def found(self, kind: str, name: str) -> Live | None:
        """The resource of a type that `Ref` gives as `name`; of two, the newer."""
        return next((each for each in reversed(self.by_type.get(kind, [])) if each.ref() == name), None)


class Event(NamedTuple):
    """A step at the moment in which it is taken: what it changes is not changed in the world yet."""

    trigger: Trigger
    before: Live | None
    after: Live | None
    world: World
    changes: tuple[Change, ...] = ()
    whole: bool = False
    """Whether the whole stack goes."""
    staying: frozenset[str] = frozenset()
    """Logical ids of the stack that will still be there when it is done."""

    @property
    def here(self) -> Live:
        """The resource as it will be, or was."""
        found = self.after or self.before
        assert found
        return found

    @property
    def old(self) -> Live:
        """As it was; not to be asked when it is made."""
        assert self.before
        return self.before

    @property
    def new(self) -> Live:
        """As it will be; not to be asked when it goes."""
        assert self.after
        return self.after

    def changed(self, *names: str) -> Change | None:
        """The first change at or below one of some paths."""
        for each in self.changes:
            for name in names:
                if each.path == name or each.path.startswith((f"{name}.", f"{name}[")):
                    return each
        return None


class Ending(NamedTuple):
    """A deployment that is done: what was there, what is there, and what happened in between."""

    before: Account
    after: World
    steps: tuple[Step, ...]


class Said(NamedTuple):
    """What a rule says."""

    reason: str
    change: Change | None = None
    assumption: str | None = None
    about: Live | None = None
    """The resource, if it is another than the step's."""
    instead: str | None = None
    """What works, if it is not what the rule says in general."""


class Claim(NamedTuple):
    """Something that a resource has for itself alone."""

    key: tuple[str, ...]
    what: str
    """What to call it in a sentence, such as `priority 100`."""
    path: str = ""


@dataclass(frozen=True)
class Rule:
    """A rule, its name and what it rests on."""

    name: str
    kind: Kind
    instead: str
    source: str


@dataclass(frozen=True)
class StepRule(Rule):
    """A rule on the steps of some types."""

    types: tuple[str, ...]
    triggers: tuple[Trigger, ...]
    look: Callable[[Event], Iterable[Said]]


@dataclass(frozen=True)
class ExclusiveRule(Rule):
    """A rule on what only one can have."""

    types: tuple[str, ...]
    claims: Callable[[Live], Iterable[Claim]]


@dataclass(frozen=True)
class ClosingRule(Rule):
    """A rule on a whole deployment."""

    look: Callable[[Ending], Iterable[Said]]


def on(
    name: str, kind: Kind, triggers: tuple[Trigger, ...], types: tuple[str, ...], *, instead: str, source: str
) -> Callable[[Callable[[Event], Iterable[Said]]], StepRule]:
    """Make a rule of a function that looks at one step."""
    return lambda look: StepRule(name, kind, instead, source, types, triggers, look)


def exclusive(
    name: str, types: tuple[str, ...], *, instead: str, source: str
) -> Callable[[Callable[[Live], Iterable[Claim]]], ExclusiveRule]:
    """Make a rule of a function that says what a resource has for itself alone."""
    return lambda claims: ExclusiveRule(name, "fails", instead, source, types, claims)


def closing(
    name: str, kind: Kind, *, instead: str, source: str
) -> Callable[[Callable[[Ending], Iterable[Said]]], ClosingRule]:
    """Make a rule of a function that looks at a whole deployment."""
    return lambda look: ClosingRule(name, kind, instead, source, look)


@cache
def rules() -> tuple[Rule, ...]:
    """All of them, by file and in the order in which they stand there."""
    return tuple(
        each
        for module in modules("mlopsgen.motion.rules")
        for each in vars(module).values()
        if isinstance(each, Rule)
    )


@cache
def steps(kind: str, trigger: Trigger) -> tuple[StepRule, ...]:
    """The rules that look at a step of a type."""
    return tuple(
        each
        for each in rules()
        if isinstance(each, StepRule) and trigger in each.triggers and (kind in each.types or not each.types)
    )


@cache
def holders(kind: str) -> tuple[ExclusiveRule, ...]:
    """The rules that say what a resource of a type has for itself alone."""
    return tuple(
        each for each in rules() if isinstance(each, ExclusiveRule) and (kind in each.types or not each.types)
    )


@cache
def endings() -> tuple[ClosingRule, ...]:
    """The rules that look at a whole deployment."""
    return tuple(each for each in rules() if isinstance(each, ClosingRule))
