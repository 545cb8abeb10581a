"""Who hears of alarms, and for how long logs are kept."""

from __future__ import annotations

from mlopsgen.components.monitoring.rules import RETENTION
from tests.components.pipelines import plan
from tests.policies import properties, stack

EVENTS = {"Service": "events.amazonaws.com"}


def test_a_receiver_keeps_its_subscription_when_others_come_and_go():
    """A subscription is called after its receiver: who was confirmed need not confirm again."""
    alone = "  monitoring: {notify: [{name: ops, email: ops@example.com}]}\n"
    before = plan(alone)
    after = plan(
        "  monitoring: {notify: [{name: all, email: a@example.com}, {name: ops, email: ops@example.com}]}\n"
    )
    assert properties(before, "foundation", "OpsSubscription") == properties(
        after, "foundation", "OpsSubscription"
    )
    added = {each.logical_id for each in stack(after, "foundation").resources} - {
        each.logical_id for each in stack(before, "foundation").resources
    }
    assert added == {"AllSubscription"}


def test_the_topic_has_the_pipelines_key_or_none():
    """Alarms cannot speak to a topic that AWS's own key encrypts."""
    assert properties(plan(), "foundation", "Topic")["KmsMasterKeyId"] == "ref-Key"
    managed = plan("  encryption: {awsManaged: {}}\n")
    assert "KmsMasterKeyId" not in properties(managed, "foundation", "Topic")
    assert "Key" not in {each.logical_id for each in stack(managed, "foundation").resources}


def test_rules_of_eventbridge_reach_the_topic():
    """They say nothing of their source, so neither the topic's policy nor the key's may ask for it."""
    found = plan()
    topic = properties(found, "foundation", "TopicPolicy")["PolicyDocument"]["Statement"]
    (events,) = (each for each in topic if each.get("Principal") == EVENTS)
    assert (events["Effect"], events["Action"], "Condition" in events) == ("Allow", "sns:Publish", False)
    key = properties(found, "foundation", "Key")["KeyPolicy"]["Statement"]
    (uses,) = (each for each in key if each.get("Principal") == EVENTS)
    assert uses["Action"] == ["kms:Decrypt", "kms:GenerateDataKey*"]
    (pattern,) = uses["Condition"]["StringLike"].values()
    assert pattern.endswith("-Topic-*")
    assert list(uses["Condition"]["StringLike"]) == ["kms:EncryptionContext:aws:sns:topicArn"]
    assert list(uses["Condition"]) == ["StringLike"]


def test_retentions_are_those_of_cloudwatch():
    """The days that are accepted are those in the registry's schema of a log group."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", "AWS::Logs::LogGroup").schema
    assert schema["properties"]["RetentionInDays"]["enum"] == list(RETENTION)
