"""What all jobs share: the queue of starts that did not come off, and an alarm that says so."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, Sub, cloudwatch, sqs

from mlopsgen.components.jobs.runs import job_spec
from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.language.values import DAY
from mlopsgen.model.plan import Command, Declaration, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Published
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.policies import VERSION, arn
from mlopsgen.parts.resource import Scope, publish
from mlopsgen.parts.topic import TOPIC_ARN

STACK = "training"

DEAD_LETTERS_ARN = Published(
    STACK, "training/dead-letter-arn", "String", "The queue of starts that did not come off"
)

# SQS keeps a message at most two weeks: time to look into it after a holiday.
_RETENTION = 14 * DAY


def declare_dead_letters(site: Site) -> Iterator[Declaration]:
    """The queue that a start ends up in when AWS could not do it; nothing if AWS starts no job."""
    if not any(starts_by_itself(job_spec(each)) for each in site.jobs):
        return
    yield StackDescription(STACK, "the queue of runs that could not be started")
    scope = Scope(site, STACK, ("spec", "jobs"))
    queue = sqs.Queue(
        "DeadLetters",
        MessageRetentionPeriod=_RETENTION,
        # Nobody would find it again; its messages live two weeks anyway. CloudFormation names it: for a
        # minute nothing can be called like a queue that has gone (Amazon SQS API reference, DeleteQueue).
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        **_encryption(site),
    )
    yield scope.resource(queue)
    policy = sqs.QueuePolicy("DeadLettersPolicy", Queues=[Ref("DeadLetters")], PolicyDocument=_policy(site))
    yield scope.resource(policy)
    yield publish(DEAD_LETTERS_ARN, GetAtt("DeadLetters", "Arn"), scope.origin)
    yield scope.resource(_alarm(site))
    url = (
        f'"$(aws cloudformation describe-stack-resource --region {site.region}'
        f" --stack-name {site.prefix}-{STACK} --logical-resource-id DeadLetters"
        ' --query StackResourceDetail.PhysicalResourceId --output text)"'
    )
    yield Command(
        "Jobs",
        f"See why a run could not be started in {site.environment}",
        (f"aws sqs receive-message --region {site.region} --max-number-of-messages 10 --queue-url {url}",),
    )


def starts_by_itself(spec: JobSpec) -> bool:
    """Whether AWS starts the job, by the clock or again."""
    return bool(spec.triggers or spec.retries.on_lost_capacity)


def _encryption(site: Site) -> dict[str, Body]:
    key = key_arn(site)
    return {"KmsMasterKeyId": key} if key else {"SqsManagedSseEnabled": True}


def _alarm(site: Site) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        "DeadLettersAlarm",
        AlarmDescription=f"A run on {site.cluster} could not be started: the queue says why.",
        Namespace="AWS/SQS",
        MetricName="ApproximateNumberOfMessagesVisible",
        Dimensions=[cloudwatch.MetricDimension(Name="QueueName", Value=GetAtt("DeadLetters", "QueueName"))],
        Statistic="Maximum",
        Period=300,
        EvaluationPeriods=1,
        Threshold=0,
        ComparisonOperator="GreaterThanThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[TOPIC_ARN],
        OKActions=[TOPIC_ARN],
    )


def _policy(site: Site) -> dict[str, object]:
    queue = GetAtt("DeadLetters", "Arn")
    return {
        "Version": VERSION,
        "Statement": [
            {
                "Sid": "RulesOfThisPipeline",
                "Effect": "Allow",
                "Principal": {"Service": "events.amazonaws.com"},
                "Action": "sqs:SendMessage",
                "Resource": queue,
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": Sub("${AWS::AccountId}")},
                    "ArnLike": {"aws:SourceArn": arn("events", f"rule/{site.prefix}-*")},
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
