"""What has a name of its own cannot be replaced under it: the name is taken until the old thing has gone."""

from __future__ import annotations

from mlopsgen.aws.resource_types import resource_type
from mlopsgen.document import Document
from tests.motion.known import base, bases

FIXED = {
    ("AWS::ApplicationAutoScaling::ScalingPolicy", "ScalingTargetId"): "its service never changes its name",
    ("AWS::ECR::Repository", "EncryptionConfiguration"): "another encryption has another name",
    ("AWS::ECS::CapacityProvider", "AutoScalingGroupProvider"): "no change replaces the group",
    ("AWS::ECS::Service", "Cluster"): "there is one cluster, with one name",
    ("AWS::IAM::ManagedPolicy", "Description"): "it names the environment and nothing else",
    ("AWS::IAM::ManagedPolicy", "Path"): "it is the environment's",
    ("AWS::IAM::Role", "Path"): "it is the environment's",
}
"""What would replace a resource with a name, and why it never changes, or the name changes with it."""


def test_whatever_could_replace_a_named_resource_is_known():
    """Whoever gives a name to a resource, or a named one such a property, says here why it is no trap."""
    found = {
        (kind, each)
        for name in bases()
        for stack in base(name).stacks
        for kind, properties in _resources(stack.template["Resources"])
        for each in _replacing(kind, properties)
    }
    assert found == FIXED.keys()


def _resources(resources: Document) -> list[tuple[str, dict[str, Document]]]:
    assert isinstance(resources, dict)
    found = []
    for each in resources.values():
        assert isinstance(each, dict)
        properties = each.get("Properties", {})
        assert isinstance(properties, dict)
        found.append((str(each["Type"]), properties))
    return found


def _replacing(name: str, properties: dict[str, Document]) -> set[str]:
    kind = resource_type(name)
    if not kind.names & properties.keys():
        return set()
    paths = (kind.create_only | kind.maybe_create_only) - kind.names - kind.read_only
    return {path.partition("/")[0] for path in paths} & properties.keys()
