"""The ways in: which load balancer gets which requests, whom it lets in, and how much it takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from ipaddress import IPv4Network

from mlopsgen.components.balancers.resources import peers
from mlopsgen.components.balancers.spec import LoadBalancerSpec
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import write_duration
from mlopsgen.model.site import Balancer
from mlopsgen.model.workload import Route, Workload
from mlopsgen.parts.balancers import FIRST, LAST, ListenerRule, listener_rules, numbers
from mlopsgen.rules.places import each, services
from mlopsgen.rules.registry import Scene, nearest, rule

HIGHEST = 50_000
"""Of a rule's priorities (Elastic Load Balancing API reference, CreateRule)."""

# Elastic Load Balancing user guide, "Quotas for your Application Load Balancers".
RULES = 100
TARGET_GROUPS = 100
CERTIFICATES = 25
IDLE = (1, 4000)

# Amazon VPC user guide, "Amazon VPC quotas": inbound, and outbound, in one security group.
GROUP_RULES = 60

_PRIVATE = tuple(map(IPv4Network, ("10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16")))


def routes(scene: Scene) -> Iterator[tuple[SpecPath, Workload, Route]]:
    """Every route with its place and its service, as the file lists them."""
    for path, spec, service in services(scene):
        resolved = {id(route.spec): route for route in service.routes}
        for at, route in each((*path, "ingress"), spec.ingress):
            yield at, service, resolved[id(route)]


def balancers(scene: Scene) -> Iterator[tuple[SpecPath, LoadBalancerSpec]]:
    """Every load balancer that the file declares, with its place."""
    yield from each(("spec", "loadBalancers"), scene.site.spec.load_balancers)


def _used(scene: Scene) -> Iterator[tuple[SpecPath, Balancer]]:
    """Every load balancer that routes lead through, where it is declared or, if it is not, first used."""
    declared = {spec.name: path for path, spec in balancers(scene)}
    first: dict[str, SpecPath] = {}
    for path, _, route in routes(scene):
        first.setdefault(route.spec.load_balancer, (*path, "loadBalancer"))
    for balancer in scene.site.balancers:
        yield declared.get(balancer.name, first[balancer.name]), balancer


@rule(
    "E260",
    "an unknown load balancer",
    "A route leads through one of `spec.loadBalancers`, or through `public` or `internal`, which are there.",
    "spec: {services: [{name: api, ingress: [{name: web, loadBalancer: pubic}]}]}",
    "spec: {services: [{name: api, ingress: [{name: web, loadBalancer: internal}]}]}",
)
def unknown_balancer(scene: Scene) -> Iterable[Finding]:
    """A route names a load balancer that is there."""
    known = scene.site.known_balancers
    for path, _, route in routes(scene):
        name = route.spec.load_balancer
        if name not in known:
            yield scene.unknown((*path, "loadBalancer"), "load balancer", name, known, "loadBalancers")


@rule(
    "E261",
    "an unknown port",
    "A route leads to one of the service's `ports`, by default to the first.",
    "spec: {services: [{name: api, ingress: [{name: web, port: admin}]}]}",
    """
    spec:
      services:
        - name: api
          ports: [{name: http, port: 8080}, {name: admin, port: 8081}]
          ingress: [{name: web, port: admin}]
    """,
)
def unknown_port(scene: Scene) -> Iterable[Finding]:
    """A route names a port of its service."""
    for path, service, route in routes(scene):
        known = [port.name for port in service.ports]
        if route.spec.port is not None and route.spec.port not in known:
            message = f"`{service.name}` has no port `{route.spec.port}`"
            yield Finding((*path, "port"), message, nearest(route.spec.port, known, "ports"))


@rule(
    "E209",
    "two routes for the same requests",
    """A load balancer tells requests apart by host and path. With the same host and path the second route would
    never get any. A path takes all below it, so that within one route `/v1/a` adds nothing to `/v1`.""",
    """
    spec:
      services:
        - {name: api, ingress: [{name: web, paths: [/v1]}]}
        - {name: second, image: app, ingress: [{name: web, paths: [/v1/]}]}
    """,
    """
    spec:
      services:
        - {name: api, ingress: [{name: web, paths: [/v1]}]}
        - {name: second, image: app, ingress: [{name: web, paths: [/v2]}]}
    """,
)
def same_requests(scene: Scene) -> Iterable[Finding]:
    """No two routes through one load balancer ask for the same requests, and none asks twice."""
    seen: dict[tuple[str, str, str], tuple[SpecPath, str]] = {}
    for path, service, route in routes(scene):
        yield from _repeated(path, route)
        for at, host, wanted in _requests(path, route):
            own = (path, f"route `{route.name}` of `{service.name}`")
            first_path, first = seen.setdefault((route.spec.load_balancer, host, wanted), own)
            if first_path != path:
                where = f"{host or 'every host'}, path `{wanted or '/'}`"
                yield Finding(
                    at,
                    f"`{service.name}` asks for the requests that {first} gets: {where}",
                    "give each `paths` or `hosts` of its own",
                    ((first_path, "asked for here"),),
                )


