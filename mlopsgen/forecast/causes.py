"""Which edits a verdict owes to: the pipeline is compiled again with each edit alone, and without it.

With an edit alone, what it brings about by itself is seen; without it, what it brings about together with
others. Together they name every cause of what needs one or two edits, and of what several edits would each
bring about; what needs three at once is owed to all that are left.

Where there are many edits, what a resource itself comes from decides first: what belongs to a service is owed
to the only edit of that service. What is left is tried as long as that takes no more than seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import NamedTuple, TypeAlias

from mlopsgen.forecast.edits import Edit
from mlopsgen.motion.outcome import Change, Finding, Step
from mlopsgen.motion.replay import Forecast

Group: TypeAlias = tuple[Edit, ...]
"""Edits that make sense only together."""

Trial: TypeAlias = Callable[[Iterable[Edit]], Forecast | None]
"""What a deployment does with these edits alone; None if the pipeline says nothing with just these."""


FEW = 6
"""Edits of which each is always tried."""

MANY = 24
"""Edits beyond which none is tried any more: what no resource's own place tells is owed to all of them."""


class Causes(NamedTuple):
    """What one step or finding is owed to."""

    edits: tuple[Edit, ...] = ()
    compiler: bool = False
    """Whether another version of mlopsgen changes it without any edit."""


class Attribution:
    """The causes of what one deployment does, found when they are asked for."""

    def __init__(self, found: Forecast, edited: Iterable[Group], trial: Trial) -> None:
        self.found, self.groups, self._trial = found, tuple(edited), trial
        self._seen: dict[frozenset[int], _Seen | None] = {}

    def of_step(self, step: Step) -> Causes:
        """What a step is owed to, all its properties together."""
        return self._near(step.origin) or self._of(_step_facts(step))

    def of_resources(self, places: Iterable[tuple[str, str]]) -> Causes:
        """What is owed to that which becomes of resources, all their steps together."""
        wanted = set(places)
        near = [
            self._near(each.origin) for each in self.found.steps if (each.stack, each.logical_id) in wanted
        ]
        if near and all(near):
            return Causes(tuple(dict.fromkeys(edit for each in near if each for edit in each.edits)))
        facts: dict[object, object] = {}
        for step in self.found.steps:
            if (step.stack, step.logical_id) in wanted:
                facts |= _step_facts(step)
        return self._of(facts) if facts else Causes(self._edits(self._all))

    def of_change(self, step: Step, change: Change) -> Causes:
        """What one property of a step is owed to."""
        return self._of({_change_key(step, change): change.after})

    def of_finding(self, finding: Finding) -> Causes:
        """What a finding is owed to."""
        return self._near(finding.origin) or self._of({_finding_key(finding): None})

    @cached_property
    def ways_out(self) -> tuple[Group, ...]:
        """The edits of which one alone, left out, lets a deployment pass that stops with all."""
        if not self.found.failures or not 1 < len(self.groups) <= MANY:
            return ()
        out = []
        for number, group in enumerate(self.groups):
            found = self._try(self._all - {number})
            if found is not None and not found.stops:
                out.append(group)
        return tuple(out)

    @property
    def _all(self) -> frozenset[int]:
        return frozenset(range(len(self.groups)))

    def _of(self, facts: Mapping[object, object]) -> Causes:
        bare = self._try(frozenset())
        own = bare.facts if bare else {}
        rest = {key: value for key, value in facts.items() if key not in own or own[key] != value}
        if not rest and facts:
            return Causes(compiler=True)
        if not 1 < len(self.groups) <= MANY:
            return Causes(self._edits(self._all))
        alone = {
            number
            for number in self._all
            if (with_it := self._try(frozenset({number}))) is not None
            and any(key in with_it.facts and key not in own for key in rest)
        }
        needed = {
            number
            for number in self._all
            if (without := self._try(self._all - {number})) is not None
            and any(key not in without.facts or without.facts[key] != rest[key] for key in rest)
        }
        # What says nothing by itself and whose absence says nothing either belongs to the rest.
        unknown = {
            number
            for number in self._all
            if self._try(frozenset({number})) is None and self._try(self._all - {number}) is None
        }
        return Causes(self._edits(alone | needed or unknown or self._all))

    def _near(self, origin: str) -> Causes | None:
        """Of many edits, the only ones that lie where a resource comes from; None if that is not told so."""
        if len(self.groups) <= FEW or not origin:
            return None
        steps = origin.split(".")
        near = [
            number
            for number, group in enumerate(self.groups)
            if any(_related(_base(each), steps) for each in group)
        ]
        return Causes(self._edits(near)) if len(near) == 1 else None

    def _edits(self, numbers: Iterable[int]) -> tuple[Edit, ...]:
        return tuple(each for number in sorted(numbers) for each in self.groups[number])

    def _try(self, numbers: frozenset[int]) -> _Seen | None:
        if numbers not in self._seen:
            found = self.found if numbers == self._all and self.groups else self._trial(self._edits(numbers))
            self._seen[numbers] = None if found is None else _Seen.of(found)
        return self._seen[numbers]


def _base(edit: Edit) -> list[str]:
    """The path of an edit as the base has it, whichever environment it is about."""
    path = [str(each) for each in edit.path]
    return ["spec", *path[3:]] if edit.environment is not None else path


def _related(one: list[str], other: list[str]) -> bool:
    """Whether one path leads to the other."""
    return (
        all(left == right for left, right in zip(one, other, strict=False)) and min(len(one), len(other)) > 2
    )


class _Seen(NamedTuple):
    """What a deployment does, to be compared with another."""

    facts: Mapping[object, object]
    stops: bool

    @staticmethod
    def of(found: Forecast) -> _Seen:
        facts: dict[object, object] = {}
        for step in found.steps:
            facts |= _step_facts(step)
        facts |= {_finding_key(each): None for each in found.findings}
        return _Seen(facts, bool(found.failures))


def _step_facts(step: Step) -> dict[object, object]:
    if step.action in ("update", "interrupt", "replace") and step.changes:
        return {_change_key(step, each): each.after for each in step.changes}
    return {(step.stack, step.logical_id, step.action): None}


def _change_key(step: Step, change: Change) -> tuple[str, str, str, str]:
    return (step.stack, step.logical_id, "property", change.path)


def _finding_key(finding: Finding) -> tuple[str, str, str, str]:
    return (finding.rule, finding.stack, finding.logical_id, finding.reason)
