"""Clusters, capacity providers, task definitions and services."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Event, Said, World, on
from mlopsgen.motion.stacks import Json
from mlopsgen.motion.values import text

_SERVICE = "AWS::ECS::Service"
_DEFINITION = "AWS::ECS::TaskDefinition"
_ASSOCIATIONS = "AWS::ECS::ClusterCapacityProviderAssociations"
_SHIFTING = ("BLUE_GREEN", "CANARY", "LINEAR")

STARTS_DEPLOYMENT = (
    "TaskDefinition", "NetworkConfiguration", "LoadBalancers", "PlatformVersion", "ServiceRegistries",
    "ServiceConnectConfiguration", "VolumeConfigurations", "VpcLatticeConfigurations",
)  # fmt: skip
"""What starts a deployment when it changes (Amazon ECS API reference, UpdateService, by parameter)."""


@on(
    "provider-in-use",
    "fails",
    ("update", "replace", "delete"),
    (_ASSOCIATIONS,),
    instead="let nothing run on it first; take it away with the deployment after that",
    source="Amazon ECS API reference, PutClusterCapacityProviders: a provider that tasks use cannot be "
    "disassociated (aws-cdk issue 15366)",
)
def _provider(event: Event) -> Iterator[Said]:
    """A cluster keeps a provider as long as a service uses it."""
    after = event.after.items("CapacityProviders") if event.after else []
    cluster = event.old.word("Cluster")
    for gone in (text(each) for each in event.old.items("CapacityProviders") if each not in after):
        change = event.changed("CapacityProviders")
        services = [
            each
            for each in event.world.of(_SERVICE)
            if each.word("Cluster") == cluster and gone in _providers(each.items("CapacityProviderStrategy"))
        ]
        for each in services:
            yield Said(f"{each.title} still runs on {gone}", change)
        if not services and _named_by_jobs(gone, event):
            yield Said(
                f"{gone} leaves the cluster", change, assumption=f"a task that was started on {gone} runs"
            )


@on(
    "cluster-not-empty",
    "left-over",
    ("delete",),
    ("AWS::ECS::Cluster",),
    instead="delete the stacks of its services first",
    source="Amazon ECS API reference, DeleteCluster: ClusterContainsServicesException",
)
def _cluster(event: Event) -> Iterator[Said]:
    """A cluster stays as long as it has services."""
    for each in event.world.of(_SERVICE):
        if each.word("Cluster") == event.old.ref():
            yield Said(f"{each.title} is in it")
            return


@on(
    "list-left-out",
    "silent",
    ("update",),
    (_SERVICE,),
    instead="write the empty list: `[]`",
    source="CloudFormation template reference, AWS::ECS::Service: to remove it, specify an empty array",
)
def _left_out(event: Event) -> Iterator[Said]:
    """ECS keeps a list that the template only leaves out."""
    for name in ("LoadBalancers", "PlacementConstraints", "PlacementStrategies", "ServiceRegistries"):
        if event.old.items(name) and event.new.at(name) is None:
            yield Said(f"`{name}` is left out, and ECS keeps what it has", event.changed(name))


@on(
    "group-without-balancer",
    "fails",
    ("create", "update", "replace"),
    (_SERVICE,),
    instead="`DependsOn` the rule that sends to the group",
    source="Amazon ECS API reference, CreateService: InvalidParameterException, the target "
    "group does not have an "
    "associated load balancer",
)
def _no_balancer(event: Event) -> Iterator[Said]:
    """ECS registers tasks in a target group only once a rule or listener sends to it."""
    service = event.new
    senders = ("AWS::ElasticLoadBalancingV2::ListenerRule", "AWS::ElasticLoadBalancingV2::Listener")
    for each in service.maps("LoadBalancers"):
        group = each.get("TargetGroupArn")
        if not isinstance(group, str) or not group.startswith("${"):
            continue
        sending = [rule for rule in event.world.of(*senders) if group in rule.text]
        if not any(rule.stack != service.stack or rule.logical_id in service.needs for rule in sending):
            yield Said("nothing sends to its target group yet", event.changed("LoadBalancers"))


@on(
    "bakes-too-long",
    "fails",
    ("create", "update", "replace"),
    (_SERVICE,),
    instead="shorter times",
    source="CloudFormation registry, AWS::ECS::Service, CanaryConfiguration and "
    "LinearConfiguration: 33 hours "
    "together",
)
def _limit(event: Event) -> Iterator[Said]:
    """CloudFormation takes 33 hours of baking and steps."""
    minutes = _minutes(event.new)
    if minutes > 33 * 60:
        yield Said(
            f"its deployments take {minutes} minutes by its own words",
            event.changed("DeploymentConfiguration"),
        )


@on(
    "outlasts-the-delivery",
    "fails",
    ("update",),
    (_SERVICE,),
    instead="wait for the stack as long as it is in progress",
    source="AWS CLI, cloudformation deploy: it waits 120 times 30 seconds for a stack",
)
def _outlasts(event: Event) -> Iterator[Said]:
    """A deployment that takes longer than the delivery waits: what comes after is not deployed."""
    waits = event.world.waits_minutes
    if waits is not None and event.changed(*STARTS_DEPLOYMENT) and _minutes(event.new) >= waits:
        yield Said(f"its deployment takes at least {_minutes(event.new)} minutes, and {waits} are waited for")


@on(
    "no-circuit-breaker",
    "silent",
    ("create", "update", "replace"),
    (_SERVICE,),
    instead="alarms that roll back, and a delivery that stops a deployment whose tasks do not become healthy",
    source="Amazon ECS API reference, DeploymentCircuitBreaker: for the rolling update deployment type alone",
)
def _breaker(event: Event) -> Iterator[Said]:
    """The circuit breaker does nothing for strategies that shift traffic."""
    settings = ("DeploymentConfiguration", "DeploymentCircuitBreaker", "Enable")
    was = event.before and _strategy(event.before)
    if (
        _strategy(event.new) in _SHIFTING
        and was != _strategy(event.new)
        and event.new.word(*settings) == "true"
    ):
        yield Said(
            "tasks that do not become healthy are tried again and again",
            event.changed("DeploymentConfiguration"),
        )


@on(
    "stops-before-it-starts",
    "interrupts",
    ("update",),
    (_SERVICE,),
    instead="room for one more task, and `MinimumHealthyPercent` above 0",
    source="Amazon ECS API reference, DeploymentConfiguration: minimumHealthyPercent",
)
def _zero(event: Event) -> Iterator[Said]:
    """With a minimum of 0 percent all tasks may stop before the first new one starts."""
    least = event.new.word("DeploymentConfiguration", "MinimumHealthyPercent")
    change = event.changed(*STARTS_DEPLOYMENT)
    if least == "0" and change:
        yield Said("all tasks may stop before the new ones start", change)


@on(
    "count-set-again",
    "interrupts",
    ("update",),
    (_SERVICE,),
    instead="keep scaling, or write the count that runs",
    source="Amazon ECS API reference, UpdateService: desiredCount",
)
def _count(event: Event) -> Iterator[Said]:
    """A number of tasks in the template takes the place of what scaling has chosen."""
    change = event.changed("DesiredCount")
    if change and change.before is None and change.after is not None:
        reason = f"the number of tasks becomes {text(change.after)} at once"
        yield Said(reason, change, assumption=f"scaling had chosen more than {text(change.after)}")


@on(
    "revision-deregistered",
    "loses",
    ("replace",),
    (_DEFINITION,),
    instead="`UpdateReplacePolicy: Retain` on the task definition",
    source="Amazon ECS API reference, DeregisterTaskDefinition: no new tasks from an inactive revision "
    "(aws-cdk issue 24372)",
)
def _revision(event: Event) -> Iterator[Said]:
    """The revision before is deregistered: nobody can go back to it, and what names it stops working."""
    if event.old.replacement == "Delete":
        yield Said("the revision before is deregistered")


@on(
    "model-missing",
    "fails",
    ("create", "update", "replace"),
    (_SERVICE,),
    instead="train and promote a version first, then deploy the service",
    source="Amazon ECS developer guide, deployment circuit breaker: tasks that do not become "
    "healthy fail the "
    "deployment",
)
def _model(event: Event) -> Iterator[Said]:
    """A service that loads a model from a place where none loaded one before needs one there."""
    before = _models(event.before, event.world) if event.before else set()
    for other in event.world.of(_SERVICE):
        if other.place != event.new.place:
            before |= _models(other, event.world)
    for place in sorted(_models(event.new, event.world) - before):
        yield Said(f"it loads a model from {place}", assumption=f"no model is at {place}")


@on(
    "digest-of-another-image",
    "fails",
    ("replace",),
    (_DEFINITION,),
    instead="push the image and pass its digest with the same deployment",
    source="Amazon ECS developer guide, CannotPullContainerError",
)
def _digest(event: Event) -> Iterator[Said]:
    """A digest names one image of one repository and one processor."""
    for change in event.changes:
        image = change.path.startswith("ContainerDefinitions[") and change.path.endswith(".Image")
        given = "${given:" in text(change.after) and "${given:" in text(change.before)
        if image and given:
            yield Said(
                "the image comes from another repository", change, assumption="the digest is not passed anew"
            )
    processor = event.changed("RuntimePlatform.CpuArchitecture")
    if processor and "${given:" in event.new.text:
        yield Said("the processor is another", processor, assumption="the digest is not passed anew")


@on(
    "still-draining",
    "fails",
    ("create",),
    (_SERVICE,),
    instead="wait until the earlier one is gone",
    source="Amazon ECS API reference, DeleteService: a service in DRAINING keeps its name for a while",
)
def _draining(event: Event) -> Iterator[Said]:
    """A service that was deleted keeps its name until its last task is gone."""
    if event.new.number > 1 and event.new.at("ServiceName"):
        yield Said("a service of this name was deleted", assumption="the earlier service still drains")


@on(
    "scaling-watches-one-group",
    "silent",
    ("create", "update", "replace"),
    ("AWS::ApplicationAutoScaling::ScalingPolicy",),
    instead="a metric over both target groups",
    source="Amazon ECS developer guide, target tracking: no scaling while the metric has no data; "
    "ALBRequestCountPerTarget is not for blue/green deployments",
)
def _one_group(event: Event) -> Iterator[Said]:
    """After a shift the traffic is in the other target group, of which the policy sees nothing."""
    target = event.world.found(
        "AWS::ApplicationAutoScaling::ScalableTarget", event.new.word("ScalingTargetId")
    )
    resource = (target or event.new).word("ResourceId")
    for service in event.world.of(_SERVICE):
        if resource != f"service/{service.word('Cluster')}/{service.word('ServiceName')}":
            continue
        for each in service.maps("LoadBalancers"):
            own, more = each.get("TargetGroupArn"), each.get("AdvancedConfiguration")
            other = more.get("AlternateTargetGroupArn") if isinstance(more, dict) else None
            if other and text(own) in event.new.text and text(other) not in event.new.text:
                yield Said("it watches one target group of two")


def _providers(strategy: list[Json]) -> set[str]:
    return {text(each.get("CapacityProvider")) for each in strategy if isinstance(each, dict)}


def _named_by_jobs(provider: str, event: Event) -> bool:
    return any(
        f"'{provider}'" in each.text
        for each in event.world.of("AWS::Events::Rule", "AWS::Scheduler::Schedule")
    )


def _strategy(service: Live) -> str:
    return service.word("DeploymentConfiguration", "Strategy")


def _minutes(service: Live) -> int:
    """How long a deployment of a service takes by its own words: steps and baking."""
    if _strategy(service) not in _SHIFTING:
        return 0
    settings = "DeploymentConfiguration"

    def number(*path: str) -> float:
        word = service.word(settings, *path)
        return float(word) if word.replace(".", "", 1).isdigit() else 0

    total = number("BakeTimeInMinutes")
    if _strategy(service) == "CANARY":
        total += number("CanaryConfiguration", "CanaryBakeTimeInMinutes")
    share = number("LinearConfiguration", "StepPercent")
    if _strategy(service) == "LINEAR" and share:
        total += -(-100 // share) * number("LinearConfiguration", "StepBakeTimeInMinutes")
    return int(total)


def _models(service: Live, world: World) -> set[str]:
    """The places from which the service's containers load models."""
    definition = world.found(_DEFINITION, service.word("TaskDefinition"))
    found: set[str] = set()
    for container in definition.maps("ContainerDefinitions") if definition else ():
        variables = container.get("Environment")
        for each in variables if isinstance(variables, list) else ():
            if isinstance(each, dict) and str(each.get("Name")).endswith("MODEL_URI"):
                found.add(text(each.get("Value")))
    return found