def _requests(path: SpecPath, route: Route) -> Iterator[tuple[SpecPath, str, str]]:
    """Each host and path that a route asks for, without a slash at its end, and where it is written."""
    asked: set[tuple[str, str]] = set()
    for number, host in enumerate(route.spec.hosts or ("",)):
        for place, wanted in enumerate(route.spec.paths):
            at = (
                (*path, "paths", place)
                if "paths" in route.spec.model_fields_set
                else (*path, "hosts", number)
            )
            request = (host, wanted.rstrip("/"))
            if request not in asked:
                yield at, *request
            asked.add(request)


def _repeated(path: SpecPath, route: Route) -> Iterator[Finding]:
    help_ = "take one of them away"
    for word, values in (("hosts", route.spec.hosts), ("paths", route.spec.paths)):
        known: dict[str, SpecPath] = {}
        for at, value in each((*path, word), values):
            first = known.setdefault(value.rstrip("/"), at)
            if first != at:
                yield Finding(at, f"`{value}` is given twice", help_, ((first, "first given here"),))
    plain = {wanted.rstrip("/") for wanted in route.spec.paths}
    for at, wanted in each((*path, "paths"), route.spec.paths):
        above = [other for other in plain if wanted.startswith(f"{other}/") and other != wanted.rstrip("/")]
        if above:
            message = f"`{wanted}` lies below `{min(above, key=len) or '/'}`, which takes it too"
            yield Finding(at, message, help_)


@rule(
    "E262",
    "a protocol that needs HTTPS",
    "Load balancers speak HTTP/2 and gRPC with tasks only where callers come by HTTPS.",
    """
    spec:
      services:
        - {name: api, ports: [{name: rpc, port: 8080, appProtocol: grpc}], ingress: [{name: web}]}
    """,
    """
    spec:
      loadBalancers:
        - name: internal
          certificates: ["arn:aws:acm:eu-west-1:123456789012:certificate/7f3c2b1a-5d4e-4f60-8a9b-0c1d2e3f4a5b"]
      services:
        - {name: api, ports: [{name: rpc, port: 8080, appProtocol: grpc}], ingress: [{name: web}]}
    """,
)
def protocol_without_https(scene: Scene) -> Iterable[Finding]:
    """A route to a port of gRPC or HTTP/2 leads through a load balancer with a certificate."""
    secure = {balancer.name: balancer.secure for balancer in scene.site.balancers}
    for path, _, route in routes(scene):
        name, spoken = route.spec.load_balancer, route.port.app_protocol
        if spoken in ("grpc", "http2") and not secure.get(name, True):
            yield Finding(
                path,
                f"port `{route.port.name}` speaks {spoken}, which load balancers take by HTTPS alone",
                f"give load balancer `{name}` a certificate",
            )


@rule(
    "E263",
    "a route to a port that speaks no HTTP",
    """The load balancers of `spec.loadBalancers` are application load balancers: they understand HTTP, HTTP/2
    and gRPC. Network load balancers are not built yet.""",
    """
    spec:
      services:
        - {name: api, ports: [{name: wire, port: 5555, appProtocol: tcp}], ingress: [{name: web}]}
    """,
    "spec: {services: [{name: api, ports: [{name: wire, port: 5555, appProtocol: tcp}]}]}",
)
def plain_tcp(scene: Scene) -> Iterable[Finding]:
    """A route leads to a port that speaks HTTP."""
    for path, _, route in routes(scene):
        if route.port.app_protocol == "tcp":
            yield Finding(
                path,
                f"port `{route.port.name}` speaks plain TCP, which an application load balancer does not",
                "lead the route to another port, or say what is spoken there in `appProtocol`",
            )


