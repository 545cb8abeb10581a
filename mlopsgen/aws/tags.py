"""Tags on a resource, in the property and the form that its type takes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from mlopsgen.aws.resource_types import ResourceType, resource_type
from mlopsgen.document import Document

Pairs: TypeAlias = Sequence[tuple[str, str]]
"""Keys and values, in the order in which they are written."""

# The console's lists name these by nothing else than a tag called Name, as all of EC2 that have no name of
# their own. (A security group has one, which CloudFormation makes up when the template gives none.)
_SHOWN_BY_TAG = frozenset({"AWS::EC2::SecurityGroup", "AWS::EFS::AccessPoint", "AWS::EFS::FileSystem"})


def with_tags(
    name: str, properties: Mapping[str, Document], tags: Pairs, called: str | None = None
) -> dict[str, Document]:
    """The properties of a resource of the type `name`, with `tags`; unchanged if the type takes none.

    A tag that the resource has already stays as it is, before the others. `called` becomes the tag Name where
    the console would show the resource as a bare id.
    """
    kind = resource_type(name)
    if called and _shown_by_tag(kind):
        tags = (("Name", called), *tags)
    if not tags:
        return dict(properties)
    if name == "AWS::EC2::LaunchTemplate":
        return _launch_template(properties, tags)
    if not kind.tags:
        return dict(properties)
    return {**properties, kind.tags.name: _merged(kind, properties.get(kind.tags.name), tags)}


def _shown_by_tag(kind: ResourceType) -> bool:
    return kind.name in _SHOWN_BY_TAG or (kind.service == "EC2" and not kind.names)


def _merged(kind: ResourceType, held: Document, tags: Pairs) -> Document:
    assert kind.tags
    match kind.tags.form:
        case "list":
            return _list(held, tags)
        case "propagated":
            # Instances are found and paid for by the tags that their group hands them (EC2 Auto Scaling user
            # guide, "Tag Auto Scaling groups and instances").
            return _list(held, tags, PropagateAtLaunch=True)
        case "map":
            return {**dict(tags), **_map(held)}
        case "items":
            return {"Items": _list(_map(held).get("Items"), tags)}
        case "specifications":
            return _specifications(held, (_kebab(kind.name),), tags)


def _map(held: Document) -> dict[str, Document]:
    return held if isinstance(held, dict) else {}


def _maps(held: Document) -> list[dict[str, Document]]:
    return [each for each in held if isinstance(each, dict)] if isinstance(held, list) else []


def _list(held: Document, tags: Pairs, **more: bool) -> list[Document]:
    own = _maps(held)
    keys = {each["Key"] for each in own if isinstance(each["Key"], str)}
    added: list[Document] = [{"Key": key, "Value": value, **more} for key, value in tags if key not in keys]
    return [*own, *added]


def _launch_template(properties: Mapping[str, Document], tags: Pairs) -> dict[str, Document]:
    """The template itself, and what is started from it: instances and their volumes.

    The registry calls the type untaggable, since it has no list of tags but these specifications
    (CloudFormation user guide, AWS::EC2::LaunchTemplate TagSpecification). A group's tags reach no volume.
    """
    data = _map(properties["LaunchTemplateData"])
    launched = _specifications(data.get("TagSpecifications"), ("instance", "volume"), tags)
    own = _specifications(properties.get("TagSpecifications"), ("launch-template",), tags)
    return {
        **properties,
        "LaunchTemplateData": {**data, "TagSpecifications": launched},
        "TagSpecifications": own,
    }


def _specifications(held: Document, kinds: tuple[str, ...], tags: Pairs) -> list[Document]:
    stated = {str(each["ResourceType"]): each.get("Tags") for each in _maps(held)}
    return [
        {"ResourceType": kind, "Tags": _list(stated.get(kind), tags) if kind in kinds else stated[kind]}
        for kind in dict.fromkeys((*stated, *kinds))
    ]


def _kebab(name: str) -> str:
    """EC2's word for the kind of a resource: `AWS::EC2::CapacityReservation` is a `capacity-reservation`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name.rpartition("::")[2]).lower()
