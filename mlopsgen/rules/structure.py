"""What linters miss in finished templates: faults that only a deployment, or nothing at all, would show.

They run in each build: what is wrong without a patch is a bug of the compiler's. A rule gets all templates of
an environment and takes no shape for granted: a patch can put anything anywhere.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TypeAlias

from mlopsgen.aws import fargate
from mlopsgen.document import Read, Template
from mlopsgen.parts.references import referred, waits_for
from mlopsgen.rules.registry import TemplateFault, template_rule

Templates: TypeAlias = Mapping[str, Template]
"""Each stack's template by the stack's name."""


def resources(templates: Templates, kind: str) -> Iterator[tuple[str, str, Mapping[str, Read]]]:
    """(stack, logical id, properties) of each resource of a type."""
    for stack, template in templates.items():
        for name, body in template["Resources"].items():
            if body["Type"] == kind:
                yield stack, name, body.get("Properties", {})


def at(value: Read, *path: str) -> Read:
    """What lies at `path` of nested maps, or None where there is none."""
    for step in path:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def maps(value: Read) -> list[dict[str, Read]]:
    """The maps of a list, or none if it is no list."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _target(templates: Templates, stack: str, value: Read) -> Mapping[str, Read] | None:
    """The properties of the resource of the same stack that `value` is a `Ref` to."""
    name = at(value, "Ref")
    body = templates[stack]["Resources"].get(name) if isinstance(name, str) else None
    return body.get("Properties", {}) if body else None


