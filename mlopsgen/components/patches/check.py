"""What patches made of the resources that they changed, each fault at its place in the patch that did it.

Only what is new is told: a resource is looked at as it was, and as it is with all its patches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from mlopsgen.components.patches import policies, schema
from mlopsgen.components.patches.references import Known, broken, circles
from mlopsgen.components.patches.rights import changed_rights
from mlopsgen.components.patches.schema import Path, PropertyFault
from mlopsgen.components.patches.spec import PatchSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.model.plan import Plan, Resource, Stack

REFUSED = "E252"
REFERENCE = "E253"
POLICY = "E254"


class Patched(NamedTuple):
    """Something found of a patched resource, with its code, and the patch that it belongs to."""

    code: str
    patch: str
    finding: Finding


def examine(before: Plan, after: Plan, patches: Sequence[PatchSpec]) -> Iterator[Patched]:
    """What CloudFormation or IAM would not take, or would take and ignore, of the patched resources."""
    earlier = {stack.name: stack for stack in before.stacks}
    for stack in after.stacks:
        own = [each for each in patches if each.stack == stack.name]
        if own:
            yield from _stack(after, earlier[stack.name], stack, own)


def _stack(plan: Plan, before: Stack, after: Stack, patches: Sequence[PatchSpec]) -> Iterator[Patched]:
    known = Known(
        after.name,
        {each.logical_id: each.type for each in after.resources},
        {each.name: each.type for each in after.parameters},
    )
    were = {each.logical_id: each for each in before.resources}
    touched = {each.resource for each in patches}
    for resource in after.resources:
        if resource.logical_id not in touched:
            continue
        there = set(_faults(were[resource.logical_id], known))
        for code, fault in _faults(resource, known):
            if (code, fault) not in there:
                yield _told(code, resource, fault, patches)
    now = {each.logical_id: each for each in after.resources}
    rings = circles({name: each.document for name, each in now.items()})
    for name in sorted(rings.keys() & touched):
        others = ", ".join(f"`{each}`" for each in sorted(rings[name]))
        message = f"it waits for {others}, and that for it: nothing could begin"
        yield _told(REFERENCE, now[name], PropertyFault((), message), patches)
    if any(were[name].document != now[name].document for name in touched if name in now):
        for each in changed_rights(plan, were, now):
            fault = PropertyFault(each.path, each.message, each.help)
            yield _told(each.code, now[each.resource], fault, patches)


def _faults(resource: Resource, known: Known) -> Iterator[tuple[str, PropertyFault]]:
    properties = resource.properties
    refused = tuple(schema.faults(resource.type, properties, known))
    yield from ((REFUSED, each) for each in refused if not each.reference)
    yield from ((REFERENCE, each) for each in refused if each.reference)
    yield from ((REFERENCE, PropertyFault(*each)) for each in broken(properties, known))
    for document in policies.documents(resource.type, properties):
        yield from ((POLICY, each) for each in policies.faults(document, known))


def _told(code: str, resource: Resource, fault: PropertyFault, patches: Iterable[PatchSpec]) -> Patched:
    """The fault at its place in the patch that reaches it best; of several, in the last."""
    own = [each for each in patches if each.resource == resource.logical_id] or [*patches]
    paths = [(_path(each, resource), each) for each in own]
    path, patch = max(enumerate(paths), key=lambda each: (_nearness(each[1][0], fault.path), each[0]))[1]
    at, key = _place(patch, path, fault)
    message = f"`{resource.logical_id}` of stack `{resource.stack}`: {fault.message}"
    return Patched(code, patch.name, Finding(at, message, fault.help, key=key))


def _path(patch: PatchSpec, resource: Resource) -> Path:
    """Where a patch begins, below `Properties`."""
    below: Path = tuple(patch.path.split("."))
    containers = resource.properties.get("ContainerDefinitions")
    if patch.container is None or not isinstance(containers, list):
        return below
    names = [each.get("Name") if isinstance(each, dict) else None for each in containers]
    index = names.index(patch.container) if patch.container in names else 0
    return ("ContainerDefinitions", index, *below)


def _nearness(path: Path, fault: Path) -> int:
    """How much of the two paths is one: a patch that holds the fault comes before one inside its place."""
    same = 0
    for one, other in zip(path, fault, strict=False):
        if one != other:
            break
        same += 1
    return 2 * same + (same == len(path))


def _place(patch: PatchSpec, path: Path, fault: PropertyFault) -> tuple[SpecPath, bool]:
    """Where to point, and whether it is a key that is wrong there."""
    at: SpecPath = ("spec", "patches", patch.name)
    inside = fault.path[: len(path)] == path
    if patch.value is None or (fault.key and path[: len(fault.path)] == fault.path):
        return (*at, "path"), False
    if not inside:
        return (*at, "value"), False
    return (*at, "value", *fault.path[len(path) :]), fault.key
