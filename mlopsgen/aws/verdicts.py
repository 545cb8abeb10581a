"""What a changed resource comes to: changed in place, replaced, refused, and what is lost with it.

Properties are compared as templates hold them: `Ref: A` and `Ref: B` differ, whatever they resolve to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from mlopsgen.aws.resource_types import resource_type

# An update that changes one of these fails, whatever the resource's UpdateReplacePolicy says, so that nobody
# loses a key by it (descriptions in the registry's schema of AWS::KMS::Key).
_FIXED = {"AWS::KMS::Key": frozenset({"KeySpec", "KeyUsage", "MultiRegion", "Origin"})}


def replaces(name: str, old: Mapping[str, object], new: Mapping[str, object]) -> frozenset[str]:
    """The changed properties for which CloudFormation makes another resource and deletes this one.

    Of a type that has no way to update they are all that changed.
    """
    kind = resource_type(name)
    if not kind.updatable:
        return frozenset(key for key in old.keys() | new.keys() if old.get(key) != new.get(key))
    return _changed(kind.create_only, old, new)


def may_replace(name: str, old: Mapping[str, object], new: Mapping[str, object]) -> frozenset[str]:
    """The changed properties that replace the resource in some cases, for all that its schema says.

    A part of the identifier that can be set is one of them: with another, it is another resource.
    """
    kind = resource_type(name)
    settable = frozenset(kind.identifier) - kind.read_only - kind.create_only
    return _changed(kind.maybe_create_only | settable, old, new) if kind.updatable else frozenset()


def replaces_after_all(
    name: str, old: Mapping[str, object], new: Mapping[str, object], update_policy: Mapping[str, object]
) -> frozenset[str]:
    """Of the changed properties that may replace the resource, those that do.

    `update_policy` is the resource's attribute of that name. Where nothing says when it happens, it does.
    """
    found = may_replace(name, old, new)
    if name == "AWS::AutoScaling::AutoScalingGroup":
        # A group changes in place, unless it is told to be replaced (CloudFormation template reference,
        # "UpdatePolicy attribute", AutoScalingReplacingUpdate).
        replacing = update_policy.get("AutoScalingReplacingUpdate")
        asked = isinstance(replacing, Mapping) and str(replacing.get("WillReplace")).lower() == "true"
        return found if asked else frozenset()
    return found


def refuses(name: str, old: Mapping[str, object], new: Mapping[str, object]) -> frozenset[str]:
    """The changed properties for which CloudFormation refuses the update."""
    return _changed(_FIXED.get(name, frozenset()), old, new)


def renames(name: str) -> frozenset[str]:
    """The names of which a replacement needs new ones: the new resource is made before the old one goes.

    One that keeps its name fails, since the name is taken (CloudFormation user guide, "Name type").
    """
    kind = resource_type(name)
    return frozenset() if kind.deletes_first else kind.names


def names_within(name: str) -> tuple[str, ...]:
    """The properties that say within what a name is unique; none for a region, an account, all of AWS."""
    return _WITHIN.get(name, ())


def named_everywhere(name: str) -> bool:
    """Whether a name is taken in all regions of the account, or even in all accounts."""
    return name in _EVERYWHERE


_WITHIN = {
    # Put by name for one scalable target (Application Auto Scaling API reference, PutScalingPolicy).
    "AWS::ApplicationAutoScaling::ScalingPolicy": ("ResourceId", "ScalingTargetId"),
    "AWS::EC2::SecurityGroup": ("VpcId",),
    # "Service names must be unique within a cluster" (Amazon ECS API reference, CreateService).
    "AWS::ECS::Service": ("Cluster",),
    "AWS::Events::Rule": ("EventBusName",),
    "AWS::IAM::Policy": ("Groups", "Roles", "Users"),
    "AWS::IAM::RolePolicy": ("RoleName",),
    "AWS::Logs::LogStream": ("LogGroupName",),
    "AWS::Logs::MetricFilter": ("LogGroupName",),
    "AWS::Logs::SubscriptionFilter": ("LogGroupName",),
    "AWS::Scheduler::Schedule": ("GroupName",),
    "AWS::ServiceDiscovery::Service": ("NamespaceId",),
}
# IAM is global (IAM user guide, "IAM identifiers"); a bucket's name is one of a whole partition (Amazon S3
# user guide, "Bucket naming rules"), a dashboard's one of the account (CloudWatch API, PutDashboard).
_EVERYWHERE = frozenset({
    "AWS::CloudWatch::Dashboard", "AWS::IAM::Group", "AWS::IAM::InstanceProfile", "AWS::IAM::ManagedPolicy",
    "AWS::IAM::OIDCProvider", "AWS::IAM::Role", "AWS::IAM::User", "AWS::S3::Bucket",
})  # fmt: skip


def holds_data(name: str) -> str | None:
    """What is lost with a resource of the type unless it is kept, such as `files`; None if nothing is."""
    return resource_type(name).data


def _changed(paths: Iterable[str], old: Mapping[str, object], new: Mapping[str, object]) -> frozenset[str]:
    """The paths whose values differ; of two of which one lies in the other, the outer."""
    steps = {path: path.split("/") for path in paths}
    changed = {path for path, each in steps.items() if _values(old, each) != _values(new, each)}
    return frozenset(
        path
        for path in changed
        if not any("/".join(steps[path][:length]) in changed for length in range(1, len(steps[path])))
    )


def _values(value: object, steps: list[str]) -> list[object]:
    """What lies at the end of `steps`; where an intrinsic function lies on the way, the function."""
    if not steps or (isinstance(value, Mapping) and _is_intrinsic(value)):
        return [value]
    step, *rest = steps
    if step == "*":
        items = value if isinstance(value, list | tuple) else ()
        return [each for item in items for each in _values(item, rest)]
    return _values(value[step], rest) if isinstance(value, Mapping) and step in value else []


def _is_intrinsic(value: Mapping[str, object]) -> bool:
    return len(value) == 1 and (next(iter(value)) == "Ref" or next(iter(value)).startswith("Fn::"))
