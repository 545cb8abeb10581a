"""Load balancers: rules and their priorities, target groups, and who is answered in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from mlopsgen.motion.live import Live
from mlopsgen.motion.rule import Claim, Ending, Event, Said, World, closing, exclusive, on
from mlopsgen.motion.stacks import Json

BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_LISTENER = "AWS::ElasticLoadBalancingV2::Listener"
_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
_GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
_PROTECTED: Json = {"Key": "deletion_protection.enabled", "Value": "true"}


@exclusive(
    "priority-in-use",
    (_RULE,),
    instead="give the rule a priority that no rule of the listener has by then",
    source="Elastic Load Balancing API reference, CreateRule and SetRulePriorities: PriorityInUse",
)
def _priority(live: Live) -> Iterator[Claim]:
    """Two rules of a listener never have one priority, not even between two stacks."""
    key = ("priority", live.word("ListenerArn"), live.word("Priority"))
    yield Claim(key, f"priority {live.word('Priority')} of the listener", "Priority")


@exclusive(
    "listener-exists",
    (_LISTENER,),
    instead="keep the listener's logical id",
    source="Elastic Load Balancing API reference, CreateListener: DuplicateListener",
)
def _port(live: Live) -> Iterator[Claim]:
    """A load balancer has one listener for a port."""
    yield Claim(
        ("port", live.word("LoadBalancerArn"), live.word("Port")), f"port {live.word('Port')}", "Port"
    )


@on(
    "group-of-two-balancers",
    "fails",
    ("create", "update", "replace"),
    (_RULE, _LISTENER),
    instead="let the target group be replaced together with the rule: a logical id for each load balancer",
    source="Elastic Load Balancing API reference, CreateRule: TargetGroupAssociationLimit "
    "(cloudformation-coverage-roadmap issue 424)",
)
def _two_balancers(event: Event) -> Iterator[Said]:
    """A target group belongs to one load balancer."""
    balancer = _balancer(event.new, event.world)
    for group in _groups(event.new):
        for each in event.world.of(_RULE, _LISTENER):
            other = _balancer(each, event.world)
            if each.place == event.new.place and event.trigger == "update":
                continue
            if other and other != balancer and group in _groups(each):
                change = event.changed("ListenerArn", "LoadBalancerArn")
                yield Said(f"{each.title} still sends to its target group from another load balancer", change)
                return


@on(
    "rules-go-with-listener",
    "interrupts",
    ("delete",),
    (_LISTENER, BALANCER),
    instead="let the load balancer go with the deployment after the one in which its services leave it",
    source="Elastic Load Balancing API reference, DeleteLoadBalancer and DeleteListener: a load "
    "balancer goes "
    "with its listeners, and a listener with its rules",
)
def _listener(event: Event) -> Iterator[Said]:
    """A listener takes the rules of all stacks with it."""
    for each in event.world.users(event.old, _RULE):
        if each.stack != event.old.stack:
            yield Said(f"{each.title} goes with it: nobody is answered there until that stack is deployed")
            return


@on(
    "address-of-balancer-goes",
    "interrupts",
    ("replace", "delete"),
    (BALANCER,),
    instead="add a second load balancer, move callers to its address, and take the first away",
    source="CloudFormation template reference, AWS::ElasticLoadBalancingV2::LoadBalancer: a new "
    "one has another "
    "DNS name",
)
def _address(event: Event) -> Iterator[Said]:
    """The address that callers know goes with the load balancer."""
    if event.trigger == "replace" or not event.after:
        yield Said(
            "callers know its address, which goes with it", event.changes[0] if event.changes else None
        )


@on(
    "balancer-is-protected",
    "left-over",
    ("delete",),
    (BALANCER,),
    instead="turn its deletion protection off first, with a deployment of its own",
    source="Elastic Load Balancing API reference, DeleteLoadBalancer: not if deletion protection is enabled",
)
def _protected(event: Event) -> Iterator[Said]:
    """A load balancer with deletion protection stays."""
    if _PROTECTED in event.old.items("LoadBalancerAttributes"):
        yield Said("its deletion protection is on")


def released(live: Live) -> Live:
    """The load balancer with its deletion protection off."""
    left: list[Json] = [each for each in live.items("LoadBalancerAttributes") if each != _PROTECTED]
    return replace(live, properties={**live.properties, "LoadBalancerAttributes": left})


@on(
    "group-in-use",
    "left-over",
    ("delete",),
    (_GROUP,),
    instead="let no rule send to it first",
    source="Elastic Load Balancing API reference, DeleteTargetGroup: ResourceInUse while a rule "
    "or listener has it",
)
def _in_use(event: Event) -> Iterator[Said]:
    """A target group stays as long as a rule sends to it."""
    for each in event.world.users(event.old, _RULE, _LISTENER):
        if _balancer(each, event.world):
            yield Said(f"{each.title} still sends to it")
            return


@on(
    "nobody-in-the-group",
    "interrupts",
    ("update",),
    (_RULE,),
    instead="keep the target group (its port counts for nothing where targets are registered "
    "with theirs), or "
    "make a second rule for the new one",
    source="Elastic Load Balancing user guide, target groups: 503 while a group has no healthy target; ECS "
    "registers tasks only after a rule sends to their group",
)
def _empty(event: Event) -> Iterator[Said]:
    """A rule that is sent to a new group finds nobody there until the first task is healthy."""
    weights = _weighted(event.new)
    for group in _groups(event.new):
        # A weight that is given is the one that lives: none for a group that the rule did not have.
        idle = "${given:" in weights[group] and not weights.keys().isdisjoint(_weighted(event.old))
        if group not in _groups(event.old) and not idle and not _served(group, event.world):
            yield Said(
                "its target group is new and empty: 503 until the first task is healthy",
                event.changed("Actions"),
            )
            return


@on(
    "takes-over-too-early",
    "interrupts",
    ("create", "replace"),
    (_RULE,),
    instead="keep the name, or give the new one a later priority until it answers",
    source='Elastic Load Balancing user guide, "Listener rules": rules are evaluated in the '
    "order of priority",
)
def _too_early(event: Event) -> Iterator[Said]:
    """A new rule that comes before another of the same requests takes them before anybody is in its group."""
    own = event.new
    for each in event.world.of(_RULE):
        same = each.word("ListenerArn") == own.word("ListenerArn") and each.place != own.place
        earlier = each.at("Conditions") == own.at("Conditions") and _number(own) < _number(each)
        if same and earlier and not any(_served(group, event.world) for group in _groups(own)):
            yield Said(f"it takes the requests of {each.title}, and nobody is in its target group yet")


@on(
    "weights-reset",
    "interrupts",
    ("update",),
    (_RULE,),
    instead="read the live weights and pass them, or move traffic back with another deployment first",
    source="aws-cdk issue 36649: an update of a rule resets the weights that ECS has moved",
)
def _weights(event: Event) -> Iterator[Said]:
    """An update of a rule puts the template's weights in the place of those that ECS has moved."""
    before, after = _weighted(event.old), _weighted(event.new)
    if len(before) > 1 and not any("${given:" in each for each in after.values()):
        yield Said(
            "its weights are those of the template again",
            event.changes[0],
            assumption="a deployment has moved traffic to the other target group",
        )