def number(value: Read) -> float | None:
    """A number, or a string that is one, as CloudFormation takes both."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
        return int(value)
    # A larger one is no number of any property, and has no float.
    return value if isinstance(value, int | float) and abs(value) < 1e15 else None


_PSEUDO = frozenset(
    f"AWS::{name}"
    for name in (
        "AccountId", "NoValue", "NotificationARNs", "Partition", "Region", "StackId", "StackName",
        "URLSuffix",
    )
)  # fmt: skip


@template_rule
def references(templates: Templates) -> Iterator[TemplateFault]:
    """What a property refers to is in the same template."""
    for stack, template in templates.items():
        known = {*template["Resources"], *template.get("Parameters", {}), *_PSEUDO}
        for name, body in template["Resources"].items():
            for word in dict.fromkeys(referred(body.get("Properties"))):
                if word not in known:
                    yield TemplateFault(
                        stack, name, f"refers to `{word}`, which stack `{stack}` does not have"
                    )


@template_rule
def balancer_names(templates: Templates) -> Iterator[TemplateFault]:
    """Names of load balancers and target groups (Elastic Load Balancing API, CreateLoadBalancer)."""
    for kind in ("LoadBalancer", "TargetGroup"):
        for stack, name, body in resources(templates, f"AWS::ElasticLoadBalancingV2::{kind}"):
            given = body.get("Name")
            if not isinstance(given, str):
                continue
            if len(given) > 32:
                yield TemplateFault(stack, name, f"`{given}` has {len(given)} characters; AWS takes 32")
            if given.startswith("internal-") or not re.fullmatch(
                r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?", given
            ):
                message = (
                    f"`{given}` is no name for it: letters, digits and hyphens, not starting `internal-`"
                )
                yield TemplateFault(stack, name, message)


@template_rule
def container_of_the_service(templates: Templates) -> Iterator[TemplateFault]:
    """The container and port that the load balancer asks are those of the task definition."""
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        definition = _target(templates, stack, body.get("TaskDefinition"))
        if definition is None:
            continue
        ports = {
            each.get("Name"): {number(port.get("ContainerPort")) for port in maps(each.get("PortMappings"))}
            for each in maps(definition.get("ContainerDefinitions"))
            if isinstance(each.get("Name"), str)
        }
        for balancer in maps(body.get("LoadBalancers")):
            container, port = balancer.get("ContainerName"), balancer.get("ContainerPort")
            if not isinstance(container, str) or container not in ports:
                yield TemplateFault(
                    stack, name, f"asks container `{container}`, which the task does not have"
                )
            elif number(port) not in ports[container]:
                yield TemplateFault(stack, name, f"asks port {port}, which `{container}` does not open")


@template_rule
def target_type(templates: Templates) -> Iterator[TemplateFault]:
    """Tasks with network interfaces of their own are targets by address."""
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        definition = _target(templates, stack, body.get("TaskDefinition")) or {}
        for balancer in maps(body.get("LoadBalancers")):
            group = _target(templates, stack, balancer.get("TargetGroupArn"))
            if group is None or definition.get("NetworkMode") != "awsvpc":
                continue
            if group.get("TargetType", "instance") != "ip":
                message = (
                    "its tasks have addresses of their own (awsvpc): the target group's type must be `ip`"
                )
                yield TemplateFault(stack, str(at(balancer, "TargetGroupArn", "Ref") or name), message)


@template_rule
def launch_type(templates: Templates) -> Iterator[TemplateFault]:
    """Either a launch type or a capacity provider strategy (Amazon ECS API reference, CreateService)."""
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        if "LaunchType" in body and body.get("CapacityProviderStrategy"):
            yield TemplateFault(
                stack, name, "has `LaunchType` and `CapacityProviderStrategy`: ECS takes one of them"
            )


@template_rule
def sizes_on_fargate(templates: Templates) -> Iterator[TemplateFault]:
    """Fargate has no GPUs, and certain sizes."""
    for stack, name, body in resources(templates, "AWS::ECS::TaskDefinition"):
        compatible = body.get("RequiresCompatibilities")
        if not isinstance(compatible, list) or "FARGATE" not in compatible:
            continue
        for container in maps(body.get("ContainerDefinitions")):
            if any(each.get("Type") == "GPU" for each in maps(container.get("ResourceRequirements"))):
                yield TemplateFault(
                    stack, name, f"asks for a GPU in `{container.get('Name')}`: Fargate has none"
                )
        cpu, memory = number(body.get("Cpu")), number(body.get("Memory"))
        if cpu is None or memory is None or memory not in fargate.MEMORY.get(int(cpu), ()):
            sizes = f"{body.get('Cpu')} CPU units with {body.get('Memory')} MiB"
            yield TemplateFault(stack, name, f"Fargate has no size of {sizes}")


@template_rule
def containers(templates: Templates) -> Iterator[TemplateFault]:
    """A task has containers, each with a name and an image, and one that it lives and ends with."""
    for stack, name, body in resources(templates, "AWS::ECS::TaskDefinition"):
        given = body.get("ContainerDefinitions")
        listed = maps(given)
        if not listed or not isinstance(given, list) or len(listed) != len(given):
            yield TemplateFault(stack, name, "`ContainerDefinitions` must be a list of containers")
            continue
        names = [each.get("Name") for each in listed]
        if not all(isinstance(each, str) for each in names) or len(set(map(str, names))) < len(names):
            yield TemplateFault(stack, name, "each container needs a name of its own")
        if not all(each.get("Image") for each in listed):
            yield TemplateFault(stack, name, "each container needs an image")
        if not any(each.get("Essential", True) in (True, "true") for each in listed):
            yield TemplateFault(stack, name, "one container must be essential")


@template_rule
def shifted_traffic(templates: Templates) -> Iterator[TemplateFault]:
    """A deployment that shifts traffic has somewhere to shift it, the rule that does, and the right to."""
    needed = ("AlternateTargetGroupArn", "ProductionListenerRule", "RoleArn")
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        strategy = at(body, "DeploymentConfiguration", "Strategy")
        if strategy not in ("BLUE_GREEN", "CANARY", "LINEAR"):
            continue
        balancers = maps(body.get("LoadBalancers"))
        missing = [
            each
            for each in needed
            for balancer in balancers
            if not at(balancer, "AdvancedConfiguration", each)
        ]
        if not balancers or missing:
            what = ", ".join(dict.fromkeys(missing)) or "a load balancer"
            yield TemplateFault(stack, name, f"deploys by {strategy} without {what}")


@template_rule
def waits_for_its_rule(templates: Templates) -> Iterator[TemplateFault]:
    """ECS refuses a target group that no listener has: the service comes after its listener rule."""
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        rules = {each for _, each, _ in resources({stack: templates[stack]}, _RULE)}
        late = rules - waits_for(templates[stack]["Resources"][name]) if body.get("LoadBalancers") else set()
        if late:
            yield TemplateFault(stack, name, f"does not wait for `{min(late)}`")


_RULE = "AWS::ElasticLoadBalancingV2::ListenerRule"


@template_rule
def grace_period(templates: Templates) -> Iterator[TemplateFault]:
    """A grace period is one of checks, by a load balancer or in a container (Amazon ECS API reference,
    CreateService).
    """
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        definition = _target(templates, stack, body.get("TaskDefinition")) or {}
        checked = any("HealthCheck" in each for each in maps(definition.get("ContainerDefinitions")))
        if "HealthCheckGracePeriodSeconds" in body and not body.get("LoadBalancers") and not checked:
            yield TemplateFault(stack, name, "has a grace period for checks, but nothing checks its tasks")


@template_rule
def scaled_count(templates: Templates) -> Iterator[TemplateFault]:
    """A count in the template would undo what scaling did, at each deployment."""
    scaled = {each for each, _, _ in resources(templates, "AWS::ApplicationAutoScaling::ScalableTarget")}
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        if "DesiredCount" in body and stack in scaled:
            yield TemplateFault(
                stack, name, "has `DesiredCount`, which would undo scaling at each deployment"
            )


@template_rule
def room_to_deploy(templates: Templates) -> Iterator[TemplateFault]:
    """A rolling deployment may stop a task or start one more."""
    for stack, name, body in resources(templates, "AWS::ECS::Service"):
        least = number(at(body, "DeploymentConfiguration", "MinimumHealthyPercent"))
        most = number(at(body, "DeploymentConfiguration", "MaximumPercent"))
        if least is not None and most is not None and least >= most:
            message = (
                f"must keep {least:g}% of its tasks and have {most:g}% at most: no deployment could begin"
            )
            yield TemplateFault(stack, name, message)


@template_rule
def fewest_above_most(templates: Templates) -> Iterator[TemplateFault]:
    """The fewest are not more than the most."""
    for kind, low, high in (
        ("AWS::ApplicationAutoScaling::ScalableTarget", "MinCapacity", "MaxCapacity"),
        ("AWS::AutoScaling::AutoScalingGroup", "MinSize", "MaxSize"),
    ):
        for stack, name, body in resources(templates, kind):
            least, most = number(body.get(low)), number(body.get(high))
            if least is not None and most is not None and least > most:
                yield TemplateFault(stack, name, f"{low} {least:g} is above {high} {most:g}")


@template_rule
def datapoints(templates: Templates) -> Iterator[TemplateFault]:
    """An alarm can look at as many points as it evaluates."""
    for stack, name, body in resources(templates, "AWS::CloudWatch::Alarm"):
        points, periods = number(body.get("DatapointsToAlarm")), number(body.get("EvaluationPeriods"))
        if points is not None and periods is not None and points > periods:
            message = (
                f"needs {points:g} datapoints of {periods:g}: DatapointsToAlarm is above EvaluationPeriods"
            )
            yield TemplateFault(stack, name, message)


METRICS = {
    "AWS/ApplicationELB": frozenset((
        "ActiveConnectionCount", "AnomalousHostCount", "ClientTLSNegotiationErrorCount", "ConsumedLCUs",
        "HealthyHostCount", "HealthyStateDNS", "HealthyStateRouting", "HTTP_Fixed_Response_Count",
        "HTTP_Redirect_Count", "HTTPCode_ELB_3XX_Count", "HTTPCode_ELB_4XX_Count", "HTTPCode_ELB_500_Count",
        "HTTPCode_ELB_502_Count", "HTTPCode_ELB_503_Count", "HTTPCode_ELB_504_Count",
        "HTTPCode_ELB_5XX_Count", "HTTPCode_Target_2XX_Count", "HTTPCode_Target_3XX_Count",
        "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count", "MitigatedHostCount", "NewConnectionCount",
        "PeakLCUs", "ProcessedBytes", "RejectedConnectionCount", "RequestCount", "RequestCountPerTarget",
        "RuleEvaluations", "TargetConnectionErrorCount", "TargetResponseTime",
        "TargetTLSNegotiationErrorCount", "UnHealthyHostCount", "UnhealthyRoutingRequestCount",
        "UnhealthyStateDNS", "UnhealthyStateRouting",
    )),
    "AWS/ECS": frozenset((
        "ActiveConnectionCount", "ClientTLSNegotiationErrorCount", "CPUReservation", "CPUUtilization",
        "EBSFilesystemUtilization", "GPUReservation", "HTTPCode_Target_2XX_Count",
        "HTTPCode_Target_3XX_Count", "HTTPCode_Target_4XX_Count", "HTTPCode_Target_5XX_Count",
        "MemoryReservation", "MemoryUtilization", "NewConnectionCount", "ProcessedBytes", "RequestCount",
        "RequestCountPerTarget", "TargetResponseTime", "TargetTLSNegotiationErrorCount",
    )),
    "AWS/Events": frozenset((
        "DeadLetterInvocations", "FailedInvocations", "IngestionToInvocationCompleteLatency",
        "IngestionToInvocationStartLatency", "InvocationAttempts", "Invocations",
        "InvocationsFailedToBeSentToDlq", "InvocationsSentToDlq", "MatchedEvents",
        "RetryInvocationAttempts", "SuccessfulInvocationAttempts",
        "ThrottledRules", "TriggeredRules",
    )),
    "AWS/Logs": frozenset((
        "DeliveryErrors", "DeliveryThrottling", "EMFParsingErrors", "EMFValidationErrors", "ErrorCount",
        "ForwardedBytes", "ForwardedLogEvents", "IncomingBytes", "IncomingLogEvents", "ThrottleCount",
    )),
    "AWS/SQS": frozenset((
        "ApproximateAgeOfOldestMessage", "ApproximateNumberOfGroupsWithInflightMessages",
        "ApproximateNumberOfMessagesDelayed", "ApproximateNumberOfMessagesNotVisible",
        "ApproximateNumberOfMessagesVisible", "NumberOfDeduplicatedSentMessages", "NumberOfEmptyReceives",
        "NumberOfMessagesDeleted", "NumberOfMessagesReceived", "NumberOfMessagesSent", "SentMessageSize",
    )),
    "AWS/Scheduler": frozenset((
        "InvocationAttemptCount", "InvocationDroppedCount", "InvocationThrottleCount",
        "InvocationsFailedToBeSentToDeadLetterCount",
        "InvocationsSentToDeadLetterCount", "InvocationsSentToDeadLetterCount_Truncated_MessageSizeExceeded",
        "TargetErrorCount", "TargetErrorThrottledCount",
    )),
    "ECS/ContainerInsights": frozenset((
        "ContainerCpuReserved", "ContainerCpuUtilization", "ContainerCpuUtilized", "ContainerInstanceCount",
        "ContainerMemoryReserved", "ContainerMemoryUtilization", "ContainerMemoryUtilized", "CpuReserved",
        "CpuUtilized", "DeploymentCount", "DesiredTaskCount", "EBSFilesystemSize", "EBSFilesystemUtilized",
        "EphemeralStorageReserved", "EphemeralStorageUtilized", "MemoryReserved", "MemoryUtilized",
        "NetworkRxBytes", "NetworkTxBytes", "PendingTaskCount", "RestartCount", "RunningTaskCount",
        "ServiceCount", "StorageReadBytes", "StorageWriteBytes", "TaskCount", "TaskCpuUtilization",
        "TaskMemoryUtilization", "TaskSetCount", "UnHealthyContainerHealthStatus",
        "instance_cpu_limit", "instance_cpu_reserved_capacity", "instance_cpu_usage_total",
        "instance_cpu_utilization", "instance_filesystem_utilization", "instance_memory_limit",
        "instance_memory_reserved_capacity", "instance_memory_utilization",
        "instance_memory_working_set", "instance_network_total_bytes", "instance_number_of_running_tasks",
    )),
}  # fmt: skip
"""The metrics of each namespace, as the services' own guides list them; of others nothing is known."""


