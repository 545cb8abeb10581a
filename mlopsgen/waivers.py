"""Findings of checkov that are right in general and wrong here, each with its reason.

They are written into the metadata of the resources that they are about, where checkov reads them and a
reviewer sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from mlopsgen.plan import Resource


class Waiver(NamedTuple):
    """Checkov's check `id` does not apply to resources of this type whose logical id matches.

    A waiver that a resource does not need is not written: see `_needed`.
    """

    type: str
    logical_id: str
    id: str
    reason: str


WAIVERS = (
    Waiver(
        "AWS::S3::Bucket",
        "LogBucket",
        "CKV_AWS_18",
        "This bucket holds the access logs; logging its own access would never end",
    ),
    Waiver(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        ".*",
        "CKV_AWS_150",
        "Deletion protection would block a deployment that replaces or removes the load balancer",
    ),
    Waiver(
        "AWS::ElasticLoadBalancingV2::Listener",
        ".*HttpListener",
        "CKV_AWS_2",
        "The pipeline gives no certificate for it; with one, this listener only redirects to HTTPS",
    ),
    Waiver(
        "AWS::ElasticLoadBalancingV2::Listener",
        ".*HttpListener",
        "CKV_AWS_103",
        "The pipeline gives no certificate for it; with one, this listener only redirects to HTTPS",
    ),
    Waiver(
        "AWS::EC2::SecurityGroup",
        "PublicLoadBalancerSecurityGroup",
        "CKV_AWS_260",
        "The load balancer is internet-facing by the pipeline's word; narrow it with ingress.allowFrom",
    ),
    Waiver(
        "AWS::ECR::Repository",
        ".*",
        "CKV_AWS_136",
        "The pipeline chooses AES256; registry.encryption KMS is the default",
    ),
)


def waive(resources: Iterable[Resource]) -> None:
    """Write each waiver into the metadata of the resources that it is about."""
    for resource in resources:
        skips: list[dict[str, Any]] = [
            {"id": each.id, "comment": each.reason}
            for each in WAIVERS
            if each.type == resource.body.resource_type
            and re.fullmatch(each.logical_id, resource.logical_id)
            and _needed(each, resource)
        ]
        if skips:
            metadata = dict(resource.body.resource.get("Metadata", {}))
            resource.body.Metadata = metadata | {"checkov": {"skip": skips}}


def _needed(waiver: Waiver, resource: Resource) -> bool:
    """Whether the resource would fail the check: what passes by itself carries no excuse."""
    properties = resource.body.properties
    if waiver.id == "CKV_AWS_136":
        return bool(properties["EncryptionConfiguration"].EncryptionType == "AES256")
    if waiver.id in ("CKV_AWS_2", "CKV_AWS_103"):
        return bool(properties["DefaultActions"][0].Type != "redirect")
    if waiver.id == "CKV_AWS_260":
        return any(rule.CidrIp == "0.0.0.0/0" for rule in properties["SecurityGroupIngress"])
    return True
