"""CloudFormation itself: names, parameters, types, stacks that nobody deploys any more."""

from __future__ import annotations

import re
from collections.abc import Iterator

from mlopsgen.aws.resource_types import known, resource_type
from mlopsgen.aws.verdicts import holds_data, names_within, renames
from mlopsgen.motion.live import Live
from mlopsgen.motion.outcome import Change
from mlopsgen.motion.rule import Claim, Ending, Event, Rule, Said, closing, exclusive, on

TYPE_CHANGE = Rule(
    "type-change",
    "fails",
    "give the new resource another logical id",
    'CloudFormation: "Update of resource type is not permitted. The new template modifies '
    "resource type of the "
    'following resources" (aws-cdk issue 8170)',
)
UPDATE_REFUSED = Rule(
    "update-refused",
    "fails",
    "make a second resource beside it, move what uses it, and take the first away",
    "CloudFormation template reference, AWS::KMS::Key: KeySpec, KeyUsage, MultiRegion and Origin",
)
DEFAULT_IGNORED = Rule(
    "parameter-default-ignored",
    "silent",
    "pass the parameter explicitly (--parameter-overrides), or give it another name",
    "AWS CLI user guide, cloudformation deploy, --parameter-overrides: what is not specified "
    "keeps the stack's "
    "existing value (aws-cdk issue 7722)",
)
PATH_GONE = Rule(
    "ssm-path-gone",
    "fails",
    "deploy the stack that publishes it first, and let it go on publishing until nobody reads it",
    'CloudFormation user guide, "Specify existing resources at runtime with '
    "CloudFormation-supplied parameter "
    'types": the value is fetched whenever a stack is created or updated',
)
STACK_POLICY = Rule(
    "stack-policy",
    "fails",
    "another policy for the one deployment that is meant to do it (`protection: {stacks: false}`)",
    'CloudFormation user guide, "Prevent updates to stack resources": Update:Replace and Update:Delete',
)
TAKEN_AS_IT_IS = Rule(
    "taken-as-it-is",
    "silent",
    "detect drift after the import, and change the resource by hand or with a deployment that "
    "changes the property",
    'CloudFormation user guide, "Import AWS resources into a CloudFormation stack": that the '
    "template matches what "
    "is imported is not checked",
)
ORPHAN = Rule(
    "orphan-stack",
    "left-over",
    "delete the stack (`deploy.sh --prune`): it runs, costs, answers, and keeps its names",
    "CloudFormation user guide: a stack exists until it is deleted",
)


def other_type(before: str, after: str) -> Said:
    """That a logical id has another type now."""
    return Said(
        f"it was {before} and would be {after} under the same logical id", Change("Type", before, after)
    )


def refused(change: Change) -> Said:
    """That a property can never change."""
    return Said(f"`{change.path}` cannot be changed, and the resource is not replaced for it", change)


def ignored(name: str, change: Change) -> Said:
    """That a new default does not count."""
    return Said(f"parameter `{name}` keeps the value `{change.before}`: a new default does not count", change)


def as_it_is(changes: tuple[Change, ...]) -> Said:
    """That what is imported is not as the template says."""
    return Said(f"it is imported as it is, where `{changes[0].path}` is another", changes[0])


def guarded(live: Live, *, replaced: bool) -> Said:
    """That a stack's policy forbids it."""
    what = "replaced" if replaced else "taken away"
    return Said(f"{live.title} ({live.type}) would be {what}, which the stack's policy forbids")


def gone(name: str, path: str) -> Said:
    """That nobody publishes what a parameter reads."""
    return Said(f"parameter `{name}` reads {path}, and nobody publishes it by then")


def orphaned(stack: str) -> Said:
    """That a stack is not deployed any more."""
    return Said(f"stack {stack} is deployed no longer, and nothing deletes it")


def held(claim: Claim, holder: Live, after: Live) -> Said:
    """That something is taken."""
    change = Change(claim.path, None, after.at(claim.path)) if claim.path else None
    if holder.place == after.place:
        return Said(
            f"it is replaced, and the new one is made while the old one still has {claim.what}",
            change,
            instead="change the name together with what replaces it, or let CloudFormation give the name",
        )
    if not holder.stack:
        return Said(
            f"{claim.what} is still held by {holder.title}: it was kept when its stack let it go",
            change,
            instead="take it back (a change set with ImportExistingResources), or delete it",
        )
    return Said(f"{claim.what} is still held by {holder.title}", change)


