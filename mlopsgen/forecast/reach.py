"""What becomes reachable from where, and what no longer: the ways that security groups and balancers open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple

from mlopsgen.motion.live import Account, Live
from mlopsgen.motion.stacks import Json

INTERNET = frozenset({"0.0.0.0/0", "::/0"})

_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_NO_USERS = frozenset({
    "AWS::EC2::SecurityGroupEgress", "AWS::EC2::SecurityGroupIngress", "AWS::SSM::Parameter",
})  # fmt: skip
_NOWHERE = "127.0.0.1/32"
"""What a group has in place of the way out to everywhere that AWS gives one without rules."""


class Way(NamedTuple):
    """Who can open what to whom."""

    source: str
    target: str
    port: str
    """Such as `tcp 443`."""
    stack: str
    logical_id: str
    """The resource that opens it."""

    @property
    def sentence(self) -> str:
        """Such as `the internet reaches PublicLoadBalancer at tcp 443`."""
        return f"{self.source} reaches {self.target}" + (f" at {self.port}" if self.port else "")


class Reach(NamedTuple):
    """A way that is opened or closed."""

    way: Way
    direction: Literal["wider", "narrower"]

    @property
    def sentence(self) -> str:
        """Such as `the internet reaches PublicLoadBalancer at tcp 443`, or that it does no longer."""
        if self.direction == "wider":
            return self.way.sentence
        return self.way.sentence.replace(" reaches ", " no longer reaches ", 1)


def changed_reach(before: Account, after: Account) -> tuple[Reach, ...]:
    """What changes between two accounts; what is opened first."""
    old = {each[:3]: each for each in ways(before)}
    new = {each[:3]: each for each in ways(after)}
    return (
        *(Reach(way, "wider") for key, way in new.items() if key not in old),
        *(Reach(way, "narrower") for key, way in old.items() if key not in new),
    )


def ways(account: Account) -> Iterator[Way]:
    """Every way that is open, in the order of deployment."""
    resources = [each for each in account.resources() if each.stack]
    groups = {each.id: each for each in resources if each.type == "AWS::EC2::SecurityGroup"}
    names = {id_: _users(group, resources) for id_, group in groups.items()}
    for each in resources:
        if each.type == "AWS::EC2::SecurityGroup":
            for rule in each.maps("SecurityGroupIngress"):
                yield from _in(rule, each, names[each.id], names)
            for rule in each.maps("SecurityGroupEgress"):
                yield from _out(rule, each, names[each.id], names)
        elif each.type == "AWS::EC2::SecurityGroupIngress":
            yield from _in(each.properties, each, _called(each.word("GroupId"), names), names)
        elif each.type == "AWS::EC2::SecurityGroupEgress":
            yield from _out(each.properties, each, _called(each.word("GroupId"), names), names)
        elif each.type == "AWS::ElasticLoadBalancingV2::ListenerRule":
            yield from _routed(each, resources)
        elif each.type == "AWS::ECS::Service":
            network = each.at("NetworkConfiguration", "AwsvpcConfiguration", "AssignPublicIp")
            if network == "ENABLED":
                yield Way("a public address", _workload(each), "", each.short, each.logical_id)


def _in(rule: Mapping[str, Json], by: Live, target: str, names: Mapping[str, str]) -> Iterator[Way]:
    source = rule.get("SourceSecurityGroupId")
    found = _called(str(source), names) if source else _network(rule)
    if found:
        yield Way(found, target, _port(rule), by.short, by.logical_id)


def _out(rule: Mapping[str, Json], by: Live, source: str, names: Mapping[str, str]) -> Iterator[Way]:
    # What one group lets out to another group, the other lets in: one of the two is told.
    if not rule.get("DestinationSecurityGroupId") and (found := _network(rule)):
        yield Way(source, found, _port(rule), by.short, by.logical_id)


def _network(rule: Mapping[str, Json]) -> str:
    found = rule.get("CidrIp") or rule.get("CidrIpv6")
    if found:
        return "" if found == _NOWHERE else "the internet" if found in INTERNET else f"the network {found}"
    prefix_list = rule.get("SourcePrefixListId") or rule.get("DestinationPrefixListId")
    return f"the prefix list {prefix_list}" if prefix_list else ""


def _port(rule: Mapping[str, Json]) -> str:
    protocol = str(rule.get("IpProtocol", "-1"))
    if protocol == "-1":
        return "every port"
    low, high = rule.get("FromPort"), rule.get("ToPort")
    return f"{protocol} {low}" if low == high else f"{protocol} {low} to {high}"


def _called(group: str, names: Mapping[str, str]) -> str:
    return names.get(group, f"the security group {group}")


def _users(group: Live, resources: list[Live]) -> str:
    """Who is in a group: the workloads, balancers or pools that name it."""
    found = [
        _workload(each)
        for each in resources
        if each.type not in _NO_USERS
        and each.short == group.short
        and each is not group
        and each.speaks_of(group)
    ]
    if found:
        return " and ".join(dict.fromkeys(found))
    return _workload(group)


def _workload(live: Live) -> str:
    """What people call it: the thing of the pipeline that it comes from."""
    if live.type == _BALANCER:
        return live.logical_id
    steps = live.origin.removeprefix("spec.").split(".")
    if len(steps) > 1 and steps[0] in ("services", "workers", "jobs", "capacity", "volumes", "instances"):
        return steps[1]
    return live.logical_id


def _routed(rule: Live, resources: list[Live]) -> Iterator[Way]:
    """What a rule of a listener sends to a workload."""
    listener = next((each for each in resources if each.id == rule.word("ListenerArn")), None)
    if listener is None:
        return
    balancer = next((each for each in resources if each.id == listener.word("LoadBalancerArn")), None)
    name = balancer.logical_id if balancer else listener.logical_id
    wanted = []
    for condition in rule.maps("Conditions"):
        for key in ("HostHeaderConfig", "PathPatternConfig"):
            config = condition.get(key)
            values = config.get("Values") if isinstance(config, dict) else None
            wanted += [str(each) for each in values] if isinstance(values, list) else []
    what = (
        f"port {listener.word('Port')} for {', '.join(wanted)}" if wanted else f"port {listener.word('Port')}"
    )
    if any(action.get("Type") == "forward" for action in rule.maps("Actions")):
        yield Way(f"{name}, {what},", _workload(rule), "", rule.short, rule.logical_id)
