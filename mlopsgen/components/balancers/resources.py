"""Load balancers: one per scheme for all services, with the listeners, and each service's place behind it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

from troposphere import Ref, Sub, ec2
from troposphere import elasticloadbalancingv2 as elb

from mlopsgen.components.base import Site
from mlopsgen.components.network import EVERYWHERE, join, vpc_of
from mlopsgen.components.wiring import publish
from mlopsgen.ecs import metrics
from mlopsgen.plan import Edge, Output, Part, Resource, Thing, Value
from mlopsgen.spec.services import IngressSpec, ServiceSpec

Scheme = Literal["internet-facing", "internal"]

STACK = "serving"
ORIGIN = ("spec", "services")

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"

MAX_PRIORITY = 50_000
LONGEST_PATH = 100


def word(scheme: str) -> str:
    """How logical ids and parameters name it: `Public` or `Internal`."""
    return "Public" if scheme == "internet-facing" else "Internal"


def key(scheme: str, what: str) -> str:
    """The SSM key by which services learn `what` of their load balancer."""
    return f"serving/{word(scheme).lower()}-{what}"


def load_balancer(site: Site, scheme: Scheme, services: Sequence[ServiceSpec]) -> Iterator[Part]:
    """The load balancer of all `services` with that scheme, and its listeners."""
    name = word(scheme)
    origin = (*ORIGIN, services[0].name, "ingress")
    ingresses = [service.ingress for service in services if service.ingress]
    certificates = sorted({each.certificate for each in ingresses if each.certificate})
    public = scheme == "internet-facing"
    network = join(site, STACK, public=public, private=not public)
    yield from network.parameters
    yield _security_group(site, scheme, ingresses, network.vpc_id, bool(certificates), origin)
    attributes = {
        "access_logs.s3.enabled": "true",
        "access_logs.s3.bucket": Sub(site.log_bucket),
        "access_logs.s3.prefix": f"load-balancers/{name.lower()}",
        "deletion_protection.enabled": "false",
        "idle_timeout.timeout_seconds": str(max(each.idle_timeout for each in ingresses)),
        "routing.http.desync_mitigation_mode": "strictest",
        "routing.http.drop_invalid_header_fields.enabled": "true",
    }
    body = elb.LoadBalancer(
        f"{name}LoadBalancer",
        Type="application",
        Scheme=scheme,
        IpAddressType="ipv4",
        Subnets=network.public_subnets if public else network.private_subnets,
        SecurityGroups=[Ref(f"{name}LoadBalancerSecurityGroup")],
        LoadBalancerAttributes=[
            elb.LoadBalancerAttributes(Key=key_, Value=value) for key_, value in attributes.items()
        ],
    )
    yield Resource(STACK, f"{name}LoadBalancer", body, origin)
    yield from _listeners(name, certificates, origin)
    listener = Ref(f"{name}HttpsListener" if certificates else f"{name}HttpListener")
    full_name = metrics.load_balancer(f"{name}LoadBalancer")
    group = Ref(f"{name}LoadBalancerSecurityGroup")
    for suffix, what, value in (
        ("ListenerArn", "listener-arn", listener),
        ("LoadBalancerFullName", "load-balancer-full-name", full_name),
        ("SecurityGroupId", "security-group-id", group),
    ):
        yield publish(site, STACK, f"{name}{suffix}Parameter", key(scheme, what), value, origin)
    dns = body.get_att("DNSName")
    yield Output(STACK, f"{name}Address", dns, f"Address of the {scheme} load balancer")
    yield Thing(f"balancer:{scheme}", f"{scheme} load balancer", "balancer")
    yield Thing("people", "callers", "person")
    yield Edge("people", f"balancer:{scheme}", "HTTPS" if certificates else "HTTP")


def _security_group(
    site: Site, scheme: Scheme, ingresses: list[IngressSpec], vpc_id: Value, tls: bool, origin: Any
) -> Resource:
    existing = site.spec.network.existing
    inside = existing.cidr if existing else vpc_of(site).cidr
    default = EVERYWHERE if scheme == "internet-facing" else inside
    ranges = sorted({cidr for each in ingresses for cidr in (each.allow_from or (default,))})
    ports = (80, 443) if tls else (80,)
    name = f"{word(scheme)}LoadBalancerSecurityGroup"
    body = ec2.SecurityGroup(
        name,
        VpcId=vpc_id,
        GroupDescription=f"Callers of the {scheme} load balancer",
        SecurityGroupIngress=[
            ec2.SecurityGroupRule(
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                CidrIp=cidr,
                Description=f"{'HTTPS' if port == 443 else 'HTTP'} from {cidr}",
            )
            for cidr in ranges
            for port in ports
        ],
        # Without a rule of its own AWS would allow everything; each service adds the way to its tasks.
        SecurityGroupEgress=[
            ec2.SecurityGroupRule(IpProtocol="-1", CidrIp="127.0.0.1/32", Description="Nowhere by itself")
        ],
    )
    return Resource(STACK, name, body, origin)


def _listeners(name: str, certificates: list[str], origin: Any) -> Iterator[Part]:
    not_found = elb.Action(
        Type="fixed-response",
        FixedResponseConfig=elb.FixedResponseConfig(
            StatusCode="404", ContentType="text/plain", MessageBody="Nothing is served here."
        ),
    )
    redirect = elb.Action(
        Type="redirect",
        RedirectConfig=elb.RedirectConfig(Protocol="HTTPS", Port="443", StatusCode="HTTP_301"),
    )
    http = elb.Listener(
        f"{name}HttpListener",
        LoadBalancerArn=Ref(f"{name}LoadBalancer"),
        Port=80,
        Protocol="HTTP",
        DefaultActions=[redirect if certificates else not_found],
    )
    yield Resource(STACK, f"{name}HttpListener", http, origin)
    if not certificates:
        return
    first, *others = certificates
    https = elb.Listener(
        f"{name}HttpsListener",
        LoadBalancerArn=Ref(f"{name}LoadBalancer"),
        Port=443,
        Protocol="HTTPS",
        SslPolicy=TLS_POLICY,
        Certificates=[elb.Certificate(CertificateArn=first)],
        DefaultActions=[not_found],
    )
    yield Resource(STACK, f"{name}HttpsListener", https, origin)
    if others:
        body = elb.ListenerCertificate(
            f"{name}MoreCertificates",
            ListenerArn=Ref(f"{name}HttpsListener"),
            Certificates=[elb.Certificate(CertificateArn=each) for each in others],
        )
        yield Resource(STACK, f"{name}MoreCertificates", body, origin)


def conditions(ingress: IngressSpec) -> list[elb.Condition]:
    """Which requests are the service's: by host, by path, or all."""
    result = []
    if ingress.host:
        result.append(
            elb.Condition(Field="host-header", HostHeaderConfig=elb.HostHeaderConfig(Values=[ingress.host]))
        )
    path = ingress.path.rstrip("/")
    if path or not result:
        values = [path, f"{path}/*"] if path else ["/*"]
        result.append(
            elb.Condition(Field="path-pattern", PathPatternConfig=elb.PathPatternConfig(Values=values))
        )
    return result