def let_go(claim: Claim, holder: Live) -> Said:
    """That something is given up at the same time as it is taken, by two resources that do not wait."""
    return Said(
        f"{claim.what} is given up by {holder.title} in the same update, and nothing says which is first"
    )


@exclusive(
    "name-taken",
    (),
    instead="delete what has the name first, or take another name",
    source='CloudFormation template reference, "Name type": a custom name has to be unique, and '
    "a resource that "
    "has one cannot be replaced without another",
)
def _names(live: Live) -> Iterator[Claim]:
    """A name is one resource's; and where the template gives the whole identifier, that is a name too."""
    if not known(live.type):
        return
    kind = resource_type(live.type)
    for name in sorted(renames(live.type)):
        value = live.properties.get(name)
        if isinstance(value, str):
            within = tuple(live.word(each) for each in names_within(live.type))
            yield Claim(("name", live.type, *within, value), f"the name `{value}`", name)
    if not kind.names and live.named and not kind.deletes_first:
        # Such as the policy of a bucket: the bucket has one.
        yield Claim(("identifier", live.type, live.named), f"`{kind.identifier[0]}` {live.named}")


@on(
    "empty-beside-kept",
    "loses",
    ("create",),
    (),
    instead="take the kept one back (a change set with ImportExistingResources), or copy what it holds",
    source='CloudFormation template reference, "DeletionPolicy attribute": what is retained is '
    "no longer part of "
    "a stack, and a stack that is made again makes another",
)
def _made_again(event: Event) -> Iterator[Said]:
    """What held data was kept when it left; under the same logical id another, empty one is made."""
    data = holds_data(event.new.type) if known(event.new.type) else None
    kept = (
        each
        for each in event.world.of(event.new.type)
        if not each.stack and (each.short, each.logical_id) == (event.new.short, event.new.logical_id)
    )
    if data and any(each.ref() != event.new.ref() for each in kept):
        yield Said(
            f"a new one is made, and what was kept of the earlier one ({data}) stays in the earlier one"
        )


@on(
    "data-deleted",
    "loses",
    ("delete",),
    (),
    instead="`DeletionPolicy: Retain` and `UpdateReplacePolicy: Retain`, deployed before it goes",
    source='CloudFormation template reference, "DeletionPolicy attribute": by default what a '
    "stack no longer has "
    "is deleted",
)
def _deleted(event: Event) -> Iterator[Said]:
    """What holds data is deleted and not kept."""
    data = holds_data(event.old.type) if known(event.old.type) else None
    if data and event.old.type not in ("AWS::S3::Bucket", "AWS::ECR::Repository", "AWS::KMS::Key"):
        yield Said(f"it is deleted with {data}")


@on(
    "empty-replacement",
    "loses",
    ("replace",),
    (),
    instead="leave it as it is and make a second one; copy; let the users move; then take the first away",
    source='CloudFormation user guide, "Update behaviors of stack resources": a replacement is '
    "a new resource",
)
def _replaced(event: Event) -> Iterator[Said]:
    """What holds data is replaced by one that holds nothing."""
    data = holds_data(event.new.type) if known(event.new.type) else None
    if data:
        yield Said(f"another takes its place, without {data}", event.changes[0] if event.changes else None)


@closing(
    "points-to-gone",
    "silent",
    instead="deploy what names it once more, after what it names",
    source='CloudFormation user guide, "Update behaviors of stack resources": a replaced '
    "resource has another "
    "physical id, which other stacks do not learn by themselves",
)
def _points_to_gone(ending: Ending) -> Iterator[Said]:
    """Something that is live names what is gone, such as the schedule of a stack that nobody deploys."""
    live = {each.id for each in ending.after.of(*ending.after.by_type)}
    for each in ending.after.of(*ending.after.by_type):
        for name in sorted(set(_MADE.findall(each.text)) - live):
            yield Said(f"it names {name[2:-1].partition('#')[0]}, as it was, and that is gone", about=each)


_MADE = re.compile(r"\$\{[A-Za-z0-9-]+/[A-Za-z0-9]+#[0-9]+\}")
