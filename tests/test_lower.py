"""How declarations become stacks: their order, and what one stack takes of another."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from mlopsgen.lower import Collision, Cycle, Unpublished, in_order, stacks
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.model.plan import Declaration, Phase, Publication, Resource, Stack, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.values import Named, Published, Reference

SITE = Site(
    Pipeline.model_validate(
        {
            "apiVersion": "mlopsgen.io/v1",
            "kind": "Pipeline",
            "metadata": {"name": "demo"},
            "spec": {"aws": {"region": "eu-west-1"}},
        },
        by_alias=True,
        by_name=False,
    ),
    "dev",
)

VPC = Published("network", "network/vpc-id", "AWS::EC2::VPC::Id", "The VPC")


def stack(name: str, *requires: str, phase: Phase = Phase.BEFORE_IMAGES) -> Stack:
    """A stack that needs others to be there."""
    return Stack(name, "", phase, (), (), (), requires)


def order(*given: Stack) -> tuple[str, ...]:
    return in_order({each.name: each for each in given})


def resource(of: str, *references: Reference) -> Resource:
    """A resource of a stack, that takes something of others."""
    return Resource(of, "Vpc", "AWS::EC2::VPC", {"Type": "AWS::EC2::VPC"}, ("spec",), references)


def lowered(*declarations: Declaration) -> tuple[Stack, ...]:
    names = {each.stack for each in declarations if isinstance(each, Resource)}
    return stacks(SITE, [*(StackDescription(name, f"the {name}") for name in sorted(names)), *declarations])


def test_stacks_follow_what_they_require_then_phases_then_names():
    """Whatever order they were declared in."""
    given = (
        stack("a", "z"),
        stack("last", phase=Phase.LAST),
        stack("model", "z", phase=Phase.AFTER_FIRST_MODEL),
        stack("b"),
        stack("z", "b"),
        stack("images", phase=Phase.BEFORE_FIRST_MODEL),
    )
    expected = ("b", "z", "a", "images", "model", "last")
    assert order(*given) == order(*reversed(given)) == expected


def test_a_circle_of_stacks_is_named():
    """From its first name around to that name again; what only waits for the circle is not in it."""
    with pytest.raises(Cycle) as raised:
        order(stack("alone"), stack("b", "c"), stack("c", "d"), stack("d", "b"), stack("a", "b"))
    assert str(raised.value) == "b → c → d → b"


def test_a_stack_that_requires_itself_through_another_is_a_circle():
    with pytest.raises(Cycle, match=r"^one → two → one$"):
        order(stack("two", "one"), stack("one", "two"))


def test_what_is_taken_becomes_a_parameter_and_an_edge():
    """The reference itself says from where, of which type and under which name."""
    network, serving = lowered(
        resource("serving", VPC),
        resource("network"),
        Publication(VPC, {"Ref": "Vpc"}, ("spec", "network")),
    )
    assert (network.name, serving.name, serving.requires) == ("network", "serving", ("network",))
    (parameter,) = serving.parameters
    assert parameter.name == "NetworkVpcId"
    assert parameter.type == "AWS::SSM::Parameter::Value<AWS::EC2::VPC::Id>"
    assert parameter.default == "/demo-dev/network/vpc-id"


def test_a_name_that_is_known_beforehand_is_an_edge_alone():
    cluster, serving = lowered(resource("serving", Named("cluster", "demo-dev")), resource("cluster"))
    assert (cluster.name, serving.requires, serving.parameters) == ("cluster", ("cluster",), ())


def test_what_nobody_publishes_cannot_be_taken():
    with pytest.raises(Unpublished, match=r"^no stack publishes `network/vpc-id`, which others take$"):
        lowered(resource("serving", VPC), resource("network"))


def test_what_nobody_takes_is_not_published():
    """Unless it says why it is kept."""
    publication = Publication(VPC, {"Ref": "Vpc"}, ("spec", "network"))
    with pytest.raises(Unpublished, match=r"^`network/vpc-id` is published, and no stack takes it$"):
        lowered(resource("network"), publication)
    (network,) = lowered(resource("network"), publication._replace(kept="for those who look"))
    assert network.name == "network"


def test_a_template_has_each_name_once():
    """Of two resources of one name it would hold the last alone."""
    with pytest.raises(Collision, match=r"^stack `network` has `Vpc` 2 times$"):
        lowered(resource("network"), resource("network"))


def keys() -> Iterable[tuple[str, Published]]:
    """Each value that is published in a pipeline whose names are easily taken for each other's."""
    from mlopsgen.compile import compile_pipeline

    (compilation,) = compile_pipeline(ALIKE, "pipeline.yaml")
    for each in compilation.plan.stacks:
        for found in each.resources:
            for reference in found.references:
                if isinstance(reference, Published):
                    yield each.name, reference


ALIKE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: app}]
  loadBalancers: [{name: a}, {name: a-b}]
  volumes: [{name: a, efs: {}}, {name: a-b, efs: {}}]
  jobs: [{name: b, image: app}, {name: b-a, image: app}]
  services:
    - name: a
      image: app
      ingress: [{name: b-c, loadBalancer: a, paths: [/1]}, {name: c, loadBalancer: a-b, paths: [/2]}]
      volumeMounts: [{name: a, mountPath: /1}, {name: a-b, mountPath: /2}]
    - name: a-b
      image: app
      ingress: [{name: c, loadBalancer: a, paths: [/3]}, {name: b-c, loadBalancer: a-b, paths: [/4]}]
"""


def test_no_two_published_values_have_one_key():
    """Nor, in a template that takes both, one parameter: it would fill both places with one of them."""
    found = set(keys())
    everything = {reference for _, reference in found}
    assert len(everything) > 15
    assert len({reference.key for reference in everything}) == len(everything)
    parameters = [(stack, reference.parameter) for stack, reference in found]
    assert len(set(parameters)) == len(parameters)