@template_rule
def metric_names(templates: Templates) -> Iterator[TemplateFault]:
    """A metric that does not exist never has data, and an alarm on it never rings."""
    for kind in ("AWS::CloudWatch::Alarm", "AWS::ApplicationAutoScaling::ScalingPolicy"):
        for stack, name, body in resources(templates, kind):
            for namespace, metric in _measured(body):
                if metric not in METRICS.get(namespace, {metric}):
                    yield TemplateFault(stack, name, f"{namespace} has no metric `{metric}`")


def _measured(value: Read) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            namespace, metric = value.get("Namespace"), value.get("MetricName")
            if isinstance(namespace, str) and isinstance(metric, str):
                yield namespace, metric
            for each in value.values():
                yield from _measured(each)
        case list():
            for each in value:
                yield from _measured(each)


@template_rule
def dashboards(templates: Templates) -> Iterator[TemplateFault]:
    """A dashboard's body is JSON, and its metrics exist."""
    for stack, name, body in resources(templates, "AWS::CloudWatch::Dashboard"):
        given = body.get("DashboardBody")
        text = at(given, "Fn::Sub") or given
        if isinstance(text, list) and text:
            text = text[0]
        try:
            document = json.loads(text) if isinstance(text, str) else None
        except ValueError as error:
            yield TemplateFault(stack, name, f"its body is no JSON: {error}")
            continue
        for widget in maps(at(document, "widgets")):
            lines = at(widget, "properties", "metrics")
            for line in lines if isinstance(lines, list) else ():
                match line:
                    case [str(namespace), str(metric), *_] if metric not in METRICS.get(namespace, {metric}):
                        yield TemplateFault(stack, name, f"{namespace} has no metric `{metric}`")


