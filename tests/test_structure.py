"""What no linter sees in the templates of the known pipelines, and only a deployment would show."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from mlopsgen.checks import structure
from mlopsgen.checks.structure import METRICS, Fault, at, faults, maps, resources
from mlopsgen.compiler import examine, plan_of
from mlopsgen.emit.cloudformation import template
from mlopsgen.plan import Plan, stack_order
from tests.cases import Case, cases

Templates = dict[str, dict[str, Any]]


@cache
def plans() -> dict[str, Plan]:
    """Every environment of every known pipeline."""
    return {f"{case.name}-{each.environment}": plan_of(each) for case in cases() for each in checked(case)}


def checked(case: Case) -> tuple[Any, ...]:
    return examine(case.pipeline.read_text(), str(case.pipeline), None)[0]


@cache
def built() -> dict[str, Templates]:
    """Their templates by stack, in the order of deployment."""
    return {name: {stack.name: template(stack) for stack in plan.stacks} for name, plan in plans().items()}


def every(kind: str) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
    """(environment, stack, logical id, properties) of each resource of a type, anywhere."""
    for name, templates in built().items():
        for stack, logical_id, body in resources(templates, kind):
            yield name, stack, logical_id, body


def test_linters_miss_nothing():
    """No template has a fault of the kinds that linters do not look for."""
    assert {name: found for name, each in built().items() if (found := list(faults(each)))} == {}


def first(kind: str) -> tuple[Templates, str, str]:
    """A copy of the first templates that have such a resource, and where it is."""
    for name, stack, logical_id, _ in every(kind):
        return copy.deepcopy(built()[name]), stack, logical_id
    raise AssertionError(f"no known pipeline has {kind}")


def without_waiting(templates: Templates, stack: str, name: str) -> None:
    templates[stack]["Resources"][name].pop("DependsOn", None)


def set_property(*path: str, value: Any) -> Callable[[Templates, str, str], None]:
    def change(templates: Templates, stack: str, name: str) -> None:
        node = templates[stack]["Resources"][name]["Properties"]
        for step in path[:-1]:
            node = node[step]
        node[path[-1]] = value

    return change


BROKEN: dict[str, tuple[str, Callable[[Templates, str, str], None]]] = {
    "attached_gateway": ("AWS::EC2::Route", without_waiting),
    "balancer_names": (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        set_property("Name", value="sentiment-of-moving-pictures-service"),
    ),
    "container_of_the_service": (
        "AWS::ECS::Service",
        set_property("LoadBalancers", value=[{"ContainerName": "other", "ContainerPort": 80}]),
    ),
    "containers": ("AWS::ECS::TaskDefinition", set_property("ContainerDefinitions", value=[])),
    "dashboards": ("AWS::CloudWatch::Dashboard", set_property("DashboardBody", value="{")),
    "datapoints": ("AWS::CloudWatch::Alarm", set_property("DatapointsToAlarm", value=99)),
    "fewest_above_most": (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        set_property("MinCapacity", value=9999),
    ),
    "launch_type": ("AWS::ECS::Service", set_property("LaunchType", value="FARGATE")),
    "log_bucket_encryption": (
        "AWS::S3::Bucket",
        lambda templates, stack, name: templates[stack]["Resources"].update(
            LogBucket=templates[stack]["Resources"]["DataBucket"]
        ),
    ),
    "metric_names": (
        "AWS::CloudWatch::Alarm",
        set_property("Metrics", value=[{"Namespace": "AWS/ECS", "MetricName": "CpuUtilization"}]),
    ),
    "references": ("AWS::ECS::Service", set_property("Cluster", value={"Ref": "Nothing"})),
    "room_to_deploy": (
        "AWS::ECS::Service",
        set_property("DeploymentConfiguration", "MinimumHealthyPercent", value=400),
    ),
    "scaled_count": (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        lambda templates, stack, name: templates[stack]["Resources"]["Service"]["Properties"].update(
            DesiredCount=2
        ),
    ),
    "shifted_traffic": (
        "AWS::ECS::Service",
        set_property("DeploymentConfiguration", value={"Strategy": "CANARY"}),
    ),
    "sizes_on_fargate": (
        "AWS::ECS::TaskDefinition",
        lambda templates, stack, name: templates[stack]["Resources"][name]["Properties"].update(
            RequiresCompatibilities=["FARGATE"], Cpu="1000"
        ),
    ),
    "target_type": (
        "AWS::ElasticLoadBalancingV2::TargetGroup",
        set_property("TargetType", value="instance"),
    ),
    "transitions": (
        "AWS::S3::Bucket",
        set_property(
            "LifecycleConfiguration",
            value={"Rules": [{"Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 7}]}]},
        ),
    ),
    "waits_for_its_rule": (
        "AWS::ElasticLoadBalancingV2::ListenerRule",
        lambda templates, stack, name: (
            without_waiting(templates, stack, "Service"),
            templates[stack]["Resources"]["Service"]["Properties"]["LoadBalancers"][0].pop(
                "AdvancedConfiguration", None
            ),
        ),
    ),
    "grace_period": (
        "AWS::ECS::Service",
        lambda templates, stack, name: templates[stack]["Resources"][name].update(
            Properties={"HealthCheckGracePeriodSeconds": 60}
        ),
    ),
}


def test_every_rule_is_broken_once():
    """A rule that nothing breaks would prove nothing."""
    assert sorted(BROKEN) == sorted(rule.__name__ for rule in structure.RULES)


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_broken_templates_are_seen(rule: str):
    """A template that is broken on purpose has the fault that its rule is for."""
    kind, change = BROKEN[rule]
    templates, stack, name = first(kind)
    check = next(each for each in structure.RULES if each.__name__ == rule)
    assert not list(check(templates))
    change(templates, stack, name)
    found = list(check(templates))
    assert found
    assert all(isinstance(each, Fault) and each.stack == stack for each in found)


def test_logical_ids_are_given_once():
    """Of two resources with one logical id a template would hold the second alone."""
    for name, plan in plans().items():
        for stack in plan.stacks:
            ids = [each.logical_id for each in stack.resources]
            assert len(set(ids)) == len(ids), f"{name}: {stack.name}"


def test_stacks_are_deployed_in_order():
    """What a stack takes from another was published by one that is deployed before."""
    for name, templates in built().items():
        prefix = f"/{plans()[name].prefix}/"
        published: dict[str, str] = {}
        for stack in sorted(templates, key=stack_order):
            for parameter, body in templates[stack].get("Parameters", {}).items():
                default = body.get("Default", "")
                if body["Type"].startswith("AWS::SSM::") and default.startswith(prefix):
                    assert default in published, f"{name}: {stack}.{parameter} takes {default} from nobody"
            for _, logical_id, parameter in resources({stack: templates[stack]}, "AWS::SSM::Parameter"):
                assert parameter["Name"] not in published
                published[parameter["Name"]] = f"{stack}.{logical_id}"


def test_no_stack_locks_another():
    """There are no exports: an exported value cannot change while it is imported."""
    for name, templates in built().items():
        for stack, body in templates.items():
            assert "Export" not in json.dumps(body.get("Outputs", {})), f"{name}: {stack}"
            assert "Fn::ImportValue" not in json.dumps(body), f"{name}: {stack}"


def statements(templates: Templates, stack: str, role: str) -> list[dict[str, Any]]:
    """What a role may do, inline and in managed policies of its stack."""
    body = templates[stack]["Resources"][role]["Properties"]
    documents = [each["PolicyDocument"] for each in body.get("Policies", ())]
    for attached in body.get("ManagedPolicyArns", ()):
        target = templates[stack]["Resources"].get(at(attached, "Ref"), {})
        documents.append(target["Properties"]["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


def test_tasks_may_write_their_logs():
    """The execution role of each task may write the log group that the container names."""
    for name, stack, _, body in every("AWS::ECS::TaskDefinition"):
        templates = built()[name]
        role = body["ExecutionRoleArn"]["Fn::GetAtt"][0]
        for container in body["ContainerDefinitions"]:
            group = templates[stack]["Resources"][
                container["LogConfiguration"]["Options"]["awslogs-group"]["Ref"]
            ]
            allowed = [
                resource
                for statement in statements(templates, stack, role)
                if {"logs:CreateLogStream", "logs:PutLogEvents"} <= set(statement["Action"])
                for resource in _list(statement["Resource"])
            ]
            wanted = f"log-group:{group['Properties']['LogGroupName']}:*"
            assert any(json.dumps(each).count(wanted) for each in allowed), f"{name}: {stack}"


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_tasks_may_pull_their_images():
    """The execution role of each task may pull what the container runs, from whichever registry of ECR."""
    seen = 0
    for name, stack, _, body in every("AWS::ECS::TaskDefinition"):
        role = body["ExecutionRoleArn"]["Fn::GetAtt"][0]
        for container in body["ContainerDefinitions"]:
            image = at(container["Image"], "Fn::Sub") or container["Image"]
            if ".dkr.ecr." not in image:
                continue
            seen += 1
            allowed = [
                json.dumps(resource)
                for statement in statements(built()[name], stack, role)
                if {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} <= set(statement["Action"])
                for resource in _list(statement["Resource"])
            ]
            repository = image.partition("/")[2].partition("@")[0]
            assert any(f':repository/{repository}"' in each for each in allowed), f"{name}: {stack}"
    assert seen > 10


def test_without_nat_every_service_has_an_endpoint():
    """Tasks that cannot reach the internet reach what they need to start, to log and to be counted."""
    seen = 0
    for name, templates in built().items():
        if "network" not in templates or any(resources(templates, "AWS::EC2::NatGateway")):
            continue
        seen += 1
        endpoints = {
            body["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}."): body
            for _, _, body in resources(templates, "AWS::EC2::VPCEndpoint")
        }
        wanted = {"ecr.api", "ecr.dkr", "logs", "s3"}
        if any(resources(templates, "AWS::ECS::CapacityProvider")):
            wanted |= {"ecs", "ecs-agent", "ecs-telemetry"}
        for _, _, body in resources(templates, "AWS::ECS::TaskDefinition"):
            for container in body["ContainerDefinitions"]:
                for secret in maps(container.get("Secrets")):
                    wanted.add(secret["ValueFrom"].split(":")[2])
        assert wanted <= set(endpoints), name
        assert endpoints["s3"]["VpcEndpointType"] == "Gateway"
    assert seen


# Characters, as the services' own API references and quotas give them.
LONGEST = {
    ("AWS::AutoScaling::AutoScalingGroup", "AutoScalingGroupName"): 255,
    ("AWS::CloudWatch::Dashboard", "DashboardName"): 255,
    ("AWS::ECR::Repository", "RepositoryName"): 256,
    ("AWS::ECS::CapacityProvider", "Name"): 255,
    ("AWS::ECS::Cluster", "ClusterName"): 255,
    ("AWS::ECS::Service", "ServiceName"): 255,
    ("AWS::ECS::TaskDefinition", "Family"): 255,
    ("AWS::Events::Rule", "Name"): 64,
    ("AWS::IAM::ManagedPolicy", "ManagedPolicyName"): 128,
    ("AWS::IAM::Role", "Path"): 512,
    ("AWS::IAM::Role", "RoleName"): 64,
    ("AWS::KMS::Alias", "AliasName"): 256,
    ("AWS::Logs::LogGroup", "LogGroupName"): 512,
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::SNS::Topic", "TopicName"): 256,
    ("AWS::SQS::Queue", "QueueName"): 80,
    ("AWS::SSM::Parameter", "Name"): 1011,
    ("AWS::Scheduler::Schedule", "Name"): 64,
    ("AWS::Scheduler::ScheduleGroup", "Name"): 64,
}


def longest() -> Templates:
    """The templates of a pipeline whose names are as long as the rules let them be."""
    from mlopsgen.load import load
    from mlopsgen.lower import lower
    from mlopsgen.source.parse import parse

    name, environment, part = "p" * 32, "e" * 12, "n" * 32
    text = f"""\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {{name: {name}}}