@rule(
    "E264",
    "two rules with one number",
    f"""A load balancer tries its rules by number, and none is given twice. The number of a route follows from
    what it matches and from the names of service and route, so that no neighbour moves it. Rarely two come to
    the same one; then one of them says its own in `priority`. Numbers from 1 to {FIRST - 1} and from {LAST + 1}
    to {HIGHEST} are never given by themselves. A route with several rules takes as many numbers from there on.""",
    """
    spec:
      services:
        - {name: api, ingress: [{name: web, paths: [/a], priority: 100}]}
        - {name: second, image: app, ingress: [{name: web, paths: [/b], priority: 100}]}
    """,
    """
    spec:
      services:
        - {name: api, ingress: [{name: web, paths: [/a], priority: 100}]}
        - {name: second, image: app, ingress: [{name: web, paths: [/b], priority: 101}]}
    """,
)
def same_number(scene: Scene) -> Iterable[Finding]:
    """Each rule of a load balancer has a number of its own."""
    found = [
        (path, service, route, listed)
        for path, service, route in routes(scene)
        for listed in listener_rules(service, route)
    ]
    taken = Counter((route.spec.load_balancer, listed.priority) for _, _, route, listed in found)
    seen: dict[tuple[str, int], tuple[SpecPath, str]] = {}
    for path, service, route, listed in found:
        balancer, number = route.spec.load_balancer, listed.priority
        at = (*path, "priority") if route.spec.priority is not None else (*path, "name")
        if number is None:
            what = f"route `{route.name}` is narrower than the numbers of rules can tell"
            yield Finding(at, what, f"give it a `priority` of 1 to {FIRST - 1}: lower ones are tried first")
            continue
        if number > HIGHEST:
            message = f"route `{route.name}` takes several numbers, up to {number}; there are {HIGHEST}"
            yield Finding(at, message, "take a lower `priority`")
            continue
        first_path, first = seen.setdefault((balancer, number), (path, f"`{service.name}`"))
        if first_path != path:
            yield Finding(
                at,
                f"`{service.name}` and {first} both come to number {number} of load balancer `{balancer}`",
                f"say `priority: {_free(listed, {n for b, n in taken if b == balancer})}`",
                ((first_path, f"number {number} too"),),
            )


def _free(listed: ListenerRule, taken: set[int | None]) -> int:
    """The next number that nobody has, among those of rules that match equally narrowly if there is one."""
    alike = numbers(listed.match) or range(0)
    given = listed.priority or 0
    if given not in alike:
        return next(number for number in range(given + 1, HIGHEST + len(taken) + 2) if number not in taken)
    start = alike.index(given)
    turned = (*alike[start:], *alike[:start])
    return next((number for number in turned if number not in taken), given)


@rule(
    "E381",
    "a host that is no name",
    """A route's hosts are names such as `app.example.com`. What ends in a digit is an address, or is taken for
    one; after the last dot a load balancer takes letters alone (Elastic Load Balancing API reference,
    HostHeaderConditionConfig), and between two dots a name has 63 characters at most (RFC 1123).""",
    "spec: {services: [{name: api, ingress: [{name: web, hosts: [10.0.0.1]}]}]}",
    "spec: {services: [{name: api, ingress: [{name: web, hosts: [api.example.com]}]}]}",
)
def hosts_that_are_addresses(scene: Scene) -> Iterable[Finding]:
    """Hosts are names, which end in a letter."""
    for path, _, route in routes(scene):
        for at, host in each((*path, "hosts"), route.spec.hosts):
            if what := _no_name(host):
                help_ = "name the host that callers ask for, such as `api.example.com`"
                yield Finding(at, f"`{host}` {what}", help_)


def _no_name(host: str) -> str | None:
    """Why nobody can ask for a host of this name."""
    words = host.removeprefix("*.").split(".")
    if words[-1][-1:].isdigit() and not words[-1].startswith("xn--"):
        return "is an address, or is taken for one: it ends in a digit"
    if long := next((word for word in words if len(word) > LONGEST_LABEL), None):
        return f"is no name: between two dots it has {len(long)} characters, and {LONGEST_LABEL} are the most"
    if not words[-1].isalpha() and not words[-1].startswith("xn--"):
        return f"is no name: `{words[-1]}` at its end has more than letters"
    return None


LONGEST_LABEL = 63


