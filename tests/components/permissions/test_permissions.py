"""Permissions: rights that no verb gives, each with a reason."""

from __future__ import annotations

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import plan
from tests.policies import may, properties, statements

PERMISSIONS = """\
  images: [{name: app}]
  services:
    - name: api
      image: app
      permissions:
        - name: catalogue
          actions: ["s3:GetObject", "s3:ListBucket"]
          resources: ["arn:aws:s3:::shop", "arn:aws:s3:::shop/*"]
          reason: Prices are the shop's
        - {name: load, actions: ["cloudwatch:GetMetricData"], resources: ["*"], reason: It shows its own load}
    - {name: plain, image: app}
  delivery: {github: {repository: acme/demo}}
"""


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan(PERMISSIONS)


@pytest.mark.parametrize(
    ("action", "resource"),
    [("s3:GetObject", "arn:aws:s3:::shop/prices.csv"), ("cloudwatch:GetMetricData", "*")],
)
def test_the_program_may_do_it_and_nobody_else(whole: Plan, action: str, resource: str):
    """Neither ECS on its behalf, nor another workload; and the boundary has room for it."""
    assert may(statements(whole, "serving-api", "TaskRole"), action, resource)
    assert not may(statements(whole, "serving-api", "ExecutionRole"), action, resource)
    assert "shop" not in str(properties(whole, "serving-plain", "TaskRole"))
    boundary = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    assert may(boundary, action, resource)


def test_a_permission_gives_its_actions_alone(whole: Plan):
    """On its resources alone."""
    own = statements(whole, "serving-api", "TaskRole")
    assert not may(own, "s3:PutObject", "arn:aws:s3:::shop/prices.csv")
    assert not may(own, "s3:GetObject", "arn:aws:s3:::other/prices.csv")


def test_who_may_do_what_says_why(whole: Plan):
    """The reason stands beside what it excuses."""
    api = next(each for each in whole.principals if each.stack == "serving-api" and each.kind == "task")
    reasons = {each.because: each.reason for each in api.grants if each.because.startswith("permission")}
    assert reasons == {
        "permission catalogue": "Prices are the shop's",
        "permission load": "It shows its own load",
    }