spec:
  aws: {{region: eu-west-1}}
  storage: {{prefixes: [{{name: {part}}}]}}
  models: [{{name: {part}}}]
  trainers:
    - name: {part}
      image: {{name: {part}, build: {{context: train}}}}
      produces: {part}
      reads: [{part}]
      compute: {{ec2: {{instanceType: g4dn.xlarge}}}}
      resources: {{gpu: 1}}
      schedule: {{cron: "0 3 * * *"}}
      timeout: 5h
      retries: 5
  services:
    - name: {"s" * 32}
      image: {{name: {"i" * 32}, build: {{context: app}}}}
      serves: {part}
      ingress: {{}}
      replicas: {{min: 2, max: 4}}
      autoscaling: [{{metric: cpu, target: 70}}]
      deployment: {{strategy: canary}}
      scheduledScaling: [{{name: {part}, cron: "0 3 * * *", replicas: {{min: 4, max: 8}}}}]
  delivery: {{github: {{repository: example/demo, oidcProvider: create}}}}
  access:
    roles:
      - {{name: developer, principals: ["arn:aws:iam::123456789012:root"]}}
      - {{name: analyst, principals: ["arn:aws:iam::123456789012:root"]}}
      - {{name: model-trainer, principals: ["arn:aws:iam::123456789012:root"]}}
  environments: {{{environment}: {{}}}}
