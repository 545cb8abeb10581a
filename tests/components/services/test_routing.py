"""Ways into a service: which requests reach which port, and what stays when something else changes."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.components.services.spec import RouteSpec
from mlopsgen.model.plan import Plan, Resource
from mlopsgen.parts.balancers import listener_rules, matches
from tests.components.pipelines import held, plan, service, site
from tests.policies import stack

RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"
GROUP = "AWS::ElasticLoadBalancingV2::TargetGroup"
CERTIFICATE = "arn:aws:acm:ap-southeast-1:123456789012:certificate/7f3c2b1a-5d4e-4f60-8a9b-0c1d2e3f4a5b"
TWO_PORTS = "[{name: http, port: 8080}, {name: admin, port: 9090}]"


def of(kind: str, found: Plan, name: str = "serving-api") -> dict[str, Resource]:
    """The resources of a type in a stack, by logical id."""
    return {each.logical_id: each for each in stack(found, name).resources if each.type == kind}


def documents(found: Plan, name: str = "serving-api") -> dict[str, Any]:
    """Everything of a stack, by logical id."""
    return {each.logical_id: each.document for each in stack(found, name).resources}


def test_each_route_leads_to_a_port_through_a_balancer():
    """Two routes are two target groups, with which ECS registers each task at the port of the route."""
    found = plan(
        service(
            ports=TWO_PORTS,
            ingress="[{name: web, loadBalancer: public}, {name: ops, loadBalancer: internal, port: admin}]",
        )
    )
    registered = held(found, "serving-api", "Service")["LoadBalancers"]
    assert [(each["TargetGroupArn"]["Ref"], each["ContainerPort"]) for each in registered] == [
        ("OpsInternalTargetGroup", 9090),
        ("WebPublicTargetGroup", 8080),
    ]
    rules = {name: each.properties["ListenerArn"] for name, each in of(RULE, found).items()}
    assert rules == {
        "OpsListenerRule": {"Ref": "ServingInternalListenerArn"},
        "WebListenerRule": {"Ref": "ServingPublicListenerArn"},
    }
    assert stack(found, "serving-api").requires == ("cluster", "foundation", "network", "serving")


def test_each_balancer_may_enter_at_the_ports_of_its_routes_alone():
    """Both security groups say so, each with a rule whose name says all of it."""
    found = plan(
        service(
            ports=TWO_PORTS,
            ingress="[{name: web, loadBalancer: public}, {name: ops, loadBalancer: internal, port: admin}]",
        )
    )
    into = of("AWS::EC2::SecurityGroupIngress", found)
    assert {
        name: (
            each.properties["SourceSecurityGroupId"],
            each.properties["FromPort"],
            each.properties["ToPort"],
        )
        for name, each in into.items()
    } == {
        "FromInternalLoadBalancer9090": ({"Ref": "ServingInternalSecurityGroupId"}, 9090, 9090),
        "FromPublicLoadBalancer8080": ({"Ref": "ServingPublicSecurityGroupId"}, 8080, 8080),
    }
    assert sorted(of("AWS::EC2::SecurityGroupEgress", found)) == [
        "InternalLoadBalancerToTasks9090",
        "PublicLoadBalancerToTasks8080",
    ]
    assert "SecurityGroupIngress" not in held(found, "serving-api", "SecurityGroup")


def test_without_a_route_the_network_may_enter():
    """At every port, from each of its ranges; and ECS is told that there is no target group any more."""
    found = plan(
        """\
  network:
    existing:
      vpcId: vpc-0123456789abcdef0
      cidrs: [10.8.0.0/16, 10.9.0.0/16]
      privateSubnetIds: [subnet-0123456789abcdef3, subnet-0123456789abcdef4]
