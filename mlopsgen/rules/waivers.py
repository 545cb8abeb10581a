"""Findings of checkov that are right in general and wrong here, each with its reason.

They are written into the metadata of the resources that they are about, where checkov reads them and a
reviewer sees them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from mlopsgen.plan import Resource


def _always(properties: Mapping[str, Any]) -> bool:
    return True


class Waiver(NamedTuple):
    """Checkov's check `id` does not apply to resources of this type whose logical id matches.

    It is written only where `needed` says that the resource would fail: what passes by itself carries no
    excuse.
    """

    type: str
    logical_id: str
    id: str
    reason: str
    needed: Callable[[Mapping[str, Any]], bool] = _always


def _plain_http(properties: Mapping[str, Any]) -> bool:
    return bool(properties["DefaultActions"][0].Type != "redirect")


WAIVERS = (
    Waiver(
        "AWS::S3::Bucket",
        "LogBucket",
        "CKV_AWS_18",
        "This bucket holds the access logs; logging its own access would never end",
    ),
    Waiver(
        "AWS::S3::Bucket",
        "DataBucket",
        "CKV_AWS_18",
        "The pipeline turns access logs off; storage.accessLogs is on by default",
        lambda properties: "LoggingConfiguration" not in properties,
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
        _plain_http,
    ),
    Waiver(
        "AWS::ElasticLoadBalancingV2::Listener",
        ".*HttpListener",
        "CKV_AWS_103",
        "The pipeline gives no certificate for it; with one, this listener only redirects to HTTPS",
        _plain_http,
    ),
    Waiver(
        "AWS::EC2::SecurityGroup",
        "PublicLoadBalancerSecurityGroup",
        "CKV_AWS_260",
        "The load balancer is internet-facing by the pipeline's word; narrow it with ingress.allowFrom",
        lambda properties: any(rule.CidrIp == "0.0.0.0/0" for rule in properties["SecurityGroupIngress"]),
    ),
    Waiver(
        "AWS::ECR::Repository",
        ".*",
        "CKV_AWS_136",
        "The pipeline chooses AES256; registry.encryption KMS is the default",
        lambda properties: bool(properties["EncryptionConfiguration"].EncryptionType == "AES256"),
    ),
    Waiver(
        "AWS::ECR::Repository",
        ".*",
        "CKV_AWS_163",
        "The pipeline turns scans off; registry.scanOnPush is on by default",
        lambda properties: not properties["ImageScanningConfiguration"].ScanOnPush,
    ),
    Waiver(
        "AWS::ECS::Cluster",
        ".*",
        "CKV_AWS_65",
        "The pipeline turns container insights off; monitoring.containerInsights is on by default",
        lambda properties: properties["ClusterSettings"][0].Value == "disabled",
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
            and each.needed(resource.body.properties)
        ]
        if skips:
            metadata = dict(resource.body.resource.get("Metadata", {}))
            resource.body.Metadata = metadata | {"checkov": {"skip": skips}}
