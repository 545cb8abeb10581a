"""What cannot be deleted by mistake."""

from __future__ import annotations

import pytest

from mlopsgen.emit.deploy import emit
from tests.components.pipelines import held, plan, service

OFF = "  protection: {stacks: false, loadBalancers: false}\n"


@pytest.mark.parametrize(("more", "value"), [("", "true"), (OFF, "false")])
def test_load_balancers(more: str, value: str):
    """They are protected from deletion unless the pipeline says otherwise, and checkov hears of that."""
    found = plan(service(ingress="[{name: web, loadBalancer: public}]"), more)
    attributes = held(found, "serving", "PublicLoadBalancer")["LoadBalancerAttributes"]
    assert {"Key": "deletion_protection.enabled", "Value": value} in attributes
    (resource,) = (
        each for stack in found.stacks for each in stack.resources if each.logical_id == "PublicLoadBalancer"
    )
    assert ("CKV_AWS_150" in str(resource.document)) == (value == "false")


def test_stacks():
    """Turned off, the script lifts what an earlier one set: a policy holds until another takes its place."""
    (protected,) = emit((plan(service()),))
    assert '"Effect":"Deny"' in protected.text
    assert "--enable-termination-protection" in protected.text
    (free,) = emit((plan(service(), OFF),))
    assert '"Effect":"Deny"' not in free.text
    assert 'set-stack-policy --stack-name "$1"' in free.text
    assert "--no-enable-termination-protection" in free.text