"""
    (each,), _ = examine(text, "pipeline.yaml", None)
    plan = lower(load(parse(text, "pipeline.yaml")), each.environment)
    assert len(plan.prefix) == 45
    return {stack.name: template(stack) for stack in plan.stacks}


def test_longest_names_fit():
    """With the longest names that are not refused, every physical name is within AWS's limit."""
    templates, seen = longest(), set()
    for (kind, key), limit in LONGEST.items():
        for stack, logical_id, body in resources(templates, kind):
            value = body.get(key)
            text = at(value, "Fn::Sub") or value
            if not isinstance(text, str):
                continue
            seen.add(kind)
            assert len(text.replace("${AWS::AccountId}", "0" * 12)) <= limit, f"{stack}.{logical_id}"
    assert {"AWS::S3::Bucket", "AWS::IAM::Role", "AWS::Events::Rule", "AWS::Scheduler::ScheduleGroup"} <= seen
    for plan_stack in templates:
        # A stack's name has 128 characters at most.
        assert len(f"{'p' * 32}-{'e' * 12}-{plan_stack}") <= 128
    assert not list(faults(templates))


def test_alarms_can_speak():
    """The key of the topic that alarms publish to lets CloudWatch use it."""
    for name, templates in built().items():
        keys = [body for _, _, body in resources(templates, "AWS::KMS::Key")]
        text = json.dumps([key["KeyPolicy"] for key in keys])
        assert "cloudwatch.amazonaws.com" in text, name
        # A key policy that names a role would lose it when the role is replaced.
        assert '"Fn::GetAtt"' not in text, name
        for _, logical_id, body in resources(templates, "AWS::SNS::Topic"):
            assert at(body, "KmsMasterKeyId", "Ref") == "Key", f"{name}: {logical_id}"


def test_security_groups_do_not_wait_for_each_other():
    """Groups that name each other have rules of their own, or neither could be created first."""
    for name, stack, logical_id, body in every("AWS::EC2::SecurityGroup"):
        for key in ("SecurityGroupIngress", "SecurityGroupEgress"):
            for rule in maps(body.get(key)):
                assert not {"SourceSecurityGroupId", "DestinationSecurityGroupId"} & set(rule), (
                    f"{name}: {stack}.{logical_id}"
                )


def test_metrics_of_our_own_namespaces_are_known():
    """Every namespace of AWS's that is measured is one whose metrics are listed."""
    text = json.dumps([*built().values()])
    measured = {word for word in text.replace("\\", "").split('"') if word.startswith("AWS/")}
    measured |= {"ECS/ContainerInsights"} if "ECS/ContainerInsights" in text else set()
    assert measured <= set(METRICS)
