"""Load balancers: each that some route leads through, with its listeners and whom it lets in."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from troposphere import GetAtt, Ref, ec2
from troposphere import elasticloadbalancingv2 as elb

from mlopsgen.language.values import EVERYWHERE
from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Declaration, FlowEdge, FlowNode, StackDescription
from mlopsgen.model.site import Balancer, Site
from mlopsgen.parts.balancers import STACK, balancer_group, balancer_name, listener_arn
from mlopsgen.parts.container import given
from mlopsgen.parts.metrics import load_balancer
from mlopsgen.parts.network import (
    NOWHERE,
    peer_rule,
    private_subnets,
    public_subnets,
    ranges,
    vpc_id,
)
from mlopsgen.parts.resource import Scope, output, publish

TLS_POLICY = "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """One stack for all load balancers; nothing if no route leads through any."""
    if site.balancers:
        yield StackDescription(STACK, "load balancers")
        yield FlowNode("people", "callers", "person")
    for each in site.balancers:
        yield from _balancer(Scope(site, STACK, each.origin), each)


def _balancer(scope: Scope, balancer: Balancer) -> Iterator[Declaration]:
    site, name = scope.site, balancer.logical_id
    group = f"{name}LoadBalancerSecurityGroup"
    yield scope.resource(_security_group(site, balancer, group))
    attributes = {
        "access_logs.s3.enabled": "false",
        "deletion_protection.enabled": str(site.spec.protection.load_balancers).lower(),
        "idle_timeout.timeout_seconds": str(balancer.spec.idle_timeout),
        "routing.http.desync_mitigation_mode": "strictest",
        "routing.http.drop_invalid_header_fields.enabled": "true",
    }
    body = elb.LoadBalancer(
        f"{name}LoadBalancer",
        Type="application",
        Scheme=balancer.scheme,
        IpAddressType="ipv4",
        Subnets=public_subnets(site) if balancer.public else private_subnets(site),
        SecurityGroups=[Ref(group)],
        LoadBalancerAttributes=[
            elb.LoadBalancerAttributes(Key=key, Value=value) for key, value in attributes.items()
        ],
    )
    yield scope.resource(body)
    for listener in _listeners(name, tuple(dict.fromkeys(balancer.spec.certificates))):
        yield scope.resource(listener)
    listener_id = f"{name}HttpsListener" if balancer.secure else f"{name}HttpListener"
    yield publish(listener_arn(balancer.name), Ref(listener_id), scope.origin)
    yield publish(balancer_group(balancer.name), Ref(group), scope.origin)
    yield publish(
        balancer_name(balancer.name),
        load_balancer(body.title),
        scope.origin,
        kept="alarms and dashboards that are added later name it",
    )
    what = f"Address of load balancer {balancer.name}"
    yield output(STACK, f"{name}Address", GetAtt(body.title, "DNSName"), what)
    yield FlowNode(f"balancer:{balancer.name}", f"{balancer.name} load balancer", "balancer")
    yield FlowEdge("people", f"balancer:{balancer.name}", "HTTPS" if balancer.secure else "HTTP")


def _security_group(site: Site, balancer: Balancer, logical_id: str) -> ec2.SecurityGroup:
    ports = (80, 443) if balancer.secure else (80,)
    callers = [_from(peer, port) for peer in peers(site, balancer) for port in ports]
    return ec2.SecurityGroup(
        logical_id,
        VpcId=vpc_id(site),
        GroupDescription=f"Callers of the {balancer.name} load balancer",
        **given(SecurityGroupIngress=callers),
        # Without a rule of its own AWS would allow everything; each service adds the way to its tasks.
        SecurityGroupEgress=[NOWHERE],
    )


def peers(site: Site, balancer: Balancer) -> tuple[str, ...]:
    """Who may connect: by default everybody to one that faces the internet, and the network to another."""
    if balancer.spec.allow_from is not None:
        return tuple(sorted(set(balancer.spec.allow_from)))
    return (EVERYWHERE,) if balancer.public else ranges(site)


def _from(peer: str, port: int) -> ec2.SecurityGroupRule:
    return peer_rule(peer, port, f"{'HTTPS' if port == 443 else 'HTTP'} from {peer}", way="Source")


def _listeners(name: str, certificates: Sequence[str]) -> Iterator[elb.Listener | elb.ListenerCertificate]:
    """HTTP; with certificates HTTPS, to which HTTP then sends."""
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
    yield elb.Listener(
        f"{name}HttpListener",
        LoadBalancerArn=Ref(f"{name}LoadBalancer"),
        Port=80,
        Protocol="HTTP",
        DefaultActions=[redirect if certificates else not_found],
    )
    if not certificates:
        return
    first, *others = certificates
    yield elb.Listener(
        f"{name}HttpsListener",
        LoadBalancerArn=Ref(f"{name}LoadBalancer"),
        Port=443,
        Protocol="HTTPS",
        SslPolicy=TLS_POLICY,
        Certificates=[elb.Certificate(CertificateArn=first)],
        DefaultActions=[not_found],
    )
    if others:
        yield elb.ListenerCertificate(
            f"{name}MoreCertificates",
            ListenerArn=Ref(f"{name}HttpsListener"),
            Certificates=[elb.Certificate(CertificateArn=each) for each in others],
        )
