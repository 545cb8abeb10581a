"""What no linter sees in the templates of the known pipelines, and only a deployment would show."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from mlopsgen.aws.resource_types import resource_type
from mlopsgen.compile import compile_pipeline
from mlopsgen.emit.cloudformation import template
from mlopsgen.model.plan import Phase, Plan
from mlopsgen.rules.registry import TemplateFault, template_rules
from mlopsgen.rules.structure import METRICS, at, maps, resources
from tests.cases import KNOWN
from tests.policies import filled

Templates = dict[str, dict[str, Any]]


@cache
def plans() -> dict[str, Plan]:
    """Every environment of every known pipeline."""
    return {f"{case.name}-{each.environment}": each.plan for case in KNOWN for each in case.compilations}


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
    assert {name: found for name, each in built().items() if (found := faults(each))} == {}


def faults(templates: Templates) -> list[TemplateFault]:
    """What any rule has against the templates of an environment."""
    return [fault for rule in template_rules() for fault in rule(templates)]


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
    "kept_images": (
        "AWS::ECR::Repository",
        set_property("LifecyclePolicy", "LifecyclePolicyText", value='{"rules": []}'),
    ),
    "logs_of_a_task": (
        "AWS::ECS::TaskDefinition",
        set_property("ContainerDefinitions", value=[{"LogConfiguration": {"LogDriver": "awslogs"}}]),
    ),
    "network_of_a_task": (
        "AWS::ECS::TaskDefinition",
        set_property(
            "ContainerDefinitions", value=[{"PortMappings": [{"ContainerPort": 8080, "HostPort": 80}]}]
        ),
    ),
    "periods": ("AWS::CloudWatch::Alarm", set_property("Period", value=90)),
    "ports_of_a_group": ("AWS::EC2::SecurityGroupIngress", set_property("FromPort", value=65536)),
    "ranges_of_subnets": ("AWS::EC2::Subnet", set_property("CidrBlock", value="192.0.2.0/24")),
    "reached_endpoints": ("AWS::EC2::VPCEndpoint", set_property("RouteTableIds", value=[])),
    "routes_lead_somewhere": ("AWS::EC2::Route", set_property("NatGatewayId", value="nat-0")),
    "scaled_dimension": (
        "AWS::ApplicationAutoScaling::ScalableTarget",
        set_property("ScalableDimension", value="dynamodb:table:ReadCapacityUnits"),
    ),
    "subscribers": ("AWS::SNS::Subscription", set_property("Endpoint", value="ops")),
    "zones_of_a_balancer": (
        "AWS::ElasticLoadBalancingV2::LoadBalancer",
        set_property("Subnets", value=["subnet-01234567"]),
    ),
    "zones_of_subnets": ("AWS::EC2::Subnet", set_property("AvailabilityZone", value="eu-west-1a")),
    "grace_period": (
        "AWS::ECS::Service",
        lambda templates, stack, name: templates[stack]["Resources"][name].update(
            Properties={"HealthCheckGracePeriodSeconds": 60}
        ),
    ),
}


def test_every_rule_is_broken_once():
    """A rule that nothing breaks would prove nothing."""
    assert sorted(BROKEN) == sorted(rule.find.__name__ for rule in template_rules())


@pytest.mark.parametrize("rule", sorted(BROKEN))
def test_broken_templates_are_seen(rule: str):
    """A template that is broken on purpose has the fault that its rule is for."""
    kind, change = BROKEN[rule]
    templates, stack, name = first(kind)
    check = next(each for each in template_rules() if each.find.__name__ == rule)
    assert not list(check(templates))
    change(templates, stack, name)
    found = list(check(templates))
    assert found
    assert all(isinstance(each, TemplateFault) and each.stack == stack for each in found)


def test_logical_ids_are_given_once():
    """Of two resources with one logical id a template would hold the second alone."""
    for name, plan in plans().items():
        for stack in plan.stacks:
            ids = [each.logical_id for each in stack.resources]
            assert len(set(ids)) == len(ids), f"{name}: {stack.name}"


def test_whatever_takes_tags_says_whose_it_is():
    """By them a bill is split, and what no pipeline has any longer is found."""
    for name, plan in plans().items():
        for stack in plan.stacks:
            for each in stack.resources:
                tags = resource_type(each.type).tags
                if tags:
                    written = json.dumps(each.properties.get(tags.name))
                    assert "mlopsgen:pipeline" in written, f"{name}: {stack.name}.{each.logical_id}"
                    assert "mlopsgen:environment" in written, f"{name}: {stack.name}.{each.logical_id}"


def test_parameters_are_given_once():
    """Of two parameters with one name a template would hold the second alone, for both places."""
    for name, plan in plans().items():
        for stack in plan.stacks:
            names = [each.name for each in stack.parameters]
            assert len(set(names)) == len(names), f"{name}: {stack.name}"


def test_stacks_wait_for_what_they_require():
    """Each stack comes after all that it names as there before, and no phase begins twice."""
    for name, plan in plans().items():
        before: set[str] = set()
        for stack in plan.stacks:
            assert set(stack.requires) <= before, f"{name}: {stack.name}"
            before.add(stack.name)
        phases = [stack.phase for stack in plan.stacks]
        assert phases == sorted(phases), name


def test_no_task_is_defined_before_its_image():
    """What is deployed before the images are pushed holds no task, and what is deployed later holds one."""
    for name, plan in plans().items():
        tasks = {task.stack: task for task in plan.tasks}
        for stack in plan.stacks:
            if stack.name in tasks:
                assert stack.phase > Phase.BEFORE_IMAGES, f"{name}: {stack.name}"
                waits = bool(tasks[stack.name].follows)
                assert (stack.phase == Phase.AFTER_FIRST_MODEL) is waits, f"{name}: {stack.name}"


def test_stacks_are_deployed_in_order():
    """What a stack takes from another was published by one that is deployed before."""
    for name, templates in built().items():
        prefix = f"/{plans()[name].prefix}/"
        published: dict[str, str] = {}
        for stack in templates:
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
            outputs = body.get("Outputs", {}).values()
            assert not any("Export" in each for each in outputs), f"{name}: {stack}"
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
                if {"logs:CreateLogStream", "logs:PutLogEvents"} <= set(_list(statement["Action"]))
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
                if {"ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"} <= set(_list(statement["Action"]))
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
        found = [body for _, _, body in resources(templates, "AWS::EC2::VPCEndpoint")]
        endpoints = {
            each["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}.") for each in found
        }
        wanted = {"ecr.api", "ecr.dkr", "logs", "s3"}
        if any(resources(templates, "AWS::ECS::CapacityProvider")):
            wanted |= {"ecs", "ecs-agent", "ecs-telemetry"}
        for _, _, body in resources(templates, "AWS::ECS::TaskDefinition"):
            for container in body["ContainerDefinitions"]:
                for secret in maps(container.get("Secrets")):
                    wanted.add(filled(secret["ValueFrom"]).split(":")[2])
        assert wanted <= endpoints, name
        assert "Gateway" in {each["VpcEndpointType"] for each in found}
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

UNNAMED = {
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::SNS::Topic",
    "AWS::SQS::Queue",
    "AWS::Scheduler::Schedule",
}
"""What CloudFormation names by itself, so that it can be replaced."""

TIMES = 'cron: "0 3 * * *"'


def long(letter: str) -> str:
    """A name as long as names can be, another for each letter."""
    return letter * 32


# Buckets need room for the account: with one, the three names have 48 characters together.
WITH_BUCKET = f"""\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {{name: {"p" * 16}}}
spec:
  aws: {{region: eu-west-1}}
  images: [{{name: {long("i")}, context: app}}]
  buckets: [{{name: {"b" * 16}, prefixes: [{{name: {long("x")}}}, {{name: models}}]}}]
  models: [{{name: {long("m")}}}]
  jobs:
    - {{name: {long("j")}, image: {long("i")}, produces: [{long("m")}], reads: [{long("x")}]}}
  services:
    - {{name: {long("s")}, image: {long("i")}, loads: [{long("m")}], reads: [{long("x")}]}}
  environments: {{{"e" * 16}: {{}}}}
