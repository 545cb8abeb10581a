"""Statements that workloads contribute to policies which are shared, and which their owners put in."""

from __future__ import annotations

import json

from mlopsgen.components.buckets import resources as buckets
from mlopsgen.components.encryption import resources as encryption
from mlopsgen.model.binding import Binding, Contribution
from mlopsgen.model.plan import Grant, Resource, declared
from mlopsgen.model.site import Site
from tests.cases import case

GIVEN = Grant(("kms:Decrypt",), ("arn:aws:kms:eu-west-1:123456789012:key/*",), "reads what it serves")
READ = Grant(("s3:GetObject",), ("arn:aws:s3:::demo/*",), "reads what it serves")
SERVICE = "cloudfront.amazonaws.com"


def site() -> Site:
    one = case("recommender").compilations[0]
    return Site(one.pipeline, one.environment)


def policies(module: object, binding: Binding) -> str:
    made = module.declare(site(), {"items-api": binding})  # type: ignore[attr-defined]
    return json.dumps([each.document for each in declared(Resource, made)])


def test_the_key_lets_a_service_in_that_a_workload_needs():
    """Its policy holds the statement, for that service and no other."""
    without = policies(encryption, Binding())
    found = policies(encryption, Binding(contributions=(Contribution("key", GIVEN, SERVICE),)))
    assert SERVICE not in without
    assert f'"Principal": {{"Service": "{SERVICE}"}}' in found


def test_a_bucket_lets_a_service_in_that_a_workload_needs():
    """The one that is named, and not the others; what is for the key is not the bucket's."""
    found = policies(
        buckets,
        Binding(
            contributions=(Contribution("bucket", READ, SERVICE, "data"), Contribution("key", GIVEN, SERVICE))
        ),
    )
    assert found.count(SERVICE) == 1
    assert SERVICE not in policies(
        buckets, Binding(contributions=(Contribution("bucket", READ, SERVICE, "other"),))
    )
