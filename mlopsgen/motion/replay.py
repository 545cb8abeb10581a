"""Deployments carried out in the mind: each stack in its turn, against what is live by then.

A comparison of two sets of templates sees no order, and nothing that another stack holds. Here every resource
is resolved as CloudFormation would resolve it at that moment, with the values that earlier stacks published;
it is new, the same, or changed by that; and what goes is deleted once its stack is done (CloudFormation user
guide, "Update behaviors of stack resources" and "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS").
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from mlopsgen.aws.resource_types import known, resource_type
from mlopsgen.aws.verdicts import named_everywhere, refuses, replaces, replaces_after_all
from mlopsgen.motion.differences import differences
from mlopsgen.motion.live import Account, Live, LiveStack
from mlopsgen.motion.outcome import Action, Change, Finding, Step
from mlopsgen.motion.parameters import Given, given
from mlopsgen.motion.rule import Ending, Event, Rule, Said, World, endings, holders, steps
from mlopsgen.motion.rules import cloudformation, elasticloadbalancing
from mlopsgen.motion.stacks import Delivery, Json, StackTemplate, TemplateSet
from mlopsgen.motion.values import Scope, holds, resolve

DELIVERY = Delivery()

_KEEPS = frozenset({"Retain", "RetainExceptOnCreate"})
"""Policies under which a resource stays that had been there (CloudFormation, "DeletionPolicy attribute")."""


class Forecast(NamedTuple):
    """What one deployment does."""

    steps: tuple[Step, ...]
    """In the order in which they are taken."""
    findings: tuple[Finding, ...]
    stopped_at: str | None
    """The stack that fails, without the prefix; None if none does."""
    not_reached: tuple[str, ...]
    """The stacks that would have come after it."""
    account: Account
    """What is there afterwards: a stack that failed is as it was before."""

    @property
    def failures(self) -> tuple[Finding, ...]:
        """Why it stops."""
        return tuple(each for each in self.findings if each.stops)

    @property
    def assumptions(self) -> tuple[str, ...]:
        """What the account has to be asked, each once."""
        return tuple(dict.fromkeys(each.assumption for each in self.findings if each.assumption))


def forecast(old: TemplateSet | None, new: TemplateSet, delivery: Delivery = DELIVERY) -> Forecast:
    """What becomes of `old`, as it was deployed (None: nothing was), when `new` is deployed."""
    if old is None:
        return deploy(Account(), new, delivery)
    return deploy(settled(Account(), old), new, delivery, old)


def settled(account: Account, templates: TemplateSet) -> Account:
    """The account with a set in it, taking for granted that it could be deployed."""
    return _Replay(account, templates, Delivery(prunes="around", imports=True), checks=False).run().account


def deploy(
    account: Account,
    templates: TemplateSet,
    delivery: Delivery = DELIVERY,
    before: TemplateSet | None = None,
) -> Forecast:
    """What becomes of an account when a set is deployed to it; `before` is what it takes the place of.

    Without `before`, stacks of the same pipeline and environment are those that it takes the place of.
    """
    return _Replay(account, templates, delivery, before=before).run()


def unhindered(
    account: Account,
    templates: TemplateSet,
    delivery: Delivery = DELIVERY,
    before: TemplateSet | None = None,
) -> Account:
    """The account as `deploy` would leave it if nothing stood in its way: what a set is meant to bring."""
    return _Replay(account, templates, delivery, before=before, checks=False).run().account


class _Replay:
    """One deployment while it runs."""

    def __init__(
        self,
        account: Account,
        templates: TemplateSet,
        delivery: Delivery,
        *,
        before: TemplateSet | None = None,
        checks: bool = True,
    ) -> None:
        self.account, self.templates, self.delivery, self.before = account, templates, delivery, before
        self.checks = checks
        self.stacks = dict(account.stacks)
        self.kept = list(account.kept)
        self.born = dict(account.born)
        self.world = World(templates.region, delivery.waits_minutes)
        self.published: dict[str, Json] = {}
        self.steps: list[Step] = []
        self.findings: list[Finding] = []
        for each in account.resources():
            self.appears(each)

    def run(self) -> Forecast:
        """Take every step, until one fails."""
        left = self._left()
        used = [each for each in left if self.delivery.prunes == "around" and self._used(each, left)]
        failed = self._prune([each for each in left if each not in used])
        waiting = [each.name for each in self.templates.stacks]
        while not failed and waiting:
            entry = self.templates.stacks[-len(waiting)]
            stack = _Stack(self, entry)
            failed = entry.name if stack.deploy() else None
            waiting.pop(0)
        failed = failed or self._prune(used)
        if self.checks and not failed:
            ending = Ending(self.account, self.world, tuple(self.steps))
            for rule in endings():
                for said in rule.look(ending):
                    assert said.about, rule.name
                    self.says(rule, said, said.about)
        account = Account(self.stacks, tuple(self.kept), self.born)
        steps = tuple(self.steps)
        return Forecast(steps, tuple(self.findings), failed, tuple(dict.fromkeys(waiting)), account)

    # What stacks do, to the world and to the record.

    def appears(self, live: Live) -> None:
        """Something is there."""
        if live.region != self.templates.region and not named_everywhere(live.type):
            return
        self.world.by_type.setdefault(live.type, []).append(live)
        if live.type == "AWS::SSM::Parameter":
            self.published[live.word("Name")] = live.at("Value")
        for rule in holders(live.type):
            for claim in rule.claims(live):
                self.world.exclusive[claim.key] = live

    def goes(self, live: Live) -> None:
        """Something is there no longer."""
        found = self.world.by_type.get(live.type, [])
        found[:] = [each for each in found if each is not live]
        if live.type == "AWS::SSM::Parameter":
            self.published.pop(live.word("Name"), None)
        for rule in holders(live.type):
            for claim in rule.claims(live):
                if self.world.exclusive.get(claim.key) is live:
                    del self.world.exclusive[claim.key]

    def step(self, action: Action, live: Live, changes: tuple[Change, ...] = ()) -> None:
        """Write a step down."""
        self.steps.append(Step(live.short, live.logical_id, live.type, action, changes, live.origin))

    def says(self, rule: Rule, said: Said, about: Live) -> bool:
        """Write down what a rule says; whether the deployment stops there."""
        finding = Finding(
            rule.name,
            rule.kind,
            about.short,
            about.logical_id,
            about.type,
            said.reason,
            said.instead or rule.instead,
            rule.source,
            said.change,
            said.assumption,
            about.origin,
        )
        self.findings.append(finding)
        return finding.stops

    def look(self, event: Event) -> tuple[bool, bool]:
        """Ask the rules about a step: whether the deployment stops there, whether what goes stays behind."""
        stops = stays = False
        if self.checks:
            for rule in steps(event.here.type, event.trigger):
                for said in rule.look(event):
                    held = rule.kind == "left-over" and said.about is None
                    if held and event.whole:
                        # A stack cannot go while one of its resources cannot: DELETE_FAILED.
                        rule = replace(rule, kind="fails")
                    stops |= self.says(rule, said, said.about or event.here)
                    stays |= held and said.assumption is None
        return stops, stays

    def removed(
        self, live: Live, policy: str, *, whole: bool, staying: frozenset[str], quietly: bool
    ) -> bool:
        """Something leaves its stack: it is deleted, or stays in the account. Whether that fails.

        `quietly`: it was replaced, so that it is no step of its own.
        """
        if policy in _KEEPS:
            self._stays(live)
            if not quietly:
                self.step("retain", live)
            return False
        stops, stays = self.look(Event("delete", live, None, self.world, whole=whole, staying=staying))
        self.goes(live)
        if stays and not stops:
            self._stays(live)
        if not quietly:
            self.step("delete", live)
        return stops

    def _stays(self, live: Live) -> None:
        self.goes(live)
        loose = replace(live, stack="")
        self.kept.append(loose)
        self.appears(loose)

    # Stacks that the set no longer has.

    def _prune(self, stacks: list[LiveStack]) -> str | None:
        for stack in reversed(stacks):
            if self.delivery.prunes == "never" or not self._ours(stack):
                for live in stack.resources.values():
                    self.step("orphan", live)
                if self.checks:
                    first = next(iter(stack.resources.values()))
                    self.says(cloudformation.ORPHAN, cloudformation.orphaned(stack.name), first)
                continue
            failed = False
            for live in reversed([*stack.resources.values()]):
                if self.delivery.releases and live.type == elasticloadbalancing.BALANCER:
                    self.goes(live)
                    live = elasticloadbalancing.released(live)
                    self.appears(live)
                failed |= self.removed(live, live.deletion, whole=True, staying=frozenset(), quietly=False)
            if failed:
                return stack.short
            del self.stacks[stack.key]
        return None

    def _left(self) -> list[LiveStack]:
        names = {self.templates.stack_name(each.name) for each in self.templates.stacks}
        earlier = self.before
        theirs = (
            {(earlier.region, earlier.stack_name(each.name)) for each in earlier.stacks} if earlier else set()
        )
        return [
            each
            for each in self.stacks.values()
            if (each.key in theirs or self._ours(each))
            and (each.region != self.templates.region or each.name not in names)
            and each.resources
        ]

    def _used(self, stack: LiveStack, left: list[LiveStack]) -> bool:
        """Whether a stack that stays names something of this one."""
        names = [f"${{{stack.name}/"]
        names += [each.named for each in stack.resources.values() if each.named]
        names += [each.word("ManagedPolicyName") or names[0] for each in stack.resources.values()]
        return any(
            name in each.text
            for other in self.stacks.values()
            if other not in left and other.region == stack.region
            for each in other.resources.values()
            for name in names
        )

    def _ours(self, stack: LiveStack) -> bool:
        return stack.region == self.templates.region and stack.owner == self.templates.owner


class _Stack:
    """One stack while it is deployed."""

    def __init__(self, replay: _Replay, entry: StackTemplate) -> None:
        self.replay, self.entry = replay, entry
        self.name = replay.templates.stack_name(entry.name)
        self.region = replay.templates.region
        self.live = replay.stacks.get((self.region, self.name))
        self.old: Mapping[str, Live] = self.live.resources if self.live else {}
        found = entry.template.get("Resources")
        assert isinstance(found, dict)
        self.declared: dict[str, dict[str, Json]] = {
            name: each for name, each in found.items() if isinstance(each, dict)
        }
        self.new: dict[str, Live] = {}
        self.replaced: list[Live] = []
        self.let_go: dict[tuple[str, ...], Live] = {}
        """What was held by something of this stack that has just been changed in place."""
        self.needs: list[set[str]] = []
        self.under_way: set[str] = set()
        self.failed = False
        self.retagged = self.live is not None and self.live.tags != replay.templates.tags

    def deploy(self) -> bool:
        """Carry it out; whether it fails."""
        parameters = given(self.entry, self.live, self.replay.delivery, self.replay.published)
        if self._refused(parameters):
            return True
        pseudo: dict[str, Json] = {
            "AWS::Region": self.region,
            "AWS::StackName": self.name,
            "AWS::NoValue": "${AWS::NoValue}",
        }
        unknown = ("AccountId", "Partition", "URLSuffix", "StackId", "NotificationARNs")
        pseudo |= {f"AWS::{each}": f"${{AWS::{each}}}" for each in unknown}
        self.scope = Scope({**pseudo, **parameters.values}, self._ref, self._attribute, self.entry.template)
        self.staying = frozenset(
            name for name, each in self.declared.items() if holds(each.get("Condition"), self.scope)
        )
        before, kept = len(self.replay.steps), list(self.replay.kept)
        for name in self.declared:
            self._resource(name)
        if not self.failed:
            self._clean_up()
        if self.failed:
            # What it had done is undone again.
            self.replay.kept = kept
            del self.replay.steps[before:]
            return True
        self.replay.stacks[(self.region, self.name)] = LiveStack(
            self.region,
            self.name,
            self.entry.name,
            self.replay.templates.owner,
            self.replay.templates.tags,
            parameters.words,
            self.new,
        )
        return False

    def _refused(self, parameters: Given) -> bool:
        if not self.replay.checks:
            return False
        whole = Live(self.region, self.name, self.entry.name, "", "AWS::CloudFormation::Stack", 1, {})
        stops = [self.replay.says(rule, said, whole) for rule, said in parameters.said]
        return any(stops)

    # One resource.

    def _resource(self, name: str) -> None:
        """Deploy one, and first those that it needs."""
        if name in self.new or name in self.under_way or name not in self.staying:
            return
        body = self.declared[name]
        self.under_way.add(name)
        self.needs.append(set())
        depends = body.get("DependsOn")
        for each in depends if isinstance(depends, list) else [depends]:
            if isinstance(each, str):
                self._need(each)
        properties = resolve(body.get("Properties") or {}, self.scope)
        assert isinstance(properties, dict)
        needs = frozenset(self.needs.pop())
        self._settle(name, body, properties, needs)
        self.under_way.discard(name)

    def _settle(
        self, name: str, body: Mapping[str, Json], properties: dict[str, Json], needs: frozenset[str]
    ) -> None:
        old = self.old.get(name)
        update_policy = body.get("UpdatePolicy")
        after = Live(
            self.region,
            self.name,
            self.entry.name,
            name,
            str(body["Type"]),
            old.number if old else self._number(name),
            properties,
            self.name,
            old.version if old else 1,
            str(body.get("DeletionPolicy") or "Delete"),
            str(body.get("UpdateReplacePolicy") or "Delete"),
            needs,
            update_policy if isinstance(update_policy, dict) else {},
            _origin(body),
        )
        if not old:
            self._create(after)
        elif old.type != after.type:
            said = cloudformation.other_type(old.type, after.type)
            self.failed |= self.replay.says(cloudformation.TYPE_CHANGE, said, after)
            self.new[name] = after
        elif old.properties == properties:
            self._same(old, after)
        else:
            self._change(old, after)

    def _same(self, old: Live, after: Live) -> None:
        self.replay.goes(old)
        self.replay.appears(after)
        self.new[after.logical_id] = after
        kind = resource_type(after.type) if known(after.type) else None
        if self.retagged and kind and kind.tags and kind.updatable:
            tags = [dict(each) for each in (self.live.tags if self.live else (), self.replay.templates.tags)]
            change = Change("Tags", dict(tags[0]), dict(tags[1]))
            self.replay.step("update", after, (change,))

    def _create(self, after: Live) -> None:
        taken_back = self._taken_back(after)
        if taken_back:
            self.replay.kept.remove(taken_back)
            self.replay.goes(taken_back)
        self._check_exclusive(after, None)
        if taken_back:
            changes = differences(taken_back.properties, after.properties)
            if changes and self.replay.checks:
                self.replay.says(cloudformation.TAKEN_AS_IT_IS, cloudformation.as_it_is(changes), after)
            self.replay.step("import", after, changes)
        else:
            stops, _ = self._look("create", None, after)
            self.failed |= stops
            self.replay.step("create", after)
        self.replay.appears(after)
        self.new[after.logical_id] = after

    def _taken_back(self, after: Live) -> Live | None:
        """What was kept and is imported now, in place of making another.

        Only what the template names can be, and what it would keep again (CloudFormation API reference,
        CreateChangeSet, ImportExistingResources).
        """
        if not self.replay.delivery.imports or not after.named or after.deletion not in _KEEPS:
            return None
        return next((each for each in self.replay.kept if each.id == after.id), None)

    def _change(self, old: Live, after: Live) -> None:
        changes = differences(old.properties, after.properties)
        if known(after.type) and (fixed := refuses(after.type, old.properties, after.properties)):
            said = cloudformation.refused(_first(changes, fixed))
            self.failed |= self.replay.says(cloudformation.UPDATE_REFUSED, said, after)
        causes = _replacing(old, after)
        if causes:
            self._replace(old, replace(after, number=self._number(after.logical_id), version=1), changes)
            return
        self._check_exclusive(after, old)
        before = len(self.replay.findings)
        stops, _ = self._look("update", old, after, changes)
        self.failed |= stops
        noticed = any(
            each.kind == "interrupts" and each.assumption is None and each.logical_id == after.logical_id
            for each in self.replay.findings[before:]
        )
        self.replay.step("interrupt" if noticed else "update", after, changes)
        for rule in holders(old.type):
            self.let_go |= {claim.key: old for claim in rule.claims(old)}
        self.replay.goes(old)
        if any(each.path.startswith("LaunchTemplateData") for each in changes):
            after = replace(after, version=after.version + 1)
        self.replay.appears(after)
        self.new[after.logical_id] = after

    def _guarded(self, old: Live, *, replaced: bool) -> None:
        if self.replay.checks and old.type in self.replay.delivery.guards:
            said = cloudformation.guarded(old, replaced=replaced)
            self.failed |= self.replay.says(cloudformation.STACK_POLICY, said, old)

    def _replace(self, old: Live, after: Live, changes: tuple[Change, ...]) -> None:
        self._guarded(old, replaced=True)
        first_goes = resource_type(after.type).deletes_first
        if first_goes:
            self.failed |= self.replay.removed(
                old, old.replacement, whole=False, staying=self.staying, quietly=True
            )
        else:
            self.replaced.append(old)
        self._check_exclusive(after, None)
        stops, _ = self._look("replace", old, after, changes)
        self.failed |= stops
        self.replay.step("replace", after, changes)
        self.replay.appears(after)
        self.new[after.logical_id] = after

    def _clean_up(self) -> None:
        """Delete what was replaced or is declared no longer, the last first."""
        replaced = {id(each) for each in self.replaced}
        for old in reversed([*self.old.values()]):
            gone = old.logical_id not in self.new
            if gone or id(old) in replaced:
                policy = old.deletion if gone else old.replacement
                if gone:
                    self._guarded(old, replaced=False)
                self.failed |= self.replay.removed(
                    old, policy, whole=False, staying=self.staying, quietly=not gone
                )

    def _look(
        self, trigger: str, old: Live | None, after: Live, changes: tuple[Change, ...] = ()
    ) -> tuple[bool, bool]:
        assert trigger in ("create", "update", "replace")
        event = Event(trigger, old, after, self.replay.world, changes, staying=self.staying)  # type: ignore[arg-type]
        return self.replay.look(event)

    def _check_exclusive(self, after: Live, old: Live | None) -> None:
        """Say what `after` takes that another holds; `old` is the same one before its change in place."""
        if not self.replay.checks:
            return
        for rule in holders(after.type):
            for claim in rule.claims(after):
                holder = self.replay.world.exclusive.get(claim.key)
                if holder is not None and holder is not old:
                    said = cloudformation.held(claim, holder, after)
                    self.failed |= self.replay.says(rule, said, after)
                    continue
                let_go = self.let_go.get(claim.key)
                if let_go and let_go.place != after.place and not self._waits(after, let_go.logical_id):
                    said = cloudformation.let_go(claim, let_go)
                    self.failed |= self.replay.says(rule, said, after)

    def _waits(self, after: Live, name: str) -> bool:
        """Whether a resource is only deployed once another of the stack is."""
        seen: set[str] = set()
        waiting = list(after.needs)
        while waiting:
            each = waiting.pop()
            if each == name:
                return True
            if each not in seen and each in self.new:
                seen.add(each)
                waiting.extend(self.new[each].needs)
        return False

    # What names mean.

    def _need(self, name: str) -> Live | None:
        if self.needs:
            self.needs[-1].add(name)
        self._resource(name)
        return self.new.get(name) or self.old.get(name)

    def _ref(self, name: str) -> Json:
        found = self._need(name)
        return found.ref() if found else f"${{{self.name}/{name}}}"

    def _attribute(self, name: str, path: str) -> Json:
        found = self._need(name)
        return found.attribute(path) if found else f"${{{self.name}/{name}}}.{path}"

    def _number(self, name: str) -> int:
        key = (self.name, name)
        self.replay.born[key] = self.replay.born.get(key, 0) + 1
        return self.replay.born[key]


def _origin(body: Mapping[str, Json]) -> str:
    match body.get("Metadata"):
        case {"mlopsgen": {"from": str(origin)}}:
            return origin
    return ""


def _replacing(old: Live, new: Live) -> frozenset[str]:
    """The properties because of which there will be another resource."""
    if not known(new.type):
        return frozenset()
    return replaces(new.type, old.properties, new.properties) | replaces_after_all(
        new.type, old.properties, new.properties, new.update_policy
    )


def _first(changes: Iterable[Change], names: Iterable[str]) -> Change:
    return next(_below(changes, names))


def _below(changes: Iterable[Change], names: Iterable[str]) -> Iterator[Change]:
    for each in changes:
        if each.path.partition(".")[0].partition("[")[0] in {name.partition("/")[0] for name in names}:
            yield each
