"""Load balancers: which are there, who may connect, and what they answer by themselves."""

from __future__ import annotations

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import held, plan, service
from tests.policies import stack

CERTIFICATES = [
    f"arn:aws:acm:ap-southeast-1:123456789012:certificate/{each}f3c2b1a-5d4e-4f60-8a9b-0c1d2e3f4a5b"
    for each in (7, 2)
]


def balancers(found: Plan) -> list[str]:
    """Their logical ids."""
    kind = "AWS::ElasticLoadBalancingV2::LoadBalancer"
    return [each.logical_id for each in stack(found, "serving").resources if each.type == kind]


def test_a_balancer_is_there_once_a_route_leads_through_it():
    """Declared or not: nothing is made and paid for that nobody uses."""
    declared = "  loadBalancers: [{name: partners}, {name: spare}]\n"
    found = plan(declared, service(ingress="[{name: a}, {name: b, loadBalancer: partners}]"))
    assert balancers(found) == ["InternalLoadBalancer", "PartnersLoadBalancer"]
    assert [each.name for each in stack(found, "serving").outputs] == ["InternalAddress", "PartnersAddress"]
    assert "serving" not in {each.name for each in plan(declared, service()).stacks}


@pytest.mark.parametrize(
    ("name", "scheme", "subnets"),
    [
        ("public", "internet-facing", "NetworkPublicSubnetIds"),
        ("internal", "internal", "NetworkPrivateSubnetIds"),
    ],
)
def test_the_two_that_are_there_face_different_ways(name: str, scheme: str, subnets: str):
    """`public` the internet, `internal` the network; others the network unless they say otherwise."""
    found = plan(service(ingress=f"[{{name: web, loadBalancer: {name}}}]"))
    body = held(found, "serving", f"{name.capitalize()}LoadBalancer")
    assert (body["Scheme"], body["Subnets"]) == (scheme, {"Ref": subnets})


def callers(found: Plan, name: str) -> list[tuple[int, str]]:
    group = held(found, "serving", f"{name}LoadBalancerSecurityGroup")
    words = ("CidrIp", "SourceSecurityGroupId", "SourcePrefixListId")
    return [
        (rule["FromPort"], next(rule[word] for word in words if word in rule))
        for rule in group.get("SecurityGroupIngress", [])
    ]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("{name: public}", [(80, "0.0.0.0/0")]),
        ("{name: public, allowFrom: []}", []),
        (
            "{name: public, allowFrom: [203.0.113.0/24, sg-0123456789abcdef0, pl-0123456789abcdef0]}",
            [(80, "203.0.113.0/24"), (80, "pl-0123456789abcdef0"), (80, "sg-0123456789abcdef0")],
        ),
        (
            f"{{name: public, certificates: ['{CERTIFICATES[0]}'], allowFrom: [203.0.113.0/24]}}",
            [(80, "203.0.113.0/24"), (443, "203.0.113.0/24")],
        ),
    ],
)
def test_a_balancer_says_who_may_connect(written: str, expected: list[tuple[int, str]]):
    """Ranges, groups, prefix lists; by default everybody if it faces the internet; by `[]` nobody."""
    found = plan(f"  loadBalancers: [{written}]\n", service(ingress="[{name: web, loadBalancer: public}]"))
    assert callers(found, "Public") == expected


def test_all_ranges_of_a_network_may_connect_to_an_internal_one():
    """A VPC of somebody else may have several."""
    found = plan(
        """\
  network:
    existing:
      vpcId: vpc-0123456789abcdef0
      cidrs: [10.9.0.0/16, 10.8.0.0/16]
      privateSubnetIds: [subnet-0123456789abcdef3, subnet-0123456789abcdef4]
""",
        service(ingress="[{name: web}]"),
    )
    assert callers(found, "Internal") == [(80, "10.8.0.0/16"), (80, "10.9.0.0/16")]


def test_with_certificates_http_sends_to_https():
    """The first is the one of callers who name no host; services add their rules to HTTPS."""
    words = ", ".join(f"'{each}'" for each in CERTIFICATES)
    found = plan(
        f"  loadBalancers: [{{name: public, certificates: [{words}], idleTimeout: 2m}}]\n",
        service(ingress="[{name: web, loadBalancer: public}]"),
    )
    assert held(found, "serving", "PublicHttpListener")["DefaultActions"][0]["Type"] == "redirect"
    https = held(found, "serving", "PublicHttpsListener")
    assert https["Certificates"] == [{"CertificateArn": CERTIFICATES[0]}]
    assert https["DefaultActions"][0]["FixedResponseConfig"]["StatusCode"] == "404"
    more = held(found, "serving", "PublicMoreCertificates")
    assert more["Certificates"] == [{"CertificateArn": CERTIFICATES[1]}]
    assert held(found, "serving", "ServingPublicListenerArnParameter")["Value"] == {
        "Ref": "PublicHttpsListener"
    }
    attributes = held(found, "serving", "PublicLoadBalancer")["LoadBalancerAttributes"]
    assert {"Key": "idle_timeout.timeout_seconds", "Value": "120"} in attributes


def test_callers_are_drawn_before_the_balancers():
    """The picture shows by which protocol they come, and which requests go on to which service."""
    found = plan(
        service(ingress="[{name: web, loadBalancer: public, hosts: [a.example.com], paths: [/a, /b]}]")
    )
    assert ("people", "balancer:public", "HTTP") in found.edges
    assert ("balancer:public", "api", "a.example.com/a, a.example.com/b") in found.edges
