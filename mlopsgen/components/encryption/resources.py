"""The pipeline's own key: its policy says who may use it, and IAM policies say who does."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, Sub, kms

from mlopsgen.model.binding import Bindings, contributed
from mlopsgen.model.plan import Declaration, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.parts.key import KEY_ARN
from mlopsgen.parts.policies import VERSION, service_statements
from mlopsgen.parts.resource import Scope, publish

STACK = "foundation"

USE = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """One key for data, logs, notifications and dead letters; nothing where AWS manages the keys."""
    yield StackDescription(STACK, "encryption key, buckets and notifications")
    if not site.owns_key:
        return
    scope = Scope(site, STACK, ("spec", "encryption"))
    contributions = service_statements(contributed(bindings, "key"))
    key = kms.Key(
        "Key",
        Description=f"Data, logs and notifications of {site.prefix}",
        EnableKeyRotation=True,
        PendingWindowInDays=30,
        KeyPolicy={"Version": VERSION, "Statement": [*_policy(site), *contributions]},
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )
    yield scope.resource(key)
    yield scope.resource(kms.Alias("KeyAlias", AliasName=f"alias/{site.prefix}", TargetKeyId=Ref("Key")))
    yield publish(
        KEY_ARN, GetAtt("Key", "Arn"), scope.origin, kept="whatever is added later is encrypted with it"
    )


def _policy(site: Site) -> Iterator[dict[str, object]]:
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
    # Source conditions are not supported for EventBridge and encrypted topics (Amazon SNS developer guide,
    # "Key management", the same section). The topic's ARN is the context of what it encrypts (there,
    # "Encrypting messages"); it stands here by its pattern, since the topic itself waits for the key.
    topic = "arn:${AWS::Partition}:sns:${AWS::Region}:${AWS::AccountId}:${AWS::StackName}-Topic-*"
    yield {
        "Sid": "EventsToTheTopic",
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": ["kms:Decrypt", "kms:GenerateDataKey*"],
        "Resource": "*",
        "Condition": {"StringLike": {"kms:EncryptionContext:aws:sns:topicArn": Sub(topic)}},
    }