"""

WITHOUT_BUCKET = f"""\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {{name: {long("p")}}}
spec:
  aws: {{region: eu-west-1}}
  images: [{{name: {long("i")}, context: app}}]
  volumes: [{{name: {long("v")}, efs: {{}}}}]
  capacity: [{{name: {long("c")}, ec2: {{instanceTypes: [g4dn.xlarge], max: 4}}}}]
  loadBalancers: [{{name: {long("b")}}}]
  jobs:
    - name: {long("j")}
      image: {long("i")}
      capacity: {long("c")}
      resources: {{cpu: "3", memory: 12Gi, gpu: 1}}
      triggers: [{{name: {long("t")}, schedule: {{{TIMES}}}}}, {{name: {long("u")}, schedule: {{{TIMES}}}}}]
      timeout: 5h
      retries: {{onLostCapacity: 2}}
  workers:
    - {{name: {long("w")}, image: {long("i")}, replicas: {{min: 1, max: 2, metrics: {{cpu: 70%}}}}}}
  services:
    - name: {long("s")}
      image: {long("i")}
      volumeMounts: [{{name: {long("v")}, mountPath: /mnt}}]
      replicas:
        min: 2
        max: 4
        metrics: {{cpu: 70%}}
        schedules:
          - {{name: {long("r")}, cron: "0 3 * * *", min: 2}}
          - {{name: {long("q")}, cron: "0 4 * * *", min: 4}}
      ingress:
        - {{name: {long("g")}, loadBalancer: {long("b")}, paths: [/g]}}
        - {{name: {long("h")}, loadBalancer: {long("b")}, paths: [/h]}}
      deployment: {{canary: {{}}}}
  people:
    roles:
      - {{name: developer, preset: developer, principals: ["arn:aws:iam::123456789012:root"]}}
      - {{name: {long("k")}, preset: analyst, principals: ["arn:aws:iam::123456789012:root"]}}
  monitoring: {{notify: [{{name: {long("n")}, email: ops@example.com}}]}}
  delivery: {{github: {{repository: example/demo, oidcProvider: create}}}}
  environments: {{{"e" * 16}: {{}}}}
