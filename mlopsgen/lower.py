"""From a checked pipeline to a plan: every component declares its parts, and they are put in order."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from troposphere import AWSHelperFn, BaseAWSObject, Tags

from mlopsgen.components import components
from mlopsgen.components.base import Site
from mlopsgen.plan import (
    Body,
    Command,
    Edge,
    Image,
    Output,
    Parameter,
    Part,
    Plan,
    Principal,
    Resource,
    Stack,
    Task,
    Thing,
    Workflow,
    of,
    stack_order,
)
from mlopsgen.spec.pipeline import Pipeline
from mlopsgen.tagging import tag
from mlopsgen.waivers import waive

DESCRIPTIONS = {
    "foundation": "encryption key, buckets and notifications",
    "access": "the delivery role",
    "network": "the VPC",
    "registry": "image repositories",
    "training": "what trainers share",
    "serving": "what services share",
    "observability": "dashboard and alarms",
    "people": "roles for people",
}


def lower(pipeline: Pipeline, environment: str) -> Plan:
    """The plan of one environment. The pipeline has been checked, so any exception here is our bug."""
    site = Site(pipeline, environment)
    parts = tuple(part for component in components() for part in component.declare(site))
    resources = of(Resource, parts)
    tag(resources, site.prefix, tags(site))
    waive(resources)
    return Plan(
        name=site.name,
        environment=environment,
        region=site.spec.aws.region,
        account=site.spec.aws.account,
        tags=tags(site),
        stacks=stacks(site, parts),
        principals=of(Principal, parts),
        images=_images(of(Image, parts)),
        tasks=of(Task, parts),
        things=tuple(dict.fromkeys(of(Thing, parts))),
        edges=tuple(dict.fromkeys(of(Edge, parts))),
        commands=of(Command, parts),
        workflow=next(iter(of(Workflow, parts)), None),
    )


def _images(images: Sequence[Image]) -> tuple[Image, ...]:
    """Each image once, by name. Where those that share it listen on different ports, it names none."""
    merged: dict[str, Image] = {}
    for image in sorted(images, key=lambda each: (each.name, each.origin)):
        first = merged.setdefault(image.name, image)
        if (first.port, first.health_path) != (image.port, image.health_path):
            merged[image.name] = first._replace(port=None, health_path=None)
    return tuple(merged.values())


def tags(site: Site) -> tuple[tuple[str, str], ...]:
    """What every resource is tagged with: the labels, and which pipeline and environment it belongs to."""
    own = {"mlopsgen:pipeline": site.name, "mlopsgen:environment": site.environment}
    return tuple(sorted({**site.pipeline.metadata.labels, **own}.items()))


def stacks(site: Site, parts: Sequence[Part]) -> tuple[Stack, ...]:
    """The parts of each stack together, stacks in the order of deployment."""
    homed = [part for part in parts if isinstance(part, Resource | Parameter | Output)]
    homed.sort(key=lambda part: stack_order(part.stack))
    return tuple(
        _stack(site, name, tuple(group)) for name, group in groupby(homed, key=lambda part: part.stack)
    )


def _finished(resource: Resource) -> Resource:
    body = resource.body
    return resource._replace(body=Body(body.resource_type, _document(body)))


def _document(value: Any) -> Any:
    """What troposphere's `to_dict` gives; but that walks each level once more for every level above it."""
    match value:
        case dict():
            return {name: item if type(item) is str else _document(item) for name, item in value.items()}
        case list() | tuple():
            return [item if type(item) is str else _document(item) for item in value]
        case str() | int() | float():
            return value
        case BaseAWSObject() if value.properties:
            value._validate_props()
            value.validate()
            return _document(value.resource)
        case Tags():
            return _document(value.tags)
        case AWSHelperFn() if type(value).to_dict is AWSHelperFn.to_dict:
            return _document(value.data)
        case _:
            return _document(value.to_dict())


def _stack(site: Site, name: str, parts: tuple[Part, ...]) -> Stack:
    base = next(each for each in DESCRIPTIONS if name == each or name.startswith(each + "-"))
    component = name.removeprefix(base).removeprefix("-")
    what = f"{component} ({base})" if component else DESCRIPTIONS[base]
    return Stack(
        name=name,
        description=f"{site.name} in {site.environment}: {what}. "
        "Compiled by mlopsgen; edit the pipeline, not this file.",
        resources=tuple(_finished(each) for each in of(Resource, parts)),
        parameters=tuple(dict.fromkeys(of(Parameter, parts))),
        outputs=of(Output, parts),
    )