def priorities(services: Sequence[ServiceSpec]) -> dict[str, int]:
    """The priority of each service's listener rule, by name: lower ones are tried first.

    A rule for one host comes before one for a wildcard, and that before one for any; longer paths come
    before shorter ones. Rules alike in both cannot match the same request, so within their stretch each
    takes the place that its name's hash gives it, or the next free one: a new service moves no other rule
    unless two hashes meet.
    """
    classes = 3 * (LONGEST_PATH + 1)
    room = MAX_PRIORITY // classes
    # Each load balancer has priorities of its own.
    taken: dict[str, set[int]] = {"internet-facing": set(), "internal": set()}
    result: dict[str, int] = {}
    for service in sorted(services, key=lambda each: each.name):
        if not service.ingress:
            continue
        host = service.ingress.host
        rank = 2 if not host else 1 if host.startswith("*") else 0
        depth = LONGEST_PATH - len(service.ingress.path.rstrip("/"))
        start = (rank * (LONGEST_PATH + 1) + depth) * room + 1
        offset = int.from_bytes(hashlib.sha256(service.name.encode()).digest()[:4], "big") % room
        own = taken[service.ingress.scheme]
        while start + offset in own:
            offset = (offset + 1) % room
        own.add(start + offset)
        result[service.name] = start + offset
    return result