@rule(
    "E266",
    "`public` or `internal` turned round",
    """A load balancer called `public` faces the internet and one called `internal` does not, whether they are
    declared or not: nobody who reads a route has to look it up.""",
    """
    spec:
      loadBalancers: [{name: public, scheme: internal}]
      services: [{name: api, ingress: [{name: web, loadBalancer: public}]}]
    """,
    """
    spec:
      loadBalancers: [{name: partners, scheme: internal}]
      services: [{name: api, ingress: [{name: web, loadBalancer: partners}]}]
    """,
)
def turned_round(scene: Scene) -> Iterable[Finding]:
    """What is declared under a name that has a meaning keeps it."""
    meant = {"public": "internet-facing", "internal": "internal"}
    for path, spec in balancers(scene):
        right = meant.get(spec.name, spec.scheme)
        if spec.scheme is not None and spec.scheme != right:
            help_ = f"say `{right}`, or give it another name"
            yield Finding((*path, "scheme"), f"`{spec.name}` is always {right}", help_)


@rule(
    "E343",
    "an idle timeout out of range",
    "A load balancer closes a connection on which nothing was sent for 1 to 4000 seconds.",
    """
    spec:
      loadBalancers: [{name: internal, idleTimeout: 2h}]
      services: [{name: api, ingress: [{name: web}]}]
    """,
    """
    spec:
      loadBalancers: [{name: internal, idleTimeout: 1h}]
      services: [{name: api, ingress: [{name: web}]}]
    """,
)
def idle_timeout(scene: Scene) -> Iterable[Finding]:
    """A load balancer keeps a silent connection from a second to little more than an hour."""
    for path, spec in balancers(scene):
        if not IDLE[0] <= spec.idle_timeout <= IDLE[1]:
            near = min(max(spec.idle_timeout, IDLE[0]), IDLE[1])
            said = write_duration(spec.idle_timeout)
            message = f"idleTimeout is {said}; load balancers take {IDLE[0]}s to {IDLE[1]}s"
            yield Finding((*path, "idleTimeout"), message, f"say `{near}s`")


@rule(
    "E380",
    "callers who never come from there",
    """Whoever comes over the internet has a public address. A private range in `allowFrom` of a load balancer
    that faces the internet lets nobody in.""",
    """
    spec:
      loadBalancers: [{name: public, allowFrom: [10.0.0.0/8]}]
      services: [{name: api, ingress: [{name: web, loadBalancer: public}]}]
    """,
    """
    spec:
      loadBalancers: [{name: public, allowFrom: [203.0.113.0/24]}]
      services: [{name: api, ingress: [{name: web, loadBalancer: public}]}]
    """,
)
def private_callers(scene: Scene) -> Iterable[Finding]:
    """A load balancer that faces the internet is reached from public addresses."""
    facing = {balancer.name for balancer in scene.site.balancers if balancer.public}
    for path, spec in balancers(scene):
        for at, peer in each((*path, "allowFrom"), spec.allow_from or ()):
            if spec.name in facing and _private(peer):
                yield Finding(
                    at,
                    f"nobody on the internet has an address in {peer}, which is private",
                    "name the public addresses of the callers, or lead private ones through an internal one",
                )


def _private(peer: str) -> bool:
    try:
        network = IPv4Network(peer)
    except ValueError:
        return False
    return any(network.subnet_of(private) for private in _PRIVATE)


@rule(
    "E345",
    "a load balancer that is full",
    """A load balancer takes 100 target groups and 25 certificates. A route has one target group, or two if the
    service's deployments shift traffic.""",
)
def full_balancer(scene: Scene) -> Iterable[Finding]:
    """A load balancer takes so many target groups and certificates, and no more."""
    groups: Counter[str] = Counter()
    for path, _, route in routes(scene):
        name, before = route.spec.load_balancer, groups[route.spec.load_balancer]
        groups[name] += len(route.target_groups)
        if before <= TARGET_GROUPS < groups[name]:
            yield Finding(
                path,
                f"load balancer `{name}` would have more than {TARGET_GROUPS} target groups",
                "`rolling` takes one for each route, the other strategies two; lead some routes through "
                "another load balancer",
            )
    for path, spec in balancers(scene):
        if len(set(spec.certificates)) > CERTIFICATES:
            yield Finding(
                (*path, "certificates", CERTIFICATES),
                f"load balancer `{spec.name}` would have more than {CERTIFICATES} certificates",
                "one certificate can hold several names, or `*.example.com`",
            )