""",
        service(ports=TWO_PORTS),
    )
    rules = held(found, "serving-api", "SecurityGroup")["SecurityGroupIngress"]
    assert [(each["FromPort"], each["CidrIp"]) for each in rules] == [
        (8080, "10.8.0.0/16"),
        (8080, "10.9.0.0/16"),
        (9090, "10.8.0.0/16"),
        (9090, "10.9.0.0/16"),
    ]
    body = held(found, "serving-api", "Service")
    assert body["LoadBalancers"] == []
    assert "HealthCheckGracePeriodSeconds" not in body
    assert "serving" not in {each.name for each in found.stacks}


def test_another_route_changes_nothing_of_the_first():
    """Its target group, rule and ways stay, byte for byte: nothing is refused as another's twin."""
    one = documents(plan(service(ingress="[{name: web}]")))
    two = documents(plan(service(ingress="[{name: web}, {name: more, paths: [/more]}]")))
    changed = {name for name, body in one.items() if two.get(name) != body}
    assert changed == {"Service", "WebErrorRateAlarm", "WebLatencyAlarm"}
    assert one.keys() <= two.keys()


def test_another_balancer_gets_another_target_group():
    """A target group belongs to one load balancer for good, so the route takes a new one along."""
    inside = plan(service(ingress="[{name: web, loadBalancer: internal}]"))
    outside = plan(service(ingress="[{name: web, loadBalancer: public}]"))
    assert not of(GROUP, inside).keys() & of(GROUP, outside).keys()
    assert of(RULE, inside).keys() == of(RULE, outside).keys() == {"WebListenerRule"}


def test_another_port_replaces_no_target_group():
    """A target group that was replaced would be empty while the rule leads to it already."""
    before = plan(service(ports="[{name: http, port: 8080}]", ingress="[{name: web}]"))
    after = plan(service(ports="[{name: http, port: 9000}]", ingress="[{name: web}]"))
    assert of(GROUP, before)["WebInternalTargetGroup"].document == (
        of(GROUP, after)["WebInternalTargetGroup"].document
    )


@pytest.mark.parametrize(
    ("hosts", "paths", "expected"),
    [
        ((), ("/",), [((), ("/*",))]),
        (("a.example.com",), ("/",), [(("a.example.com",), ())]),
        ((), ("/v1",), [((), ("/v1", "/v1/*"))]),
        (("a.example.com",), ("/v1/",), [(("a.example.com",), ("/v1", "/v1/*"))]),
        ((), ("/a", "/b", "/c"), [((), ("/a", "/a/*", "/b", "/b/*")), ((), ("/c", "/c/*"))]),
        (
            ("a.example.com", "b.example.com", "c.example.com"),
            ("/v1",),
            [(("a.example.com", "b.example.com", "c.example.com"), ("/v1", "/v1/*"))],
        ),
        (
            ("a.example.com",),
            ("/a", "/b"),
            [(("a.example.com",), ("/a", "/a/*", "/b", "/b/*"))],
        ),
        (
            tuple(f"{letter}.example.com" for letter in "abcdef"),
            ("/",),
            [(tuple(f"{letter}.example.com" for letter in "abcde"), ()), (("f.example.com",), ())],
        ),
        # What is not equally narrow takes rules of its own, the narrowest first.
        (
            ("*.example.com", "a.example.com"),
            ("/a/b", "/c"),
            [
                (("a.example.com",), ("/a/b", "/a/b/*")),
                (("a.example.com",), ("/c", "/c/*")),
                (("*.example.com",), ("/a/b", "/a/b/*")),
                (("*.example.com",), ("/c", "/c/*")),
            ],
        ),
    ],
)
def test_a_route_takes_as_many_rules_as_its_values(
    hosts: tuple[str, ...], paths: tuple[str, ...], expected: list[tuple[tuple[str, ...], tuple[str, ...]]]
):
    """A rule has five values, a path is two of them, and all requests for a host and path are asked for."""
    route = RouteSpec(name="web", hosts=hosts, paths=paths)
    found = matches(route)
    assert [(each.hosts, each.path_values) for each in found] == expected
    assert all(len(each.hosts) + len(each.path_values) <= 5 for each in found)
    asked = {(host, path) for each in found for host in each.hosts or ("",) for path in each.paths or ("",)}
    assert asked == {(host, path.rstrip("/")) for host in hosts or ("",) for path in paths}


