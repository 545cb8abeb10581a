"""Findings of checkov that are right in general and wrong here, each with its reason.

They are written into the metadata of the resources that they are about, where checkov reads them and a
reviewer sees them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from mlopsgen.document import Document
from mlopsgen.model.plan import Resource

Properties = Mapping[str, Document]


def _always(properties: Properties) -> bool:
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
    needed: Callable[[Properties], bool] = _always


def _without(*path: str) -> Callable[[Properties], bool]:
    """Whether the properties have nothing at `path`, or `False`."""
    return lambda properties: not _at(properties, *path)


def _at(value: Document | Properties, *path: str) -> Document | Properties:
    for step in path:
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _unprotected(properties: Properties) -> bool:
    attributes = _maps(properties.get("LoadBalancerAttributes"))
    return {"Key": "deletion_protection.enabled", "Value": "true"} not in attributes


def _maps(value: Document | Properties) -> list[Mapping[str, Document]]:
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _plain_http(properties: Properties) -> bool:
    return all(each.get("Type") != "redirect" for each in _maps(properties.get("DefaultActions")))


def _open_to_everybody(properties: Properties) -> bool:
    return any(each.get("CidrIp") == "0.0.0.0/0" for each in _maps(properties.get("SecurityGroupIngress")))


def _without_logs(properties: Properties) -> bool:
    attributes = _maps(properties.get("LoadBalancerAttributes"))
    return not any(
        each.get("Key") == "access_logs.s3.enabled" and each.get("Value") == "true" for each in attributes
    )


def _aes256(properties: Properties) -> bool:
    return _at(properties, "EncryptionConfiguration", "EncryptionType") == "AES256"


def _without_insights(properties: Properties) -> bool:
    return any(each.get("Value") == "disabled" for each in _maps(properties.get("ClusterSettings")))


AWS_MANAGED = "The pipeline leaves the keys to AWS; encryption.own is the default"

WAIVERS = (
    Waiver(
        "AWS::S3::Bucket",
        "LogBucket",
        "CKV_AWS_18",
        "This bucket holds the access logs; logging its own access would never end",
    ),
    Waiver(
        "AWS::S3::Bucket",
        "(?!LogBucket$).*",
        "CKV_AWS_18",
        "The pipeline turns access logs off; buckets[].accessLogs is on by default",
        _without("LoggingConfiguration"),
    ),
    Waiver(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        ".*",
        "CKV_AWS_91",
        "Access logs of load balancers are not built yet: loadBalancers[].accessLogs is reserved for them",
        _without_logs,
    ),
    Waiver(
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        ".*",
        "CKV_AWS_150",
        "The pipeline turns deletion protection off; protection.loadBalancers is on by default",
        _unprotected,
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
        ".*LoadBalancerSecurityGroup",
        "CKV_AWS_260",
        "The load balancer is for everybody by the pipeline's word; loadBalancers[].allowFrom narrows it",
        _open_to_everybody,
    ),
    Waiver("AWS::ECR::Repository", ".*", "CKV_AWS_136", AWS_MANAGED, _aes256),
    Waiver(
        "AWS::ECR::Repository",
        ".*",
        "CKV_AWS_163",
        "The pipeline turns scans off; registry.scanOnPush is on by default",
        _without("ImageScanningConfiguration", "ScanOnPush"),
    ),
    Waiver("AWS::Logs::LogGroup", ".*", "CKV_AWS_158", AWS_MANAGED, _without("KmsKeyId")),
    Waiver("AWS::SNS::Topic", ".*", "CKV_AWS_26", AWS_MANAGED, _without("KmsMasterKeyId")),
    Waiver(
        "AWS::ECS::Cluster",
        ".*",
        "CKV_AWS_65",
        "The pipeline turns container insights off; monitoring.containerInsights is on by default",
        _without_insights,
    ),
)


def waived(resource: Resource) -> Resource:
    """The resource with the waivers that are about it in its metadata."""
    skips: list[Document] = [
        {"id": each.id, "comment": each.reason}
        for each in WAIVERS
        if each.type == resource.type
        and re.fullmatch(each.logical_id, resource.logical_id)
        and each.needed(resource.properties)
    ]
    if not skips:
        return resource
    held = resource.document.get("Metadata")
    metadata: dict[str, Document] = dict(held) if isinstance(held, dict) else {}
    metadata["checkov"] = {"skip": skips}
    return resource._replace(document={**resource.document, "Metadata": metadata})
