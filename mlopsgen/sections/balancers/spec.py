"""`spec.loadBalancers`: the ways in."""

from typing import Literal

from mlopsgen.language.base import Item, NotYet
from mlopsgen.language.values import Arn, Duration, Peer


class LoadBalancerSpec(Item):
    """An application load balancer. Routes name it."""

    scheme: Literal["internet-facing", "internal"] | None = None
    """Who can reach it, by default the internet if it is called `public`, else only the VPC."""

    existing: NotYet = None
    """Somebody else's; beside it only `scheme` and `hostedZones`."""

    tcp: NotYet = None
    """A network balancer (TCP, TLS) in place of an application one."""

    certificates: tuple[Arn, ...] = ()
    """ARNs of ACM: HTTPS, and HTTP sends there."""

    hosted_zones: NotYet = None
    """Public Route 53 zones of this account: a record for each host of its routes below one of them, and, without `certificates`, one certificate for all these hosts. Replaced as a whole by an environment."""

    ssl_policy: NotYet = None
    """The versions of TLS, by default ELB's newest for 1.2 and 1.3."""

    allow_from: tuple[Peer, ...] | None = None
    """Who may connect, by default everybody if it is internet-facing, else the VPC; `[]`: nobody."""

    idle_timeout: Duration = 60
    """How long a connection may be silent. Told to the programs (`KEEP_ALIVE_SECONDS`)."""

    waf: NotYet = None
    """A firewall for requests."""

    cors: NotYet = None
    """What pages of other origins may ask."""

    access_logs: NotYet = None
    """A log of all requests, in a bucket of its own."""

    cdn: NotYet = None
    """CloudFront in front of it; then nobody reaches it otherwise."""


def public() -> LoadBalancerSpec:
    """The balancer that is there without being declared, for the internet."""
    return LoadBalancerSpec.model_validate({"name": "public"})


def internal() -> LoadBalancerSpec:
    """The balancer that is there without being declared, for the VPC."""
    return LoadBalancerSpec.model_validate({"name": "internal"})
