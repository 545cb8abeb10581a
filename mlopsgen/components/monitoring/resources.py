"""`spec.monitoring`: the topic that alarms speak to, and where programs write their logs."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Ref, sns

from mlopsgen import iam
from mlopsgen.components.base import Binding, Component, Site
from mlopsgen.components.wiring import TOPIC_ARN, publish
from mlopsgen.plan import Grant, Part, Resource, Thing
from mlopsgen.spec.workload import WorkloadSpec

STACK = "foundation"
ORIGIN = ("spec", "monitoring", "notify")


class Monitoring(Component):
    """One encrypted topic, and a subscription for each address."""

    def declare(self, site: Site) -> Iterator[Part]:
        topic = sns.Topic(
            "Topic",
            DisplayName=f"Alarms of {site.prefix}",
            # Alarms can publish to an encrypted topic only if its key is the customer's own and says so.
            KmsMasterKeyId=Ref("Key"),
        )
        yield Resource(STACK, "Topic", topic, ORIGIN)
        # Addresses are told apart by a number: they may hold any letter, a logical id may not.
        for number, address in enumerate(sorted(set(site.spec.monitoring.notify.email)), start=1):
            name = f"EmailSubscription{number}"
            body = sns.SubscriptionResource(name, TopicArn=Ref("Topic"), Protocol="email", Endpoint=address)
            yield Resource(STACK, name, body, ORIGIN)
        policy = sns.TopicPolicy(
            "TopicPolicy",
            Topics=[Ref("Topic")],
            PolicyDocument={
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "AlarmsAndEvents",
                        "Effect": "Allow",
                        "Principal": {"Service": ["cloudwatch.amazonaws.com", "events.amazonaws.com"]},
                        "Action": "sns:Publish",
                        "Resource": Ref("Topic"),
                        "Condition": {"StringEquals": {"aws:SourceAccount": Ref("AWS::AccountId")}},
                    },
                    {
                        "Sid": "TlsOnly",
                        "Effect": "Deny",
                        "Principal": "*",
                        "Action": "sns:Publish",
                        "Resource": Ref("Topic"),
                        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                    },
                ],
            },
        )
        yield Resource(STACK, "TopicPolicy", policy, ORIGIN)
        yield publish(site, STACK, "TopicArnParameter", TOPIC_ARN, Ref("Topic"), ORIGIN)
        yield Thing("topic:alarms", "alarms", "topic")

    def bind(self, site: Site, workload: WorkloadSpec, stack: str) -> Binding:
        """Its metrics' namespace, and the right of ECS to write its log group.

        Metrics are embedded in log lines, so the program itself needs no right for them.
        """
        group = iam.arn("logs", f"log-group:{site.log_group(workload.name)}:*")
        return Binding(
            environment=(("METRICS_NAMESPACE", site.metrics_namespace),),
            execution_grants=(Grant(("logs:CreateLogStream", "logs:PutLogEvents"), (group,), "write logs"),),
        )
