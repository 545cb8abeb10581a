"""The parts of AWS that are apart from each other, by region."""

from __future__ import annotations

_PARTITIONS = (
    ("cn-", "aws-cn", "amazonaws.com.cn"),
    ("us-gov-", "aws-us-gov", "amazonaws.com"),
    ("eusc-", "aws-eusc", "amazonaws.eu"),
    ("us-iso-", "aws-iso", "c2s.ic.gov"),
    ("us-isob-", "aws-iso-b", "sc2s.sgov.gov"),
    ("eu-isoe-", "aws-iso-e", "cloud.adc-e.uk"),
    ("us-isof-", "aws-iso-f", "csp.hci.ic.gov"),
)
"""(start of the region's name, partition, domain), as botocore's `partitions.json` has them."""

_ENDPOINTS = (
    ("cn-", "cn.com.amazonaws", ("ecr.api", "ecr.dkr", "elasticfilesystem")),
    ("eusc-", "eu.amazonaws", ("ecr.api", "ecr.dkr")),
    ("us-iso-", "gov.ic.c2s", ("ecr.api", "ecr.dkr", "elasticfilesystem")),
    ("us-isob-east-1", "gov.sgov.sc2s", ("ecr.api", "ecr.dkr", "elasticfilesystem")),
    ("us-isob-", "gov.sgov.sc2s", ("ecr.api", "ecr.dkr")),
    ("eu-isoe-", "uk.adc-e.cloud", ("ecr.api", "ecr.dkr")),
    ("us-isof-", "gov.ic.hci.csp", ("ecr.api", "ecr.dkr")),
)
"""(start of the region's name, another start of endpoint services' names, the services that have it).

Of the services that tasks are given endpoints of (aws-cdk, packages/aws-cdk-lib/aws-ec2/lib/vpc-endpoint.ts).
"""


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs name it."""
    return next((name for start, name, _ in _PARTITIONS if region.startswith(start)), "aws")


def url_suffix(region: str) -> str:
    """The domain of that part of AWS, as `AWS::URLSuffix` gives it."""
    return next((domain for start, _, domain in _PARTITIONS if region.startswith(start)), "amazonaws.com")


def endpoint_prefix(region: str, service: str) -> str:
    """What the name of a service's interface endpoint starts with, before the region."""
    found = next((each for each in _ENDPOINTS if region.startswith(each[0])), None)
    return found[1] if found and service in found[2] else "com.amazonaws"