@rule(
    "W343",
    "plain HTTP to the internet",
    """Without a certificate a load balancer speaks HTTP, which anybody on the way can read and change. Request
    a certificate in ACM, in the same region, and name it; HTTP is then redirected.""",
    "spec: {services: [{name: api, ingress: [{name: web, loadBalancer: public}]}]}",
    """
    spec:
      loadBalancers:
        - name: public
          certificates: ["arn:aws:acm:eu-west-1:123456789012:certificate/7f3c2b1a-5d4e-4f60-8a9b-0c1d2e3f4a5b"]
      services: [{name: api, ingress: [{name: web, loadBalancer: public}]}]
    """,
)
def plain_http(scene: Scene) -> Iterable[Finding]:
    """What the internet can reach speaks HTTPS."""
    declared = {spec.name for _, spec in balancers(scene)}
    for path, balancer in _used(scene):
        if balancer.public and not balancer.secure:
            name = balancer.name
            told = "name an ACM certificate in `certificates`"
            if name not in declared:
                told = (
                    f"declare it with a certificate: `loadBalancers: [{{name: {name}, certificates: [ARN]}}]`"
                )
            yield Finding(
                path,
                f"load balancer `{name}` speaks plain HTTP to the internet: anybody on the way can read and "
                "change what is said",
                told,
            )


@rule(
    "W344",
    "more rules than a load balancer takes by default",
    """A load balancer takes 100 rules until AWS raises the account's quota. A route has one, or more if its hosts
    and paths do not fit into it.""",
)
def many_rules(scene: Scene) -> Iterable[Finding]:
    """By default a load balancer takes so many rules."""
    counts: Counter[str] = Counter()
    for path, service, route in routes(scene):
        name, before = route.spec.load_balancer, counts[route.spec.load_balancer]
        counts[name] += len(listener_rules(service, route))
        if before <= RULES < counts[name]:
            yield Finding(
                path,
                f"load balancer `{name}` would have more than {RULES} rules",
                "ask AWS to raise the quota `Rules per Application Load Balancer` before the deployment",
            )


@rule(
    "W345",
    "more rules than a security group takes by default",
    """A security group takes 60 rules inwards and 60 outwards until AWS raises the quota. A load balancer's has
    one inwards for each of `allowFrom` and port, and one outwards for each port of a service.""",
)
def full_security_group(scene: Scene) -> Iterable[Finding]:
    """By default the load balancer's security group takes so many callers, and so many services."""
    for path, balancer in _used(scene):
        # HTTP, and HTTPS where there is a certificate.
        if len(peers(scene.site, balancer)) * (1 + balancer.secure) > GROUP_RULES:
            yield _many((*path, "allowFrom"), balancer.name, "callers")
    # One rule says that there is no other way out.
    counts: Counter[str] = Counter(scene.site.known_balancers)
    for path, service, route in routes(scene):
        name = route.spec.load_balancer
        ports = {other.port.port for other in service.routes if other.spec.load_balancer == name}
        first = min(other.name for other in service.routes if other.spec.load_balancer == name)
        if route.name == first:
            before = counts[name]
            counts[name] += len(ports)
            if before <= GROUP_RULES < counts[name]:
                yield _many(path, name, "services")


def _many(path: SpecPath, balancer: str, what: str) -> Finding:
    return Finding(
        path,
        f"the security group of load balancer `{balancer}` would have more than {GROUP_RULES} rules for {what}",
        "ask AWS to raise the quota `Inbound or outbound rules per security group` before the deployment",
    )


@rule(
    "W347",
    "a load balancer without a route",
    "A load balancer is made once a route leads through it. One that is declared alone is not there.",
    "spec: {loadBalancers: [{name: partners, scheme: internet-facing}]}",
    """
    spec:
      loadBalancers: [{name: partners}]
      services: [{name: api, ingress: [{name: web, loadBalancer: partners}]}]
    """,
)
def unused_balancer(scene: Scene) -> Iterable[Finding]:
    """A route leads through each load balancer that is declared."""
    used = {balancer.name for balancer in scene.site.balancers}
    for path, spec in balancers(scene):
        if spec.name not in used:
            help_ = f"name it in a route: `ingress: [{{name: web, loadBalancer: {spec.name}}}]`"
            yield Finding((*path, "name"), f"no route leads through load balancer `{spec.name}`", help_)
