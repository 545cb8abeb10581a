"""Room on the instances of a pool, for a deployment that starts new tasks before it stops old ones."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.aws.instance_types import find
from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Event, Said, World, on
from mlopsgen.motion.rules.ecs import STARTS_DEPLOYMENT
from mlopsgen.motion.values import text

_SERVICE = "AWS::ECS::Service"


@on(
    "no-room",
    "fails",
    ("update",),
    (_SERVICE,),
    instead="room for one task more than all services of the pool can have, or a minimum below 100 percent",
    source="Amazon ECS developer guide, rolling update: minimumHealthyPercent and "
    "maximumPercent; a task that no "
    "instance has room for stays in PROVISIONING until it is given up",
)
def _no_room(event: Event) -> Iterator[Said]:
    """On a full pool nothing can start, and with a minimum of 100 percent nothing may stop."""
    change = event.changed(*STARTS_DEPLOYMENT)
    least = event.new.word("DeploymentConfiguration", "MinimumHealthyPercent") or "100"
    if not change or not least.isdigit():
        return
    for provider in _providers(event.new):
        room = _room(provider, event.new, event.world)
        sharing = [each for each in event.world.of(_SERVICE) if provider in _providers(each)]
        most = {each.place: _most(each, event.world) for each in sharing}
        own = most.get(event.new.place, 1)
        may_stop = own - -(-own * int(least) // 100)
        if room is not None and sum(most.values()) + 1 - may_stop > room:
            full = f"{sum(most.values())} tasks run on {provider}, which has room for {room}"
            yield Said("no task can start before another stops, and none may stop", change, assumption=full)


def _providers(service: Live) -> list[str]:
    return [text(each.get("CapacityProvider")) for each in service.maps("CapacityProviderStrategy")]


def _most(service: Live, world: World) -> int:
    """The most tasks that a service can have."""
    resource = f"service/{service.word('Cluster')}/{service.word('ServiceName')}"
    for each in world.of("AWS::ApplicationAutoScaling::ScalableTarget"):
        if each.word("ResourceId") == resource and each.word("MaxCapacity").isdigit():
            return int(each.word("MaxCapacity"))
    count = service.word("DesiredCount")
    return int(count) if count.isdigit() else 1


def _room(provider: str, service: Live, world: World) -> int | None:
    """How many tasks such as the service's fit on all instances of a pool; None if that cannot be told."""
    found = world.found("AWS::ECS::CapacityProvider", provider)
    arn = found.word("AutoScalingGroupProvider", "AutoScalingGroupArn") if found else ""
    group = world.found("AWS::AutoScaling::AutoScalingGroup", arn)
    definition = world.found("AWS::ECS::TaskDefinition", service.word("TaskDefinition"))
    if not group or not definition or not group.word("MaxSize").isdigit():
        return None
    fitting = [_fitting(name, definition) for name in _types(group, world)]
    known = [each for each in fitting if each is not None]
    return min(known) * int(group.word("MaxSize")) if known and len(known) == len(fitting) else None


def _types(group: Live, world: World) -> list[str]:
    policy = "MixedInstancesPolicy", "LaunchTemplate"
    types = [text(each.get("InstanceType")) for each in group.maps(*policy, "Overrides")]
    template = group.word("LaunchTemplate", "LaunchTemplateId") or group.word(
        *policy, "LaunchTemplateSpecification", "LaunchTemplateId"
    )
    launched = world.found("AWS::EC2::LaunchTemplate", template)
    return types or ([launched.word("LaunchTemplateData", "InstanceType")] if launched else [])


def _fitting(name: str, definition: Live) -> int | None:
    """How many tasks fit on one instance of a type."""
    kind = find(name)
    if kind is None:
        return None
    cpu, memory, gpus = _needs(definition)
    limits = [kind.tasks]
    limits += [
        have // need
        for have, need in ((kind.cpu, cpu), (kind.usable_memory, memory), (kind.gpus, gpus))
        if need
    ]
    return min(limits)


def _needs(definition: Live) -> tuple[int, int, int]:
    """CPU units, MiB and GPUs of a task, as it or its containers ask for them."""

    def number(value: object) -> int:
        return int(value) if isinstance(value, str) and value.isdigit() else 0

    containers = definition.maps("ContainerDefinitions")
    cpu = number(definition.word("Cpu")) or sum(number(each.get("Cpu")) for each in containers)
    memory = number(definition.word("Memory")) or sum(
        number(each.get("MemoryReservation")) or number(each.get("Memory")) for each in containers
    )
    asked = [each.get("ResourceRequirements") for each in containers]
    gpus = sum(
        number(each.get("Value"))
        for own in asked
        for each in (own if isinstance(own, list) else ())
        if isinstance(each, dict) and each.get("Type") == "GPU"
    )
    return cpu, memory, gpus
