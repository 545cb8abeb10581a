"""What costs more or less: units of what AWS bills by the hour or month, and money where a price is known.

What is billed by use (requests, transfer, logs, storage, runs of jobs) is not forecast: nobody knows the use.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple

from mlopsgen.aws.prices import Price
from mlopsgen.motion.live import Account, Live
from mlopsgen.motion.stacks import Json


class Unit(NamedTuple):
    """Something that is billed as long as it is there."""

    name: str
    """Such as `NAT gateway`, or `task of 1 vCPU and 2 GiB on Fargate (sentiment-api)`."""
    prices: tuple[tuple[str, Fraction], ...]
    """The prices that it takes, and how much of each."""


class Amount(NamedTuple):
    """How many there are, at least and at most: scaling decides in between."""

    low: int
    high: int


class Cost(NamedTuple):
    """How the number of one unit changes."""

    unit: Unit
    before: Amount
    after: Amount
    places: tuple[tuple[str, str], ...]
    """Stack and logical id of what brings more or fewer of it."""

    @property
    def sentence(self) -> str:
        """Such as `1 NAT gateway more`, or `up to 10 tasks of 1 vCPU and 2 GiB on Fargate more`."""
        low, high = self.after.low - self.before.low, self.after.high - self.before.high
        parts = []
        if low == high:
            parts.append(_more(low, self.unit.name))
        else:
            if low:
                parts.append(f"at least {_more(low, self.unit.name)}")
            if high:
                parts.append(f"up to {_more(high, self.unit.name)}")
        return ", ".join(parts)


class Money(NamedTuple):
    """What a month costs more (or, below zero, less), in US dollars, at 730 hours."""

    low: Decimal
    high: Decimal
    before_low: Decimal
    before_high: Decimal
    unknown: tuple[str, ...]
    """Units that change and have no known price."""

    @property
    def share(self) -> Decimal | None:
        """The change of what it costs at most, as a share of that; None if nothing was there before."""
        return self.high / self.before_high if self.before_high else None


def changed_costs(before: Account, after: Account) -> tuple[Cost, ...]:
    """The units whose number changes."""
    old, new = units(before), units(after)
    found = []
    for unit in dict.fromkeys((*new, *old)):
        was, now = old.get(unit, {}), new.get(unit, {})
        if _sum(was) != _sum(now):
            places = tuple(place for place in {**was, **now} if was.get(place) != now.get(place))
            found.append(Cost(unit, _sum(was), _sum(now), places))
    return tuple(found)


def money(before: Account, after: Account, prices: Mapping[str, Price]) -> Money:
    """What the change comes to. `prices` are those of the region."""
    totals = []
    unknown: Counter[str] = Counter()
    for account in (before, after):
        low = high = Decimal(0)
        for unit, own in units(account).items():
            amount = _sum(own)
            if any(name not in prices for name, _ in unit.prices):
                unknown[unit.name] += amount.high if account is after else -amount.high
                continue
            each = sum((prices[name].monthly * _decimal(share) for name, share in unit.prices), Decimal(0))
            low += each * amount.low
            high += each * amount.high
        totals.append((low, high))
    (low_before, high_before), (low_after, high_after) = totals
    return Money(
        low_after - low_before,
        high_after - high_before,
        low_before,
        high_before,
        tuple(sorted(name for name, count in unknown.items() if count)),
    )


def units(account: Account) -> dict[Unit, dict[tuple[str, str], Amount]]:
    """How many of each unit an account has, by stack and logical id of what brings them."""
    resources = [each for each in account.resources() if each.stack]
    found: dict[Unit, dict[tuple[str, str], Amount]] = {}
    for unit, amount, live in _units(resources):
        own = found.setdefault(unit, {})
        place = (live.short, live.logical_id)
        own[place] = _sum({1: own.get(place, Amount(0, 0)), 2: amount})
    return found


def _sum(amounts: Mapping[Any, Amount]) -> Amount:
    return Amount(sum(each.low for each in amounts.values()), sum(each.high for each in amounts.values()))


_SINGLE = {
    "AWS::EC2::NatGateway": ("NAT gateway", "nat-gateway"),
    "AWS::EC2::EIP": ("public IPv4 address", "public-ipv4"),
    "AWS::KMS::Key": ("KMS key", "kms-key"),
    "AWS::CloudWatch::Alarm": ("alarm", "alarm"),
    "AWS::CloudWatch::Dashboard": ("dashboard", "dashboard"),
    "AWS::SecretsManager::Secret": ("secret", "secret"),
}
_BALANCERS = {"application": "application-load-balancer", "network": "network-load-balancer"}


def _units(resources: list[Live]) -> Iterator[tuple[Unit, Amount, Live]]:
    one = Amount(1, 1)
    for each in resources:
        if each.type in _SINGLE:
            name, price = _SINGLE[each.type]
            yield Unit(name, ((price, Fraction(1)),)), one, each
        elif each.type == "AWS::EC2::VPCEndpoint" and each.word("VpcEndpointType") == "Interface":
            count = len(each.items("SubnetIds"))
            unit = Unit("interface endpoint in one zone", (("interface-endpoint", Fraction(1)),))
            yield unit, Amount(count, count), each
        elif each.type == "AWS::ElasticLoadBalancingV2::LoadBalancer":
            kind = each.word("Type") or "application"
            yield Unit(f"{kind} load balancer", ((_BALANCERS.get(kind, kind), Fraction(1)),)), one, each
            if each.word("Scheme") != "internal":
                # A load balancer that the internet reaches has an address in each of its zones (Amazon VPC
                # pricing, "Public IPv4 address").
                count = len(each.items("Subnets")) or len(each.items("SubnetMappings"))
                yield Unit("public IPv4 address", (("public-ipv4", Fraction(1)),)), Amount(count, count), each
        elif each.type == "AWS::ECS::Service":
            yield from _tasks(each, resources)
        elif each.type == "AWS::AutoScaling::AutoScalingGroup":
            yield from _instances(each, resources)


def _tasks(service: Live, resources: list[Live]) -> Iterator[tuple[Unit, Amount, Live]]:
    task = next((each for each in resources if each.ref() == service.word("TaskDefinition")), None)
    if task is None:
        return
    providers = {str(each.get("CapacityProvider")) for each in service.maps("CapacityProviderStrategy")}
    if service.word("LaunchType") == "EC2" or not providers <= {"FARGATE", "FARGATE_SPOT"}:
        return
    arm = "-arm" if task.word("RuntimePlatform", "CpuArchitecture") == "ARM64" else ""
    spot = "-spot" if providers == {"FARGATE_SPOT"} else ""
    cpu, memory = Fraction(int(task.word("Cpu") or 0), 1024), Fraction(int(task.word("Memory") or 0), 1024)
    name = f"task of {_number(cpu)} vCPU and {_number(memory)} GiB on Fargate{' Spot' if spot else ''}"
    unit = Unit(
        f"{name} ({service.word('ServiceName') or service.logical_id})",
        ((f"fargate-vcpu{arm}{spot}", cpu), (f"fargate-gb{arm}{spot}", memory)),
    )
    yield unit, _replicas(service, resources), service


def _replicas(service: Live, resources: Iterable[Live]) -> Amount:
    name = service.word("ServiceName")
    for each in resources:
        scales = each.type == "AWS::ApplicationAutoScaling::ScalableTarget"
        if scales and each.word("ResourceId").endswith(f"/{name}"):
            return Amount(_int(each.at("MinCapacity")), _int(each.at("MaxCapacity")))
    count = _int(service.at("DesiredCount"), 1)
    return Amount(count, count)


def _instances(group: Live, resources: list[Live]) -> Iterator[tuple[Unit, Amount, Live]]:
    mixed = ("MixedInstancesPolicy", "LaunchTemplate")
    launch = group.at(*mixed, "LaunchTemplateSpecification", "LaunchTemplateId")
    launch = launch or group.at("LaunchTemplate", "LaunchTemplateId")
    template = next((each for each in resources if each.ref() == launch), None)
    overrides = [str(each.get("InstanceType")) for each in group.maps(*mixed, "Overrides")]
    if template is None:
        return
    kinds = overrides or [template.word("LaunchTemplateData", "InstanceType")]
    share = group.at("MixedInstancesPolicy", "InstancesDistribution", "OnDemandPercentageAboveBaseCapacity")
    spot = share is not None and str(share) == "0"
    name = f"instance {' or '.join(kinds)}{' on spot' if spot else ''} ({group.short})"
    # The price of spot moves; the first type is the one that is wanted most.
    price = f"spot:{kinds[0]}" if spot else f"ec2:{kinds[0]}"
    yield (
        Unit(name, ((price, Fraction(1)),)),
        Amount(_int(group.at("MinSize")), _int(group.at("MaxSize"))),
        group,
    )


def _int(value: Json, otherwise: int = 0) -> int:
    try:
        return int(str(value))
    except ValueError:
        return otherwise


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"


def _decimal(value: Fraction) -> Decimal:
    return Decimal(value.numerator) / Decimal(value.denominator)


def _more(count: int, name: str) -> str:
    word = name if abs(count) == 1 else _several(name)
    return f"{abs(count)} {word} {'more' if count > 0 else 'less' if abs(count) == 1 else 'fewer'}"


def _several(name: str) -> str:
    for single, several in (
        ("task of", "tasks of"), ("instance ", "instances "), ("interface endpoint ", "interface endpoints "),
        ("IPv4 address", "IPv4 addresses"),
    ):  # fmt: skip
        if single in name:
            return name.replace(single, several, 1)
    return f"{name}s"
