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


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as ARNs name it."""
    return next((name for start, name, _ in _PARTITIONS if region.startswith(start)), "aws")


def url_suffix(region: str) -> str:
    """The domain of that part of AWS, as `AWS::URLSuffix` gives it."""
    return next((domain for start, _, domain in _PARTITIONS if region.startswith(start)), "amazonaws.com")