@on(
    "asked-at-the-new-path",
    "interrupts",
    ("update",),
    (_GROUP,),
    instead="let the program answer the old and the new path for one release",
    source="Elastic Load Balancing API reference, ModifyTargetGroup: health checks change at once",
)
def _health(event: Event) -> Iterator[Said]:
    """Running tasks are judged by the new health check, before any new task is there."""
    if change := event.changed("HealthCheckPath", "HealthCheckPort", "HealthCheckProtocol", "Matcher"):
        yield Said(
            "running tasks are asked in the new way at once",
            change,
            assumption="the running version fails it",
        )


@on(
    "balancer-in-another-vpc",
    "fails",
    ("update",),
    (BALANCER,),
    instead="make a second environment with the other network, move callers there, and take this one down",
    source="Elastic Load Balancing API reference, SetSubnets: the subnets are of the load balancer's own VPC",
)
def _vpc(event: Event) -> Iterator[Said]:
    """A load balancer stays in its VPC."""
    before, after = _network(event.old, event.world), _network(event.new, event.world)
    if before and after and before.isdisjoint(after):
        yield Said(
            "its subnets and groups would be of another VPC", event.changed("Subnets", "SecurityGroups")
        )


@closing(
    "nobody-answers-between",
    "interrupts",
    instead="do it in two deployments: first the new rule beside the old one, then the old one away",
    source='Elastic Load Balancing user guide, "Listener rules": what no rule matches gets the '
    "default action",
)
def _between(ending: Ending) -> Iterator[Said]:
    """Requests that move from one stack's rule to another's are nobody's in between."""
    order = {(step.stack, step.logical_id): number for number, step in reversed([*enumerate(ending.steps)])}
    rules = [each for each in ending.after.of(_RULE) if each.stack]
    now = {each.place: each for each in rules}
    for old in (each for each in ending.before.resources() if each.type == _RULE):
        kept = now.get(old.place)
        if kept and kept.at("Conditions") == old.at("Conditions"):
            continue
        for new in rules:
            moved = (new.at("Conditions"), new.word("ListenerArn")) == (
                old.at("Conditions"),
                old.word("ListenerArn"),
            )
            left = order.get((old.short, old.logical_id), 0)
            if moved and new.place != old.place and left < order.get((new.short, new.logical_id), -1):
                yield Said(f"its requests were those of {old.title}, which let go of them earlier", about=new)


def _number(rule: Live) -> int:
    word = rule.word("Priority")
    return int(word) if word.isdigit() else 0


def _weighted(rule: Live) -> dict[str, str]:
    """The target groups that a rule sends to, each with its weight."""
    found: dict[str, str] = {}
    for action in [*rule.maps("Actions"), *rule.maps("DefaultActions")]:
        if isinstance(group := action.get("TargetGroupArn"), str):
            found[group] = "1"
        forward = action.get("ForwardConfig")
        groups: Json = forward.get("TargetGroups") if isinstance(forward, dict) else None
        for each in groups if isinstance(groups, list) else ():
            if isinstance(each, dict):
                found[str(each.get("TargetGroupArn"))] = str(each.get("Weight", "1"))
    return found


def _groups(rule: Live) -> list[str]:
    """The target groups that get requests."""
    return [group for group, weight in _weighted(rule).items() if weight != "0"]


def _served(group: str, world: World) -> bool:
    """Whether some service registers its tasks there already."""
    return any(group in each.text for each in world.of("AWS::ECS::Service"))


def _balancer(rule: Live, world: World) -> str:
    """What tells the load balancer of a rule or listener from others; empty if the listener is gone."""
    if rule.type == _LISTENER:
        return rule.word("LoadBalancerArn")
    arn = rule.word("ListenerArn")
    listener = world.found(_LISTENER, arn)
    if listener:
        return listener.word("LoadBalancerArn")
    return "" if arn.startswith("${") and "#" in arn else arn


def _network(balancer: Live, world: World) -> set[str]:
    """The VPCs that the security groups of a load balancer are in, as far as they are known."""
    groups = (
        world.found("AWS::EC2::SecurityGroup", str(each).partition(".")[0])
        for each in balancer.items("SecurityGroups")
    )
    return {each.word("VpcId") for each in groups if each}
