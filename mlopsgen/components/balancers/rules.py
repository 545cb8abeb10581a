"""The load balancers that services share: who gets which request, and settings that are one for all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.checks.rule import Finding, Scene, rule
from mlopsgen.checks.services import services
from mlopsgen.components.services import target_groups
from mlopsgen.source.node import Path
from mlopsgen.spec.quantities import write_duration
from mlopsgen.spec.services import IngressSpec, ServiceSpec

# Elastic Load Balancing user guide, "Quotas for your Application Load Balancers".
RULES = 100
TARGET_GROUPS = 100
CERTIFICATES = 25
IDLE = (1, 4000)


def ingresses(scene: Scene) -> Iterator[tuple[Path, ServiceSpec, IngressSpec]]:
    """Every service behind a load balancer, with the path of its `ingress`."""
    for path, service in services(scene):
        if service.ingress:
            yield (*path, "ingress"), service, service.ingress


@rule("E209")
def same_requests(scene: Scene) -> Iterable[Finding]:
    """No two services behind one load balancer ask for the same requests."""
    seen: dict[tuple[str, str | None, str], tuple[Path, str]] = {}
    for path, service, ingress in ingresses(scene):
        wanted = (ingress.scheme, ingress.host, ingress.path.rstrip("/"))
        first_path, first = seen.setdefault(wanted, (path, service.name))
        if first_path is not path:
            where = f"{ingress.host or 'every host'}, path `{ingress.path}`"
            field = "path" if "path" in ingress.model_fields_set else "host"
            yield Finding(
                (*path, field),
                f"`{service.name}` asks for the requests that `{first}` gets: {where}",
                "give each a `path` or a `host` of its own",
                ((first_path, "asked for here"),),
            )


@rule("E210")
def settings_of_one_balancer(scene: Scene) -> Iterable[Finding]:
    """Services with the same scheme share one load balancer, and so what callers it lets in, and how."""
    first: dict[str, tuple[Path, ServiceSpec, IngressSpec]] = {}
    for path, service, ingress in ingresses(scene):
        first_path, other, shared = first.setdefault(ingress.scheme, (path, service, ingress))
        differing = {
            "allowFrom": set(ingress.allow_from) != set(shared.allow_from),
            "certificate": bool(ingress.certificate) != bool(shared.certificate),
            "idleTimeout": ingress.idle_timeout != shared.idle_timeout,
        }
        for field in sorted(name for name, differs in differing.items() if differs):
            yield Finding(
                (*path, field),
                f"`{other.name}` and `{service.name}` share the {ingress.scheme} load balancer, but differ "
                f"in `{field}`",
                f"give both the same `{field}`, or take the other scheme for one of them",
                (((*first_path, field), f"`{other.name}`"),),
            )


@rule("E343")
def idle_timeout(scene: Scene) -> Iterable[Finding]:
    """A load balancer keeps a silent connection from a second to little more than an hour."""
    for path, _, ingress in ingresses(scene):
        if not IDLE[0] <= ingress.idle_timeout <= IDLE[1]:
            near = min(max(ingress.idle_timeout, IDLE[0]), IDLE[1])
            said = write_duration(ingress.idle_timeout)
            message = f"idleTimeout is {said}; load balancers take {IDLE[0]}s to {IDLE[1]}s"
            yield Finding((*path, "idleTimeout"), message, f"say `{near}s`")


@rule("E345")
def full_balancer(scene: Scene) -> Iterable[Finding]:
    """A load balancer takes so many target groups and certificates, and no more."""
    groups: dict[str, int] = {}
    certificates: dict[str, set[str]] = {}
    for path, service, ingress in ingresses(scene):
        scheme = ingress.scheme
        before = groups.get(scheme, 0)
        groups[scheme] = before + len(target_groups(service))
        if before <= TARGET_GROUPS < groups[scheme]:
            yield Finding(
                path,
                f"the {scheme} load balancer would have more than {TARGET_GROUPS} target groups",
                "`rolling` takes one for each service, the other strategies two; "
                "split the pipeline in two, or take the other scheme for some",
            )
        known = certificates.setdefault(scheme, set())
        if ingress.certificate and ingress.certificate not in known:
            known.add(ingress.certificate)
            if len(known) == CERTIFICATES + 1:
                yield Finding(
                    (*path, "certificate"),
                    f"the {scheme} load balancer would have more than {CERTIFICATES} certificates",
                    "one certificate can hold several names, or `*.example.com`",
                )


@rule("W344")
def many_rules(scene: Scene) -> Iterable[Finding]:
    """By default a load balancer takes so many rules."""
    counts: dict[str, int] = {}
    for path, _, ingress in ingresses(scene):
        counts[ingress.scheme] = counts.get(ingress.scheme, 0) + 1
        if counts[ingress.scheme] == RULES + 1:
            yield Finding(
                path,
                f"the {ingress.scheme} load balancer would have more than {RULES} rules",
                "ask AWS to raise the quota `Rules per Application Load Balancer` before the deployment",
            )


# Amazon VPC user guide, "Amazon VPC quotas": inbound, and outbound, in one security group.
GROUP_RULES = 60


@rule("W345")
def full_security_group(scene: Scene) -> Iterable[Finding]:
    """By default the load balancer's security group takes so many callers, and so many services."""
    ranges: dict[str, set[str]] = {}
    ways: dict[str, int] = {}
    for path, _, ingress in ingresses(scene):
        scheme = ingress.scheme
        known = ranges.setdefault(scheme, set())
        before = len(known)
        known.update(ingress.allow_from)
        # HTTP, and HTTPS where there is a certificate.
        room = GROUP_RULES // (2 if ingress.certificate else 1)
        # One rule says that there is no other way out.
        ways[scheme] = ways.get(scheme, 1) + 1
        found = {
            "callers": before <= room < len(known),
            "services": ways[scheme] == GROUP_RULES + 1,
        }
        for what in sorted(word for word, full in found.items() if full):
            yield Finding(
                (*path, "allowFrom") if what == "callers" else path,
                f"the security group of the {scheme} load balancer would have more than {GROUP_RULES} "
                f"rules for {what}",
                "ask AWS to raise the quota `Inbound or outbound rules per security group` before the "
                "deployment",
            )


@rule("W343")
def plain_http(scene: Scene) -> Iterable[Finding]:
    """What the internet can reach speaks HTTPS."""
    for path, service, ingress in ingresses(scene):
        if ingress.scheme == "internet-facing" and not ingress.certificate:
            yield Finding(
                (*path, "scheme"),
                f"`{service.name}` speaks plain HTTP to the internet: anybody on the way can read and "
                "change it",
                "name an ACM certificate in `certificate`",
            )
