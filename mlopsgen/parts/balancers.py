"""Load balancers as services see them: what each publishes, and which rules of its listener are a route's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from hashlib import sha256
from itertools import groupby
from typing import NamedTuple

from mlopsgen.components.services.spec import RouteSpec
from mlopsgen.model.values import Published
from mlopsgen.model.workload import Route, Workload

STACK = "serving"

RULE_VALUES = 5
"""How many values a rule's conditions hold (Elastic Load Balancing user guide, "Quotas for your Application
Load Balancers")."""


def listener_arn(balancer: str) -> Published:
    """The listener to which routes through a load balancer add their rules."""
    return Published(STACK, f"serving/{balancer}-listener-arn", "String", f"The listener of {balancer}")


def balancer_name(balancer: str) -> Published:
    """A load balancer as metrics name it: `app/NAME/ID`."""
    what = f"Load balancer {balancer}, as metrics name it"
    return Published(STACK, f"serving/{balancer}-load-balancer-full-name", "String", what)


def balancer_group(balancer: str) -> Published:
    """The security group of a load balancer."""
    what = f"The security group of load balancer {balancer}"
    return Published(STACK, f"serving/{balancer}-security-group-id", "AWS::EC2::SecurityGroup::Id", what)


def target_group_names(workload: Workload, route: Route) -> tuple[Published, ...]:
    """The target groups of a route, as metrics name them: `targetgroup/NAME/ID`."""
    words = ("target-group", "alternate-target-group")[: len(route.target_groups)]
    return tuple(
        Published(
            workload.stack,
            f"serving/{workload.name}/{route.name}-{word}",
            "String",
            f"The {word.replace('-', ' ')} of route {route.name}, as metrics name it",
        )
        for word in words
    )


class Match(NamedTuple):
    """The requests that one rule is for: to any of the hosts, and below any of the paths.

    Its hosts are all equally narrow, and so are its paths: one number puts all of it in its place.
    """

    hosts: tuple[str, ...]
    """Empty for every host."""
    paths: tuple[str, ...]
    """Without a slash at their ends; empty for every path."""

    @property
    def path_values(self) -> tuple[str, ...]:
        """The values of its path condition: each path, and all below it."""
        if self.paths:
            return tuple(value for each in self.paths for value in (each, f"{each}/*"))
        return () if self.hosts else ("/*",)


class ListenerRule(NamedTuple):
    """A rule of a load balancer's listener."""

    logical_id: str
    match: Match
    priority: int | None
    """Lower ones are tried first. None if no number is kept for what is so narrow."""


def listener_rules(workload: Workload, route: Route) -> tuple[ListenerRule, ...]:
    """The rules of a route, the narrowest first.

    A rule's number follows from what it matches and from the names of service and route alone, so no
    neighbour moves it. Each logical id has numbers of its own: a rule that took the one which another still
    holds would be refused.
    """
    rules = []
    for position, match in enumerate(matches(route.spec)):
        if route.spec.priority is not None:
            priority: int | None = route.spec.priority + position
        else:
            priority = _pick(numbers(match), f"{workload.name}/{route.name}/{position}")
        suffix = str(position + 1) if position else ""
        rules.append(ListenerRule(f"{route.logical_id}ListenerRule{suffix}", match, priority))
    return tuple(rules)


def matches(route: RouteSpec) -> tuple[Match, ...]:
    """What the rules of a route match, the narrowest first."""
    return tuple(
        match
        for hosts in _alike(route.hosts, narrowness) or [()]
        for paths in _alike((each.rstrip("/") for each in route.paths), depth)
        for match in _split(hosts, tuple(each for each in paths if each))
    )


def _alike(words: Iterable[str], measure: Callable[[str], int]) -> list[tuple[str, ...]]:
    """The words in groups of one measure, the greatest measure first."""
    ordered = sorted(set(words), key=lambda each: (-measure(each), each))
    return [tuple(group) for _, group in groupby(ordered, measure)]


def _split(hosts: Sequence[str], paths: Sequence[str]) -> list[Match]:
    """In as few rules as their values take; a path is two."""
    ways = []
    for hosts_of_rule in (RULE_VALUES, 3, 1):
        # Without hosts a rule needs room for paths alone, and without paths for hosts alone.
        room = RULE_VALUES - min(hosts_of_rule, len(hosts))
        if room >= 2 or not paths:
            ways.append(
                [
                    Match(some_hosts, some_paths)
                    for some_hosts in _pages(hosts, hosts_of_rule)
                    for some_paths in _pages(paths, max(room // 2, 1))
                ]
            )
    return min(ways, key=len)


def _pages(words: Sequence[str], size: int) -> list[tuple[str, ...]]:
    return [tuple(words[start : start + size]) for start in range(0, len(words), size)] or [()]


EXACT = 7
"""How narrow a name is, beside a wildcard of 2 to 6 words, and 0 for every host."""

FIRST = 1001
"""Lower numbers are kept for priorities that are written down, and so are those above the last."""

# How many numbers there are for rules of one kind of host (`EXACT`, the words of a wildcard, 0 for every
# host), by the depth of the path: few for what is rare, so that what is common has room not to meet.
_WILDCARD = (600, 400, 200, 100, 60, 20, 20, 20, 20)
_ROOM: Mapping[int, Sequence[int]] = {
    EXACT: (9000, 5000, 2000, 1000, 500, 200, 200, 200, 200),
    **dict.fromkeys(range(6, 1, -1), _WILDCARD),
    0: (100, 16000, 4000, 1500, 600, 200, 200, 200, 200),
}

LAST = FIRST + sum(map(sum, _ROOM.values())) - 1


def narrowness(host: str) -> int:
    """How narrow a host is: a name, then `*.a.b.c`, then `*.b.c`, since the one may lie within the other."""
    words = host.count(".")
    if not host.startswith("*"):
        return EXACT
    return words if words < EXACT else EXACT + words


def depth(path: str) -> int:
    """How narrow a path is: `/a/b` lies within `/a`, and all within `/`."""
    return path.rstrip("/").count("/")


def numbers(match: Match) -> range | None:
    """The numbers of rules that match equally narrowly; None if there are none for it."""
    host = narrowness(match.hosts[0]) if match.hosts else 0
    return _numbers().get((host, depth(match.paths[0]) if match.paths else 0))


@cache
def _numbers() -> dict[tuple[int, int], range]:
    found, start = {}, FIRST
    for host, rooms in _ROOM.items():
        for path, room in reversed(tuple(enumerate(rooms))):
            found[host, path] = range(start, start + room)
            start += room
    return found


def _pick(among: range | None, name: str) -> int | None:
    """The number that falls to a name."""
    if among is None:
        return None
    return among[int.from_bytes(sha256(name.encode()).digest()[:8], "big") % len(among)]
