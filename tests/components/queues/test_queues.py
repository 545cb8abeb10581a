"""Queues: workers consume them, anybody sends to them, and what is not done ends among the dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from mlopsgen.model.plan import Plan
from tests.components.pipelines import held, plan
from tests.policies import KEY, may, properties, stack, statements

QUEUES = """\
  images: [{name: app}]
  queues:
    - {name: requests, visibilityTimeout: 15m, maxReceives: 5}
    - name: results
      existing:
        arn: arn:aws:sqs:ap-southeast-1:123456789012:team-results
        kmsKey: arn:aws:kms:ap-southeast-1:123456789012:key/7f3c2b1a-5d4e-4f60-8a9b-0c1d2e3f4a5b
  services: [{name: api, image: app, sends: [requests]}]
  workers:
    - {name: reader, image: app, consumes: [requests], sends: [results], replicas: %s}
    - {name: plain, image: app}
  delivery: {github: {repository: acme/demo}}
"""

HERE = "arn:aws:sqs:ap-southeast-1:123456789012"
OWN, THEIRS = f"{HERE}:demo-default-requests", f"{HERE}:team-results"
THEIR_KEY = "arn:aws:kms:ap-southeast-1:123456789012:key/7f3c2b1a-5d4e-4f60-8a9b-0c1d2e3f4a5b"
THROUGH_SQS = {"kms:ViaService": "sqs.ap-southeast-1.amazonaws.com"}
OWN_KEY = THROUGH_SQS | {
    "aws:ResourceTag/mlopsgen:environment": "default",
    "aws:ResourceTag/mlopsgen:pipeline": "demo",
}
SCALED = "{min: 0, max: 8, metrics: {backlog: 4}}"


@pytest.fixture(scope="module")
def whole() -> Plan:
    return plan(QUEUES % SCALED)


def variables(found: Plan, name: str) -> dict[str, Any]:
    container = properties(found, name, "TaskDefinition")["ContainerDefinitions"][0]
    return {each["Name"]: each["Value"] for each in container["Environment"]}


def test_who_names_a_queue_learns_where_it_is(whole: Plan):
    """By one variable for each, of the pipeline's own and of somebody else's; and nobody else does."""
    url = "https://sqs.ap-southeast-1.amazonaws.com/123456789012/"
    assert variables(whole, "serving-api")["REQUESTS_QUEUE_URL"] == f"{url}demo-default-requests"
    reader = variables(whole, "serving-reader")
    assert reader["REQUESTS_QUEUE_URL"] == f"{url}demo-default-requests"
    assert reader["RESULTS_QUEUE_URL"] == f"{url}team-results"
    assert not [name for name in variables(whole, "serving-plain") if "QUEUE" in name]


def test_a_sender_sends_and_a_worker_takes(whole: Plan):
    """Each with its verb's rights on that queue alone, and on the key through SQS alone."""
    api, reader = (statements(whole, each, "TaskRole") for each in ("serving-api", "serving-reader"))
    assert may(api, "sqs:SendMessage", OWN) and not may(api, "sqs:ReceiveMessage", OWN)
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"):
        assert may(reader, action, OWN) and not may(reader, action, THEIRS)
    assert may(reader, "sqs:SendMessage", THEIRS) and not may(reader, "sqs:SendMessage", OWN)
    assert may(api, "kms:GenerateDataKey", KEY, THROUGH_SQS) and not may(api, "kms:GenerateDataKey", KEY)
    assert may(reader, "kms:Decrypt", KEY, OWN_KEY)
    assert may(reader, "kms:GenerateDataKey", THEIR_KEY, THROUGH_SQS)
    assert "sqs" not in str(statements(whole, "serving-plain", "TaskRole"))


def test_the_boundary_holds_what_the_verbs_give(whole: Plan):
    """Of these queues and their keys, and of no other."""
    boundary = properties(whole, "access", "Boundary")["PolicyDocument"]["Statement"]
    for action in ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:SendMessage"):
        assert may(boundary, action, OWN) and may(boundary, action, THEIRS)
    assert not may(boundary, "sqs:DeleteMessage", f"{HERE}:demo-prod-requests")
    assert may(boundary, "kms:Decrypt", THEIR_KEY, THROUGH_SQS)


def test_a_worker_protects_its_own_tasks_alone(whole: Plan):
    """While one works on a message, scaling and deployments leave it alone."""
    reader = statements(whole, "serving-reader", "TaskRole")
    task = "arn:aws:ecs:ap-southeast-1:123456789012:task/demo-default/1"
    own = {"aws:ResourceTag/mlopsgen:workload": "reader"}
    assert may(reader, "ecs:UpdateTaskProtection", task, own)
    assert not may(reader, "ecs:UpdateTaskProtection", task, {"aws:ResourceTag/mlopsgen:workload": "api"})


