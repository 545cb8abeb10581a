"""What a merge does to one environment: the deployment is replayed, and every verdict gets its causes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.aws.prices import Price
from mlopsgen.forecast.causes import Attribution, Causes
from mlopsgen.forecast.cost import Cost, Money, changed_costs, money
from mlopsgen.forecast.edits import Edit
from mlopsgen.forecast.reach import Reach, changed_reach
from mlopsgen.forecast.rights import Right, changed_rights
from mlopsgen.forecast.sides import DELIVERY, Sides
from mlopsgen.motion.live import Account
from mlopsgen.motion.outcome import Finding, Kind, Step
from mlopsgen.motion.replay import Forecast, deploy, settled, unhindered
from mlopsgen.motion.stacks import Json, TemplateSet

Concern: TypeAlias = Literal["stops", "outage", "data", "rights", "reach", "orphan", "silent"]
"""What a reviewer asks about, the most important first."""

CONCERNS: tuple[Concern, ...] = ("stops", "outage", "data", "rights", "reach", "orphan", "silent")

OF_KIND: dict[Kind, Concern] = {
    "fails": "stops", "interrupts": "outage", "loses": "data", "left-over": "orphan", "silent": "silent",
}  # fmt: skip


class Said(NamedTuple):
    """A finding, what it is about, and what it is owed to."""

    concern: Concern
    finding: Finding
    causes: Causes


class Changed(NamedTuple):
    """A step, what it is owed to, and whether it is only the consequence of another."""

    step: Step
    causes: Causes
    by: str = ""
    """The properties that replace it, or that change; empty if it is not a change of properties."""
    follows: bool = False
    """Whether nothing of its own template changes: only what it refers to does."""


class Righted(NamedTuple):
    """A right that changes, and what that is owed to."""

    right: Right
    causes: Causes


class Reached(NamedTuple):
    """A way that opens or closes, and what that is owed to."""

    reach: Reach
    causes: Causes


class Billed(NamedTuple):
    """A unit of which there will be more or fewer, and what that is owed to."""

    cost: Cost
    causes: Causes


class Meant(NamedTuple):
    """What a merge is meant to bring, if nothing stands in its way."""

    rights: tuple[Righted, ...] = ()
    reach: tuple[Reached, ...] = ()
    costs: tuple[Billed, ...] = ()
    money: Money | None = None


class Outlook(NamedTuple):
    """What happens to one environment."""

    environment: str
    way: Literal["first", "changed", "same", "gone", "moved"]
    """`first`: nothing was deployed before. `gone`: the pipeline has it no longer, and it runs on. `moved`:
    it is deployed anew under another name or in another region, and what was there runs on."""
    prefix: str
    """With which the names of its stacks begin."""
    left: tuple[str, ...]
    """The stacks that run on without a pipeline, by their names in AWS."""
    order: tuple[str, ...]
    """The stacks in the order of their deployment."""
    stopped_at: str | None
    not_reached: tuple[str, ...]
    said: tuple[Said, ...]
    """By concern, within each in the order of deployment."""
    changed: tuple[Changed, ...]
    """In the order of deployment."""
    ways_out: tuple[tuple[Edit, ...], ...]
    """Edits of which each, left out, lets it pass."""
    edits: tuple[Edit, ...]
    """Everything that was edited and may concern it."""
    meant: Meant = Meant()

    def of(self, concern: Concern) -> tuple[Said, ...]:
        """What is to be said of one concern."""
        return tuple(each for each in self.said if each.concern == concern)

    @property
    def stops(self) -> bool:
        """Whether the deployment cannot get to its end, whatever the account holds."""
        return self.stopped_at is not None

    @property
    def position(self) -> tuple[int, int]:
        """The number of the stack where it stops, and how many there are."""
        assert self.stopped_at is not None
        at = self.order.index(self.stopped_at) + 1 if self.stopped_at in self.order else 0
        return at, len(self.order)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What is taken for granted of the account, each once."""
        return tuple(dict.fromkeys(each.finding.assumption for each in self.said if each.finding.assumption))


