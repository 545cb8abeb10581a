"""What becomes reachable from where, and what no longer."""

from __future__ import annotations

from mlopsgen.forecast.outlook import outlook
from tests.forecast.known import BASE, compared, edited


def reach(before: str, after: str) -> list[str]:
    return [each.reach.sentence for each in outlook(compared(before, after), "prod").meant.reach]


INTERNAL = edited(BASE, ("loadBalancer: public", "loadBalancer: internal"))


def test_to_the_internet():
    """A service behind a public load balancer instead of an internal one is open to the internet."""
    assert reach(INTERNAL, BASE) == [
        "the internet reaches PublicLoadBalancer at tcp 80",
        "PublicLoadBalancer, port 80 for /*, reaches api",
        "PublicLoadBalancer reaches api at tcp 8080",
        "the network 10.0.0.0/16 no longer reaches InternalLoadBalancer at tcp 80",
        "InternalLoadBalancer, port 80 for /*, no longer reaches api",
        "InternalLoadBalancer no longer reaches api at tcp 8080",
    ]


def test_another_path():
    """Which paths lead to a service is told in the words of its rule."""
    after = edited(BASE, ("loadBalancer: public}", "loadBalancer: public, paths: [/v1]}"))
    assert reach(BASE, after) == [
        "PublicLoadBalancer, port 80 for /v1, /v1/*, reaches api",
        "PublicLoadBalancer, port 80 for /*, no longer reaches api",
    ]


def test_what_opens_nothing_is_silent():
    """More replicas, another check: who reaches whom is as before."""
    assert (
        reach(BASE, edited(BASE, ("max: 4, metrics", "max: 9, metrics"), ("path: /ready", "path: /health")))
        == []
    )
