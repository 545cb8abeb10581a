"""What all trainers share: their cluster, its capacity, and the queue of starts that did not come off."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, Sub, cloudwatch, ecs, sqs

from mlopsgen import iam
from mlopsgen.components.base import Component, Site
from mlopsgen.components.wiring import KEY_ARN, TOPIC_ARN, publish, take
from mlopsgen.ecs.capacity import associate, capacity
from mlopsgen.plan import Command, Part, Resource

STACK = "training"
ORIGIN = ("spec", "trainers")
DEAD_LETTER_ARN = "training/dead-letter-arn"

# SQS keeps a message at most two weeks: time to look into it after a holiday.
_RETENTION = 14 * 86400


class Training(Component):
    """The cluster of the trainers, and the queue for what could not be started."""

    def declare(self, site: Site) -> Iterator[Part]:
        if not site.trainers:
            return
        yield from _cluster(site)
        yield from _dead_letters(site)


def _cluster(site: Site) -> Iterator[Part]:
    for trainer in site.trainers:
        origin = (*ORIGIN, trainer.name)
        yield from capacity(site, trainer, stack=STACK, cluster=site.cluster("training"), origin=origin)
    insights = ecs.ClusterSetting(Name="containerInsights", Value=site.spec.monitoring.container_insights)
    cluster = ecs.Cluster("Cluster", ClusterName=site.cluster("training"), ClusterSettings=[insights])
    yield Resource(STACK, "Cluster", cluster, ORIGIN)
    yield associate(site, site.trainers, stack=STACK, origin=ORIGIN)


def _dead_letters(site: Site) -> Iterator[Part]:
    """A queue that a start ends up in when AWS could not do it, and an alarm that says so."""
    key, key_parameter = take(site, STACK, "KeyArn", KEY_ARN, "String", "The pipeline's key")
    topic, topic_parameter = take(site, STACK, "TopicArn", TOPIC_ARN, "String", "Who hears of alarms")
    yield key_parameter
    yield topic_parameter
    queue = sqs.Queue(
        "DeadLetters",
        QueueName=f"{site.prefix}-training-dead-letters",
        KmsMasterKeyId=key,
        MessageRetentionPeriod=_RETENTION,
        # Kept, it would be in the way of the next queue of this name; its messages live two weeks anyway.
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
    )
    yield Resource(STACK, "DeadLetters", queue, ORIGIN)
    policy = sqs.QueuePolicy(
        "DeadLettersPolicy", Queues=[Ref("DeadLetters")], PolicyDocument=_queue_policy(site)
    )
    yield Resource(STACK, "DeadLettersPolicy", policy, ORIGIN)
    yield publish(site, STACK, "DeadLettersArn", DEAD_LETTER_ARN, GetAtt("DeadLetters", "Arn"), ORIGIN)
    alarm = cloudwatch.Alarm(
        "DeadLettersAlarm",
        AlarmDescription=f"A run on {site.cluster('training')} could not be started: the queue says why.",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[cloudwatch.MetricDimension(Name="QueueName", Value=GetAtt("DeadLetters", "QueueName"))],
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[topic],
        OKActions=[topic],
    )
    yield Resource(STACK, "DeadLettersAlarm", alarm, ORIGIN)
    region = site.spec.aws.region
    url = (
        f'"$(aws sqs get-queue-url --region {region} --queue-name {site.prefix}-training-dead-letters'
        ' --query QueueUrl --output text)"'
    )
    yield Command(
        "Training",
        f"See why a run could not be started in {site.environment}",
        (f"aws sqs receive-message --region {region} --max-number-of-messages 10 --queue-url {url}",),
    )


def _queue_policy(site: Site) -> dict[str, object]:
    queue = GetAtt("DeadLetters", "Arn")
    return {
        "Version": iam.VERSION,
        "Statement": [
            {
                "Sid": "RulesOfThisPipeline",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": Sub("${AWS::AccountId}")},
                    "ArnLike": {"aws:SourceArn": iam.arn("events", f"rule/{site.prefix}-*")},
                },
            },
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "sqs:*",
                "Resource": queue,
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            },
        ],
    }