@template_rule
def transitions(templates: Templates) -> Iterator[TemplateFault]:
    """Classes for infrequent access take objects of 30 days and more."""
    for stack, name, body in resources(templates, "AWS::S3::Bucket"):
        for rule in maps(at(body, "LifecycleConfiguration", "Rules")):
            for each in maps(rule.get("Transitions")):
                days = number(each.get("TransitionInDays"))
                if each.get("StorageClass") in ("STANDARD_IA", "ONEZONE_IA") and (days or 0) < 30:
                    message = f"moves objects to {each['StorageClass']} before they are 30 days old"
                    yield TemplateFault(stack, name, message)


@template_rule
def attached_gateway(templates: Templates) -> Iterator[TemplateFault]:
    """A route to an internet gateway waits until the gateway is attached."""
    for stack, name, body in resources(templates, "AWS::EC2::Route"):
        attachments = {each for _, each, _ in resources({stack: templates[stack]}, _ATTACHMENT)}
        if (
            "GatewayId" in body
            and attachments
            and not attachments & waits_for(templates[stack]["Resources"][name])
        ):
            yield TemplateFault(stack, name, f"does not wait for `{min(attachments)}`")


_ATTACHMENT = "AWS::EC2::VPCGatewayAttachment"


@template_rule
def log_bucket_encryption(templates: Templates) -> Iterator[TemplateFault]:
    """Load balancers cannot write to a bucket with a KMS key (Elastic Load Balancing user guide)."""
    if not any(resources(templates, "AWS::ElasticLoadBalancingV2::LoadBalancer")):
        return
    for stack, name, body in resources(templates, "AWS::S3::Bucket"):
        rules = maps(at(body, "BucketEncryption", "ServerSideEncryptionConfiguration"))
        algorithms = {at(each, "ServerSideEncryptionByDefault", "SSEAlgorithm") for each in rules}
        if name == "LogBucket" and algorithms - {"AES256", None}:
            yield TemplateFault(
                stack, name, "is encrypted with a KMS key, with which load balancers cannot write logs"
            )
