"""What everything else stands on: the pipeline's own encryption key."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from troposphere import GetAtt, Ref, Sub, kms

from mlopsgen.components.base import Component, Site
from mlopsgen.components.wiring import KEY_ARN, publish
from mlopsgen.plan import Part, Resource

STACK = "foundation"
ORIGIN = ("spec", "aws")

USE = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


class Foundation(Component):
    """One key for the data bucket, the logs, the notifications and the dead letters."""

    def declare(self, site: Site) -> Iterator[Part]:
        key = kms.Key(
            "Key",
            Description=f"Data, logs and notifications of {site.prefix}",
            EnableKeyRotation=True,
            PendingWindowInDays=30,
            KeyPolicy={"Version": "2012-10-17", "Statement": list(_policy(site))},
            DeletionPolicy="RetainExceptOnCreate",
            UpdateReplacePolicy="Retain",
        )
        yield Resource(STACK, "Key", key, ORIGIN)
        alias = kms.Alias("KeyAlias", AliasName=f"alias/{site.prefix}", TargetKeyId=Ref("Key"))
        yield Resource(STACK, "KeyAlias", alias, ORIGIN)
        yield publish(site, STACK, "KeyArnParameter", KEY_ARN, GetAtt("Key", "Arn"), ORIGIN)


def _policy(site: Site) -> Iterator[dict[str, Any]]:
    """Who may use the key. Roles are not named: a role that is replaced would be locked out, so the account
    lets IAM policies decide, as the KMS developer guide's default key policy does.
    """
    yield {
        "Sid": "AccountDecidesByIamPolicies",
        "Effect": "Allow",
        "Principal": {"AWS": Sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")},
        "Action": "kms:*",
        "Resource": "*",
    }
    yield {
        "Sid": "LogGroups",
        "Effect": "Allow",
        "Principal": {"Service": Sub("logs.${AWS::Region}.${AWS::URLSuffix}")},
        "Action": USE,
        "Resource": "*",
        "Condition": {
            "ArnLike": {
                "kms:EncryptionContext:aws:logs:arn": Sub(
                    f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:/{site.prefix}/*"
                )
            }
        },
    }
    # An alarm publishes to an encrypted topic, and a rule or a schedule to an encrypted queue, with the
    # rights of its service (Amazon SNS developer guide, "Enabling compatibility between event sources from
    # AWS services and encrypted topics").
    yield {
        "Sid": "AlarmsAndEvents",
        "Effect": "Allow",
        "Principal": {
            "Service": [
                "cloudwatch.amazonaws.com",
                "events.amazonaws.com",
                "scheduler.amazonaws.com",
                "sns.amazonaws.com",
            ]
        },
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
    }