def test_rules_of_a_route_never_trade_their_numbers():
    """Whatever is asked for, a logical id has numbers that no other of the service ever has: a listener
    refuses a number that another rule still holds.
    """
    routes = ["[/a]", "[/a/b]", "[/a, /b/c]", "[/a, /b, /c, /d/e]", "[/a/b, /c/d/e, /f]"]
    held: dict[int, str] = {}
    for paths in routes:
        found = plan(service(ingress=f"[{{name: web, paths: {paths}}}]"))
        for name, rule in of(RULE, found).items():
            assert held.setdefault(rule.properties["Priority"], name) == name


@pytest.mark.parametrize(
    ("field", "value"),
    [("hosts", "['*.a.b.c.d.e.example.com']"), ("paths", "[/a/b/c/d/e/f/g/h/i]")],
)
def test_what_is_too_narrow_for_the_numbers_has_none(field: str, value: str):
    """It would come after what lies around it: a `priority` has to say where it stands."""
    found = site(service(ingress=f"[{{name: web, {field}: {value}}}]"))
    (workload,) = found.services
    assert [each.priority for each in listener_rules(workload, workload.routes[0])] == [None]


def test_a_written_priority_is_taken():
    """A route with several rules takes the numbers from there on."""
    found = plan(service(ingress="[{name: web, paths: [/a, /b, /c], priority: 10}]"))
    numbers = {name: each.properties["Priority"] for name, each in of(RULE, found).items()}
    assert numbers == {"WebListenerRule": 10, "WebListenerRule2": 11}


@pytest.mark.parametrize(
    ("spoken", "version", "path", "matcher"),
    [
        ("http", None, "/health", {"HttpCode": "200"}),
        ("http2", "HTTP2", "/health", {"HttpCode": "200"}),
        ("grpc", "GRPC", "/grpc.health.v1.Health/Check", {"GrpcCode": "0"}),
    ],
)
def test_a_target_group_speaks_what_its_port_speaks(
    spoken: str, version: str | None, path: str, matcher: dict[str, str]
):
    """And asks for health as that protocol does."""
    found = plan(
        f"  loadBalancers: [{{name: internal, certificates: ['{CERTIFICATE}']}}]\n",
        service(ports=f"[{{name: main, port: 8080, appProtocol: {spoken}}}]", ingress="[{name: web}]"),
    )
    group = of(GROUP, found)["WebInternalTargetGroup"].properties
    assert (group.get("ProtocolVersion"), group["HealthCheckPath"], group["Matcher"]) == (
        version,
        path,
        matcher,
    )


def test_programs_are_told_how_long_callers_stay():
    """The longest idle timeout of the load balancers in front of it; without one there is nothing to tell."""
    balancers = """\
  loadBalancers: [{name: internal, idleTimeout: 5m}, {name: partners, idleTimeout: 30s}]
"""
    ingress = "[{name: a, loadBalancer: partners}, {name: b, loadBalancer: internal}]"
    assert environment(plan(balancers, service(ingress=ingress)))["KEEP_ALIVE_SECONDS"] == "300"
    assert environment(plan(service(ingress="[{name: web}]")))["KEEP_ALIVE_SECONDS"] == "60"
    alone = environment(plan(service(ports="[{name: main, port: 9000}]")))
    assert alone["PORT"] == "9000"
    assert "KEEP_ALIVE_SECONDS" not in alone


def environment(found: Plan) -> dict[str, Any]:
    """The variables of the service's container."""
    container = held(found, "serving-api", "TaskDefinition")["ContainerDefinitions"][0]
    return {each["Name"]: each["Value"] for each in container["Environment"]}


@pytest.mark.parametrize(
    ("paths", "told"),
    [
        ("[/reviews]", "/reviews"),
        ("[/v1/reviews/]", "/v1/reviews"),
        ("[/]", None),
        ("[/reviews, /stars]", None),
    ],
)
def test_a_program_learns_what_its_paths_begin_with(paths: str, told: str | None) -> None:
    """Balancers pass a path on as it is. Where there are several, a program has to know them by itself."""
    found = plan(service(ingress=f"[{{name: web, loadBalancer: public, paths: {paths}}}]"))
    container = held(found, "serving-api", "TaskDefinition")["ContainerDefinitions"][0]
    variables = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert variables.get("BASE_PATH") == told
