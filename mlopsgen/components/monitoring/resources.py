"""The topic that alarms speak to, and who hears of it."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Ref, sns

from mlopsgen.model.binding import Bindings
from mlopsgen.model.names import logical
from mlopsgen.model.plan import Declaration, FlowNode
from mlopsgen.model.site import Site, by_name
from mlopsgen.parts.resource import Scope, publish
from mlopsgen.parts.topic import TOPIC_ARN

STACK = "foundation"


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """One topic, encrypted with the pipeline's own key, and a subscription for each receiver."""
    scope = Scope(site, STACK, ("spec", "monitoring", "notify"))
    # Alarms can publish to an encrypted topic only if its key is the customer's own and says so (Amazon
    # CloudWatch user guide, "Notifying users on alarm changes").
    key = {"KmsMasterKeyId": Ref("Key")} if site.owns_key else {}
    yield scope.resource(sns.Topic("Topic", DisplayName=f"Alarms of {site.prefix}", **key))
    for each in by_name(site.spec.monitoring.notify):
        yield scope.at(each.name).resource(
            sns.SubscriptionResource(
                f"{logical(each.name)}Subscription",
                TopicArn=Ref("Topic"),
                Protocol="email",
                Endpoint=each.email,
            )
        )
    yield scope.resource(_policy())
    yield publish(TOPIC_ARN, Ref("Topic"), scope.origin, kept="alarms that are added later speak to it")
    yield FlowNode("topic:alarms", "alarms", "topic")


def _policy() -> sns.TopicPolicy:
    statements = [
        {
            "Sid": "Alarms",
            "Effect": "Allow",
            "Principal": {"Service": "cloudwatch.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": Ref("Topic"),
            "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
        },
        # Topic policies for EventBridge may have no condition (Amazon EventBridge user guide, "Using
        # resource-based policies for Amazon EventBridge").
        {
            "Sid": "Events",
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sns:Publish",
            "Resource": Ref("Topic"),
        },
        {
            "Sid": "TlsOnly",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sns:Publish",
            "Resource": Ref("Topic"),
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    ]
    return sns.TopicPolicy(
        "TopicPolicy",
        Topics=[Ref("Topic")],
        PolicyDocument={"Version": "2012-10-17", "Statement": statements},
    )
