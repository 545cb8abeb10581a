"""From a checked pipeline to a plan: bindings first, then what every component declares, then the stacks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush
from typing import TypeVar

from mlopsgen.aws.tags import with_tags
from mlopsgen.discovery import parts
from mlopsgen.document import Document
from mlopsgen.model.binding import Binding, Bindings, together
from mlopsgen.model.plan import (
    Command,
    Declaration,
    DeliveryWorkflow,
    FlowEdge,
    FlowNode,
    Image,
    Output,
    Parameter,
    Plan,
    Pointer,
    Principal,
    Publication,
    Resource,
    Stack,
    StackDescription,
    Task,
    declared,
)
from mlopsgen.model.site import Site
from mlopsgen.model.values import Published, Reference
from mlopsgen.model.workload import Workload
from mlopsgen.rules.waivers import waived

PARAMETER = "AWS::SSM::Parameter"


class Cycle(Exception):
    """Stacks that wait for each other; the text names them in order."""


class Collision(Exception):
    """One name twice in a template, which would hold the last alone."""


class Unpublished(Exception):
    """A value that a stack takes and no stack publishes, or the other way round."""


def lower(site: Site) -> Plan:
    """The plan of one environment. The pipeline has been checked, so any exception here is our bug."""
    bindings = bind(site)
    declarations = [
        *(each for binding in bindings.values() for each in binding.declarations),
        *(each for component in parts("resources") for each in component.declare(site, bindings)),
    ]
    declarations += _publications(site, declared(Publication, declarations))
    resources = declared(Resource, declarations)
    declarations += (each for component in parts("closing") for each in component.declare(site, resources))
    return Plan(
        name=site.name,
        environment=site.environment,
        region=site.region,
        account=site.spec.aws.account,
        tags=tags(site),
        stacks=stacks(site, declarations),
        principals=declared(Principal, declarations),
        images=_images(declared(Image, declarations)),
        tasks=declared(Task, declarations),
        nodes=tuple(dict.fromkeys(declared(FlowNode, declarations))),
        edges=tuple(dict.fromkeys(declared(FlowEdge, declarations))),
        commands=declared(Command, declarations),
        workflow=next(iter(declared(DeliveryWorkflow, declarations)), None),
        pointers=declared(Pointer, declarations),
        protected=site.spec.protection.stacks,
    )


def bind(site: Site) -> Bindings:
    """What each workload gets because of what it names, by its name."""
    return {each.name: _bound(site, each) for each in site.workloads}


def _bound(site: Site, workload: Workload) -> Binding:
    return together((Binding(), *(each.bind(site, workload) for each in parts("binding"))))


def tags(site: Site) -> tuple[tuple[str, str], ...]:
    """What every resource is tagged with: the labels, and which pipeline and environment it belongs to."""
    own = {"mlopsgen:pipeline": site.name, "mlopsgen:environment": site.environment}
    return tuple(sorted({**site.pipeline.metadata.labels, **own}.items()))


def _publications(site: Site, publications: Iterable[Publication]) -> Iterable[Resource]:
    """The SSM parameters by which stacks tell each other values."""
    for each in publications:
        reference = each.reference
        properties: dict[str, Document] = {
            "Description": f"{reference.key} of {site.prefix}, read by its other stacks",
            "Name": site.parameter(reference.key),
            "Type": "StringList" if reference.type.startswith("List<") else "String",
            "Value": each.value,
        }
        yield Resource(
            reference.stack,
            f"{reference.parameter}Parameter",
            PARAMETER,
            {"Properties": properties, "Type": PARAMETER},
            each.origin,
            each.references,
        )


def stacks(site: Site, declarations: Sequence[Declaration]) -> tuple[Stack, ...]:
    """The declarations of each stack together; stacks in the order of their deployment.

    Raises `Unpublished`, `Collision` and `Cycle`: each is a bug of a component.
    """
    described = {each.name: each for each in declared(StackDescription, declarations)}
    resources = _by_stack(Resource, declarations)
    parameters, outputs = _by_stack(Parameter, declarations), _by_stack(Output, declarations)
    _match_publications(declarations, resources)
    found = {
        name: _stack(site, described[name], own, parameters.get(name, []), outputs.get(name, []))
        for name, own in sorted(resources.items())
    }
    return tuple(found[name] for name in in_order(found))


Own = TypeVar("Own", Resource, Parameter, Output)


def _by_stack(kind: type[Own], declarations: Iterable[Declaration]) -> dict[str, list[Own]]:
    """The declarations of one kind by the stack that they belong to."""
    found: dict[str, list[Own]] = {}
    for each in declared(kind, declarations):
        found.setdefault(each.stack, []).append(each)
    return found


def _match_publications(declarations: Iterable[Declaration], resources: dict[str, list[Resource]]) -> None:
    """What is taken is published, and what is published is taken or says why it is kept."""
    publications = {each.reference: each for each in declared(Publication, declarations)}
    taken = {
        reference
        for own in resources.values()
        for each in own
        for reference in each.references
        if isinstance(reference, Published)
    }
    for reference in sorted(taken - publications.keys(), key=lambda each: each.key):
        raise Unpublished(f"no stack publishes `{reference.key}`, which others take")
    for reference, publication in publications.items():
        if reference not in taken and publication.kept is None:
            raise Unpublished(f"`{reference.key}` is published, and no stack takes it")


def in_order(stacks: dict[str, Stack]) -> tuple[str, ...]:
    """The names so that each stack comes after those that it requires; else by phase and name.

    Raises `Cycle`.
    """
    waiting = {name: {each for each in stack.requires if each in stacks} for name, stack in stacks.items()}
    ready = [(stacks[name].phase, name) for name, before in waiting.items() if not before]
    heapify(ready)
    after: dict[str, list[str]] = {}
    for name, before in waiting.items():
        for each in before:
            after.setdefault(each, []).append(name)
    order: list[str] = []
    while ready:
        _, name = heappop(ready)
        order.append(name)
        for other in after.get(name, ()):
            waiting[other].remove(name)
            if not waiting[other]:
                heappush(ready, (stacks[other].phase, other))
    if len(order) < len(stacks):
        raise Cycle(" → ".join(_circle({name: before for name, before in waiting.items() if before})))
    for name in order:
        for other in stacks[name].requires:
            assert stacks[other].phase <= stacks[name].phase, f"`{name}` requires `{other}` of a later phase"
    return tuple(order)


def _circle(waiting: dict[str, set[str]]) -> list[str]:
    """One circle among stacks that all wait, its first name again at its end."""
    walked = [min(waiting)]
    while True:
        after = min(waiting[walked[-1]])
        if after in walked:
            return [*walked[walked.index(after) :], after]
        walked.append(after)


def _stack(
    site: Site,
    description: StackDescription,
    resources: Sequence[Resource],
    parameters: Sequence[Parameter],
    outputs: Sequence[Output],
) -> Stack:
    name = description.name
    references = tuple(dict.fromkeys(reference for each in resources for reference in each.references))
    taken = (_parameter(site, name, each) for each in references if isinstance(each, Published))
    parameters = tuple(dict.fromkeys((*taken, *parameters)))
    own = tags(site)
    finished = (waived(tagged(each, site.prefix, own)) for each in resources)
    _distinct(name, (*(each.logical_id for each in resources), *(each.name for each in parameters)))
    _distinct(name, (each.name for each in outputs))
    return Stack(
        name=name,
        description=f"{site.name} in {site.environment}: {description.text}. "
        "Compiled by mlopsgen; edit the pipeline, not this file.",
        phase=description.phase,
        resources=tuple(finished),
        parameters=parameters,
        outputs=tuple(outputs),
        requires=tuple(sorted({each.stack for each in references} - {name})),
    )


def _distinct(stack: str, names: Iterable[str]) -> None:
    """Resources and parameters of a template share one set of names, outputs have another."""
    for name, times in Counter(names).items():
        if times > 1:
            raise Collision(f"stack `{stack}` has `{name}` {times} times")


def tagged(each: Resource, prefix: str, own: tuple[tuple[str, str], ...]) -> Resource:
    """The resource with its tags, if its type takes some."""
    properties = with_tags(each.type, each.properties, own, called=f"{prefix}-{each.logical_id}")
    return each._replace(document={**each.document, "Properties": properties}) if properties else each


def _parameter(site: Site, stack: str, reference: Reference) -> Parameter:
    assert isinstance(reference, Published)
    return Parameter(
        stack,
        reference.parameter,
        f"AWS::SSM::Parameter::Value<{reference.type}>",
        reference.description,
        default=site.parameter(reference.key),
    )


def _images(images: Iterable[Image]) -> tuple[Image, ...]:
    """Each image once, by name. What those that share it do not agree on, it does not say."""
    merged: dict[str, Image] = {}
    for image in sorted(images, key=lambda each: (each.name, each.origin)):
        first = merged.setdefault(image.name, image)
        if (first.port, first.health_path) != (image.port, image.health_path):
            merged[image.name] = first = first._replace(port=None, health_path=None)
        volumes = tuple(sorted({*first.volumes, *image.volumes}))
        merged[image.name] = first._replace(volumes=volumes)
    return tuple(merged.values())
