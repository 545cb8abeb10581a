"""The two sides of a comparison, each environment as a set of templates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple, cast

from mlopsgen.aws.prices import EVERYWHERE, Price, prices
from mlopsgen.compile import Compilation, compile_document
from mlopsgen.components.patches.apply import patch
from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.emit.cloudformation import template
from mlopsgen.forecast.edits import Edit, edits, groups, mixed
from mlopsgen.forecast.reviewed import Reviewed
from mlopsgen.language.load import load
from mlopsgen.lower import lower
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.model.plan import Plan
from mlopsgen.motion.reading import Unreadable, read
from mlopsgen.motion.stacks import Delivery, StackTemplate, Template, TemplateSet
from mlopsgen.rules.check import site_of
from mlopsgen.source.node import Node
from mlopsgen.source.parse import parse

DELIVERY = Delivery(prunes="never", imports=True, releases=True)
"""How the `deploy.sh` that is compiled now delivers, as long as nobody asks it to prune."""


class Sides(NamedTuple):
    """What was deployed, and what a merge brings."""

    before: Reviewed
    old: Mapping[str, TemplateSet]
    """By environment."""
    new: Mapping[str, TemplateSet]
    documents: tuple[Node, Node] | None
    """The two pipelines; None where the one before is not known, or says nothing to this version."""
    after: Node
    """The pipeline as it is now."""
    recompiled: bool
    """Whether the side before was compiled again, since what was generated is not in Git."""
    name: str
    """What the pipeline calls itself."""
    stages: tuple[str, ...]
    """The environments in the order in which a merge reaches them."""
    contract: Mapping[str, Mapping[str, Price]] = {}
    """The user's own prices, by region; they go before public ones."""

    @property
    def environments(self) -> tuple[str, ...]:
        """Those of both sides: the last stage first, then by name."""
        last_first = [each for each in reversed(self.stages) if each in self.new]
        return tuple(dict.fromkeys((*last_first, *sorted({*self.old, *self.new}))))

    def prices(self, region: str) -> Mapping[str, Price]:
        """What units cost in a region, as far as it is known."""
        own = {**self.contract.get(EVERYWHERE, {}), **self.contract.get(region, {})}
        return {**prices(region), **own}

    def edited(self, environment: str) -> tuple[tuple[Edit, ...], ...]:
        """What was edited and may concern an environment, in groups."""
        if self.documents is None:
            return ()
        found = edits(*self.documents)
        # That there is another environment may matter to this one, what it says of itself does not.
        return groups(
            each for each in found if each.environment in (None, environment) or len(each.path) == 3
        )

    def trial(self, environment: str, chosen: Iterable[Edit]) -> TemplateSet | None:
        """An environment of the pipeline with some of the edits; None if it says nothing with just these.

        Rules are not asked: half of an edit may well be refused, and still tells what comes from it.
        """
        if self.documents is None:
            return None
        document = mixed(*self.documents, chosen)
        try:
            for each in load(document, Pipeline):
                if each.environment == environment:
                    return set_of(patch(lower(site_of(each)), each.pipeline.spec.patches)[0])
        except Exception:
            # Checks keep nonsense from lowering, and are left out here, so that half of an edit may break it
            # anywhere. The whole pipeline has been checked and lowered before.
            return None
        return None


def sides(
    before: Reviewed,
    text: str,
    name: str,
    folder: Path | None = None,
    contract: Mapping[str, Mapping[str, Price]] | None = None,
) -> Sides:
    """Both sides: what was reviewed, and what the pipeline `text`, called `name`, compiles to.

    Build contexts are looked for below `folder`; without it they are taken on trust. Raises `Rejected` if the
    pipeline is, and `UserFault` if the side before cannot be read.
    """
    now = parse(text, name)
    compiled = compile_document(now, folder)
    then = _parsed(before, name)
    recompiled = not before.files and then is not None
    old = _recompiled(before, then) if recompiled and then else _read(before)
    return Sides(
        before,
        old,
        {each.environment: set_of(each.plan) for each in compiled},
        (then, now) if then is not None else None,
        now,
        recompiled,
        compiled[0].pipeline.metadata.name,
        _stages(compiled),
        contract or {},
    )


def set_of(plan: Plan) -> TemplateSet:
    """The templates of a plan, as CloudFormation gets them."""
    stacks = tuple(StackTemplate(each.name, cast(Template, template(each))) for each in plan.stacks)
    return TemplateSet(plan.prefix, plan.region, stacks, tuple(sorted(plan.tags)))


def _stages(compiled: Iterable[Compilation]) -> tuple[str, ...]:
    """The environments in the order of delivery, where the pipeline says one."""
    for each in compiled:
        if each.pipeline.spec.delivery is not None:
            return tuple(stage.name for stage in each.pipeline.spec.delivery.stages)
    return ()


def _parsed(before: Reviewed, name: str) -> Node | None:
    if before.pipeline is None:
        return None
    try:
        found = parse(before.pipeline, name)
        load(found, Pipeline)
    except Rejected:
        return None
    return found


def _recompiled(before: Reviewed, document: Node) -> dict[str, TemplateSet]:
    try:
        return {each.environment: set_of(each.plan) for each in compile_document(document)}
    except Rejected:
        raise UserFault(
            f"{before.title} has no generated files, and this version of mlopsgen refuses its pipeline; "
            "compare with a commit that has them, or with a folder"
        ) from None


def _read(before: Reviewed) -> dict[str, TemplateSet]:
    found = {}
    for environment in before.environments:
        try:
            found[environment] = read(before.of(environment))
        except Unreadable as error:
            raise UserFault(f"{before.title}, {environment}: {error}") from None
    return found