def outlook(sides: Sides, environment: str) -> Outlook:
    """What the merge does to an environment."""
    old, new = sides.old.get(environment), sides.new.get(environment)
    edited = sides.edited(environment)
    if new is None:
        assert old is not None
        return _gone(environment, old, tuple(each for group in edited for each in group))
    before = settled(Account(), old) if old is not None else Account()

    def carried_out(templates: TemplateSet) -> Forecast:
        return deploy(before, templates, DELIVERY, old)

    def trial(chosen: Iterable[Edit]) -> Forecast | None:
        templates = sides.trial(environment, chosen)
        return carried_out(templates) if templates is not None else None

    if old is not None and (old.prefix, old.region) != (new.prefix, new.region):
        return _moved(environment, old, new, tuple(each for group in edited for each in group))
    found = carried_out(new)
    causes = Attribution(found, edited if old is not None else (), trial)
    said = tuple(Said(OF_KIND[each.kind], each, causes.of_finding(each)) for each in found.findings)
    return Outlook(
        environment,
        "first" if old is None else "changed" if found.steps or found.findings else "same",
        new.prefix,
        tuple(dict.fromkeys(new.stack_name(each.stack) for each in found.steps if each.action == "orphan")),
        tuple(each.name for each in new.stacks),
        found.stopped_at,
        found.not_reached,
        tuple(sorted(said, key=lambda each: CONCERNS.index(each.concern))),
        tuple(_changed(each, causes, old, new) for each in found.steps),
        causes.ways_out,
        tuple(each for group in edited for each in group),
        _meant(before, unhindered(before, new, DELIVERY, old), causes, sides.prices(new.region))
        if old is not None and found.steps
        else Meant(),
    )


def _meant(before: Account, after: Account, causes: Attribution, prices: Mapping[str, Price]) -> Meant:
    def owed(*about: tuple[str, str]) -> Causes:
        return causes.of_resources(about)

    return Meant(
        tuple(Righted(each, owed((each.stack, each.logical_id))) for each in changed_rights(before, after)),
        tuple(
            Reached(each, owed((each.way.stack, each.way.logical_id)))
            for each in changed_reach(before, after)
        ),
        tuple(Billed(each, owed(*each.places)) for each in changed_costs(before, after)),
        money(before, after, prices),
    )


def _gone(environment: str, old: TemplateSet, edited: tuple[Edit, ...]) -> Outlook:
    order = tuple(each.name for each in old.stacks)
    left = tuple(dict.fromkeys(old.stack_name(each) for each in order))
    return Outlook(environment, "gone", old.prefix, left, order, None, (), (), (), (), edited)


def _moved(environment: str, old: TemplateSet, new: TemplateSet, edited: tuple[Edit, ...]) -> Outlook:
    found = deploy(settled(Account(), old), new, DELIVERY)
    causes = Attribution(found, (edited,), lambda _: None)
    said = tuple(Said(OF_KIND[each.kind], each, causes.of_finding(each)) for each in found.findings)
    return Outlook(
        environment,
        "moved",
        new.prefix,
        tuple(dict.fromkeys(old.stack_name(each.name) for each in old.stacks)),
        tuple(each.name for each in new.stacks),
        found.stopped_at,
        found.not_reached,
        tuple(sorted(said, key=lambda each: CONCERNS.index(each.concern))),
        (),
        (),
        edited,
    )


def _changed(step: Step, causes: Attribution, old: TemplateSet | None, new: TemplateSet) -> Changed:
    by = ", ".join(dict.fromkeys(each.path.partition(".")[0].partition("[")[0] for each in step.changes))
    same = (
        old is not None
        and step.action in ("update", "interrupt", "replace")
        and _body(old, step) is not None
        and _body(old, step) == _body(new, step)
    )
    return Changed(step, causes.of_step(step), by, same)


def _body(templates: TemplateSet, step: Step) -> Json:
    """What a template says of a resource, apart from where it came from."""
    for stack in templates.stacks:
        resources = stack.template.get("Resources") if stack.name == step.stack else None
        found = resources.get(step.logical_id) if isinstance(resources, dict) else None
        if isinstance(found, dict):
            return {key: value for key, value in found.items() if key != "Metadata"}
    return None