"""


def test_longest_names_fit():
    """With the longest names that are not refused, every physical name is within AWS's limit."""
    longest, seen = [], set()
    for text in (WITH_BUCKET, WITHOUT_BUCKET):
        (compilation,) = compile_pipeline(text, "pipeline.yaml")
        plan = compilation.plan
        longest.append(len(plan.prefix))
        templates = {stack.name: template(stack) for stack in plan.stacks}
        for (kind, key), limit in LONGEST.items():
            for stack, logical_id, body in resources(templates, kind):
                value = filled(body.get(key))
                if isinstance(value, str) and not value.startswith("ref-"):
                    seen.add(kind)
                    assert len(value) <= limit, f"{stack}.{logical_id}"
        # A stack's name has 128 characters at most, and so has a template's parameter 255.
        assert max(len(plan.stack_name(stack)) for stack in plan.stacks) <= 128
        assert max(len(each.name) for stack in plan.stacks for each in stack.parameters) <= 255
        assert max(len(each.logical_id) for stack in plan.stacks for each in stack.resources) <= 255
        assert not faults(templates)
    assert longest == [33, 49]
    assert {kind for kind, _ in LONGEST} - seen == UNNAMED


def test_alarms_can_speak():
    """The key of the topic that alarms publish to lets CloudWatch use it."""
    for name, templates in built().items():
        keys = [body for _, _, body in resources(templates, "AWS::KMS::Key")]
        text = json.dumps([key["KeyPolicy"] for key in keys])
        assert ("cloudwatch.amazonaws.com" in text) is bool(keys), name
        # A key policy that names a role would lose it when the role is replaced.
        assert '"Fn::GetAtt"' not in text, name
        for _, logical_id, body in resources(templates, "AWS::SNS::Topic"):
            # AWS's own key lets no other service use it: without a key of ours the topic has none.
            own = at(body, "KmsMasterKeyId", "Ref") == "Key"
            assert own if keys else "KmsMasterKeyId" not in body, f"{name}: {logical_id}"


def test_security_groups_do_not_wait_for_each_other():
    """Groups that name each other have rules of their own, or neither could be created first."""
    for name, stack, logical_id, body in every("AWS::EC2::SecurityGroup"):
        for key in ("SecurityGroupIngress", "SecurityGroupEgress"):
            for rule in maps(body.get(key)):
                # Somebody else's is there already, and waits for nobody.
                others = (rule.get(f"{way}SecurityGroupId", "") for way in ("Source", "Destination"))
                assert all(isinstance(each, str) for each in others), f"{name}: {stack}.{logical_id}"


def test_metrics_of_our_own_namespaces_are_known():
    """Every namespace of AWS's that is measured is one whose metrics are listed."""
    text = json.dumps([*built().values()])
    measured = {word for word in text.replace("\\", "").split('"') if word.startswith("AWS/")}
    measured |= {"ECS/ContainerInsights"} if "ECS/ContainerInsights" in text else set()
    assert measured <= set(METRICS)