def test_what_is_not_done_ends_among_the_dead_letters(whole: Plan):
    """After as many tries as the queue says; one is enough to hear of it."""
    queue = held(whole, "queues", "RequestsQueue")
    assert queue["RedrivePolicy"] == {
        "deadLetterTargetArn": {"Fn::GetAtt": ["RequestsDeadLetters", "Arn"]},
        "maxReceiveCount": 5,
    }
    assert queue["VisibilityTimeout"] == 900
    assert held(whole, "queues", "RequestsDeadLetters")["MessageRetentionPeriod"] == 14 * 86400
    alarm = held(whole, "queues", "RequestsDeadLettersAlarm")
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    found = [each for each in whole.commands if each.title.startswith("See the dead letters of requests")]
    assert "start-message-move-task" in found[0].lines[1]


def test_queues_are_encrypted_and_take_tls_alone(whole: Plan):
    """With the pipeline's key, or with SQS's own where AWS manages the keys."""
    for name in ("RequestsQueue", "RequestsDeadLetters"):
        assert properties(whole, "queues", name)["KmsMasterKeyId"] == KEY
        policy = held(whole, "queues", f"{name}Policy")
        assert policy["Queues"] == [{"Ref": name}]
        [statement] = policy["PolicyDocument"]["Statement"]
        assert (statement["Effect"], statement["Principal"]) == ("Deny", "*")
        assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    aws = plan("  encryption: {awsManaged: {}}\n", QUEUES % SCALED)
    queue = held(aws, "queues", "RequestsQueue")
    assert queue["SqsManagedSseEnabled"] is True and "KmsMasterKeyId" not in queue


def test_nothing_is_made_of_somebody_elses_queue(whole: Plan):
    """It is used and never changed."""
    assert not [each for each in stack(whole, "queues").resources if "esults" in each.logical_id]


def ids(found: Plan) -> set[str]:
    return {each.logical_id for each in stack(found, "serving-reader").resources}


def test_the_backlog_of_each_task_is_held(whole: Plan):
    """Messages that wait and that are in work, over the tasks that run."""
    policy = held(whole, "serving-reader", "BacklogScalingPolicy")
    tracking = policy["TargetTrackingScalingPolicyConfiguration"]
    assert tracking["TargetValue"] == 4
    found = {each["Id"]: each for each in tracking["CustomizedMetricSpecification"]["Metrics"]}
    assert found["each"]["Expression"] == (
        "(FILL(w1, 0) + FILL(i1, 0)) / IF(FILL(running, 0) > 1, running, 1)"
    )
    metric = found["w1"]["MetricStat"]["Metric"]
    assert metric["MetricName"] == "ApproximateNumberOfMessagesVisible"
    assert metric["Dimensions"] == [{"Name": "QueueName", "Value": "demo-default-requests"}]
    assert [each["Id"] for each in found.values() if each["ReturnData"]] == ["each"]


def test_the_first_message_starts_the_first_task(whole: Plan):
    """A share of zero tasks is zero: from there an alarm adds one. Where one always runs, it need not."""
    alarm = held(whole, "serving-reader", "FirstTaskAlarm")
    assert alarm["AlarmActions"] == [{"Ref": "FirstTaskScalingPolicy"}]
    assert alarm["Metrics"][-1]["Expression"] == "IF(FILL(wanted, 0) < 1, FILL(w1, 0), 0)"
    step = held(whole, "serving-reader", "FirstTaskScalingPolicy")["StepScalingPolicyConfiguration"]
    assert step["AdjustmentType"] == "ChangeInCapacity"
    assert step["StepAdjustments"] == [{"MetricIntervalLowerBound": 0, "ScalingAdjustment": 1}]
    always = ids(plan(QUEUES % "{min: 1, max: 8, metrics: {backlog: 4}}"))
    assert "BacklogScalingPolicy" in always and "FirstTaskAlarm" not in always
    nights = (
        "{min: 1, max: 8, metrics: {backlog: 4}, schedules: "
        "[{name: a, cron: '0 8 * * *', min: 1}, {name: b, cron: '0 20 * * *', min: 0}]}"
    )
    assert "FirstTaskAlarm" in ids(plan(QUEUES % nights))


def test_the_age_of_the_oldest_message_is_watched_once_it_is_set():
    """For all queues or for one; an alarm that is written is on."""
    assert "RequestsOldestMessageAlarm" not in {
        each.logical_id for each in stack(plan(QUEUES % SCALED), "queues").resources
    }
    base = "  monitoring: {alarms: {queues: {oldestMessage: {above: 10m}, deadLetters: {enabled: false}}}}\n"
    found = plan(base, QUEUES % SCALED)
    assert held(found, "queues", "RequestsOldestMessageAlarm")["Threshold"] == 600
    assert "RequestsDeadLettersAlarm" not in {each.logical_id for each in stack(found, "queues").resources}


def test_a_worker_without_the_internet_reaches_its_queue_by_an_endpoint():
    """As all of AWS that it calls."""
    text = QUEUES.replace(
        "consumes: [requests],", "consumes: [requests], egress: [{name: https, port: 443, to: []}],"
    )
    endpoints = [
        each.properties["ServiceName"]
        for each in stack(plan(text % SCALED), "network").resources
        if each.type == "AWS::EC2::VPCEndpoint"
    ]
    assert any("sqs" in str(each) for each in endpoints)
