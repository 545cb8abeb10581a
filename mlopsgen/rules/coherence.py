"""What the parts of a finished template say together, where each by itself is fine.

As in `structure`: what is wrong without a patch is a bug of the compiler's, and no shape is taken for granted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from ipaddress import IPv4Network
from itertools import combinations

from mlopsgen.document import Read
from mlopsgen.rules.registry import TemplateFault, template_rule
from mlopsgen.rules.structure import Templates, at, maps, number, resources


@template_rule
def network_of_a_task(templates: Templates) -> Iterator[TemplateFault]:
    """Fargate gives each task a network interface, on which a port is itself (Amazon ECS API reference,
    TaskDefinition, PortMapping).
    """
    for stack, name, body in resources(templates, "AWS::ECS::TaskDefinition"):
        mode, compatible = body.get("NetworkMode"), body.get("RequiresCompatibilities")
        if isinstance(compatible, list) and "FARGATE" in compatible and mode != "awsvpc":
            yield TemplateFault(stack, name, f"Fargate takes the network mode `awsvpc` alone, not `{mode}`")
        for container in maps(body.get("ContainerDefinitions")):
            for port in maps(container.get("PortMappings")):
                host, inner = number(port.get("HostPort")), number(port.get("ContainerPort"))
                if mode == "awsvpc" and host is not None and inner is not None and host != inner:
                    message = f"maps port {host:g} of the host to {inner:g}; with `awsvpc` the two are one"
                    yield TemplateFault(stack, name, message)


@template_rule
def logs_of_a_task(templates: Templates) -> Iterator[TemplateFault]:
    """The driver `awslogs` is told where to write (Amazon ECS API reference, LogConfiguration)."""
    for stack, name, body in resources(templates, "AWS::ECS::TaskDefinition"):
        compatible = body.get("RequiresCompatibilities")
        needed = ["awslogs-group", "awslogs-region"]
        if isinstance(compatible, list) and "FARGATE" in compatible:
            needed.append("awslogs-stream-prefix")
        for container in maps(body.get("ContainerDefinitions")):
            logs = container.get("LogConfiguration")
            options = at(logs, "Options")
            missing = [each for each in needed if at(options, each) in (None, "")]
            if at(logs, "LogDriver") == "awslogs" and missing:
                message = f"`{container.get('Name')}` logs by `awslogs` without `{missing[0]}`"
                yield TemplateFault(stack, name, message)


@template_rule
def ranges_of_subnets(templates: Templates) -> Iterator[TemplateFault]:
    """Subnets lie in their VPC, and apart (Amazon VPC user guide, "Subnet CIDR blocks")."""
    for stack, template in templates.items():
        own = {stack: template}
        vpcs = {name: _range(body.get("CidrBlock")) for _, name, body in resources(own, "AWS::EC2::VPC")}
        subnets = [
            (name, each, at(body.get("VpcId"), "Ref"))
            for _, name, body in resources(own, "AWS::EC2::Subnet")
            if (each := _range(body.get("CidrBlock")))
        ]
        for name, each, vpc in subnets:
            whole = vpcs.get(vpc) if isinstance(vpc, str) else None
            if whole and not each.subnet_of(whole):
                yield TemplateFault(stack, name, f"its range {each} is not in the VPC's, {whole}")
        for (_, one, of), (name, other, vpc) in combinations(subnets, 2):
            if of == vpc and one.overlaps(other):
                yield TemplateFault(stack, name, f"its range {other} is in part another subnet's, {one}")


def _range(value: Read) -> IPv4Network | None:
    try:
        return IPv4Network(value, strict=False) if isinstance(value, str) else None
    except ValueError:
        return None


@template_rule
def zones_of_subnets(templates: Templates) -> Iterator[TemplateFault]:
    """All subnets of a stack go by the number of their zone, or all by its name: two ways can be one zone."""
    for stack, template in templates.items():
        named = {
            name: isinstance(body.get("AvailabilityZone"), str)
            for _, name, body in resources({stack: template}, "AWS::EC2::Subnet")
        }
        if len(set(named.values())) > 1:
            fixed = [name for name, each in named.items() if each]
            message = "names its zone, the others go by number: two subnets could come to lie in one zone"
            yield from (TemplateFault(stack, name, message) for name in fixed)


@template_rule
def zones_of_a_balancer(templates: Templates) -> Iterator[TemplateFault]:
    """An Application Load Balancer has subnets of two zones (Elastic Load Balancing API, CreateLoadBalancer)."""
    for stack, name, body in resources(templates, "AWS::ElasticLoadBalancingV2::LoadBalancer"):
        for field in ("Subnets", "SubnetMappings"):
            given = body.get(field)
            if body.get("Type", "application") != "application" or not isinstance(given, list):
                continue
            if len({json.dumps(each, sort_keys=True) for each in given}) < 2:
                yield TemplateFault(stack, name, f"`{field}` has {len(given)}; it needs two, of two zones")


@template_rule
def scaled_dimension(templates: Templates) -> Iterator[TemplateFault]:
    """What scales is of the service that scales it (Application Auto Scaling API, RegisterScalableTarget)."""
    for stack, name, body in resources(templates, "AWS::ApplicationAutoScaling::ScalableTarget"):
        namespace, dimension = body.get("ServiceNamespace"), body.get("ScalableDimension")
        if isinstance(dimension, str) and not dimension.startswith(f"{namespace}:"):
            yield TemplateFault(stack, name, f"`{dimension}` is not a dimension of `{namespace}`")
        target = body.get("ResourceId")
        text = at(target, "Fn::Sub") or target
        if namespace == "ecs" and isinstance(text, str) and not re.fullmatch(r"service/[^/]+/[^/]+", text):
            message = f"`{text}` is no service of ECS: `service/CLUSTER/SERVICE`"
            yield TemplateFault(stack, name, message)


@template_rule
def subscribers(templates: Templates) -> Iterator[TemplateFault]:
    """An endpoint is what its protocol delivers to (Amazon SNS API reference, Subscribe)."""
    forms = {
        "email": r"[^@\s<>,:]+@[^@\s<>,]+\.[^@\s<>,.]+",
        "email-json": r"[^@\s<>,:]+@[^@\s<>,]+\.[^@\s<>,.]+",
        "http": r"http://\S+",
        "https": r"https://\S+",
        "sqs": r"arn:\S+",
        "lambda": r"arn:\S+",
        "firehose": r"arn:\S+",
        "sms": r"\+?[\d-]+",
    }
    for stack, name, body in resources(templates, "AWS::SNS::Subscription"):
        protocol, endpoint = body.get("Protocol"), body.get("Endpoint")
        if not isinstance(protocol, str) or not isinstance(endpoint, str):
            continue
        if protocol not in {*forms, "application"}:
            yield TemplateFault(stack, name, f"SNS has no protocol `{protocol}`: {', '.join(sorted(forms))}")
        elif protocol in forms and not re.fullmatch(forms[protocol], endpoint):
            yield TemplateFault(stack, name, f"`{endpoint}` is nowhere to deliver to by `{protocol}`")


@template_rule
def kept_images(templates: Templates) -> Iterator[TemplateFault]:
    """A repository's lifecycle policy is one (Amazon ECR user guide, "Lifecycle policy properties")."""
    for stack, name, body in resources(templates, "AWS::ECR::Repository"):
        given = at(body, "LifecyclePolicy", "LifecyclePolicyText")
        if given is None or (not isinstance(given, str) and "LifecyclePolicy" in body and _function(given)):
            continue
        try:
            document = json.loads(given) if isinstance(given, str) else given
        except ValueError as error:
            yield TemplateFault(stack, name, f"its lifecycle policy is no JSON: {error}")
            continue
        rules = maps(at(document, "rules"))
        if not rules:
            yield TemplateFault(stack, name, "its lifecycle policy has no `rules`")
        for rule in rules:
            if fault := _lifecycle(rule):
                yield TemplateFault(stack, name, f"its lifecycle policy: {fault}")
        priorities = [str(rule.get("rulePriority")) for rule in rules]
        if len(set(priorities)) < len(priorities):
            yield TemplateFault(stack, name, "its lifecycle policy: two rules have one `rulePriority`")


def _function(value: Read) -> bool:
    return isinstance(value, dict) and any(str(each).startswith(("Fn::", "Ref")) for each in value)


def _lifecycle(rule: Mapping[str, Read]) -> str | None:
    """What is wrong with one rule of a lifecycle policy."""
    chosen = rule.get("selection")
    if number(rule.get("rulePriority")) is None:
        return "each rule has a `rulePriority`, a whole number"
    if at(rule, "action", "type") not in ("expire", "transition"):
        return "each rule has an `action` of type `expire` or `transition`"
    status, kind = at(chosen, "tagStatus"), at(chosen, "countType")
    if status not in ("tagged", "untagged", "any"):
        return f"`tagStatus` is `tagged`, `untagged` or `any`, not `{status}`"
    if status == "tagged" and not (at(chosen, "tagPrefixList") or at(chosen, "tagPatternList")):
        return "`tagStatus: tagged` needs `tagPatternList` or `tagPrefixList`"
    if kind not in ("imageCountMoreThan", "sinceImagePushed", "sinceImagePulled", "sinceImageTransitioned"):
        return f"there is no `countType` `{kind}`; `imageCountMoreThan`, `sinceImagePushed` are two"
    if (number(at(chosen, "countNumber")) or 0) < 1:
        return "`countNumber` is a whole number from 1"
    if (kind == "imageCountMoreThan") == (at(chosen, "countUnit") is not None):
        return "`countUnit: days` stands beside the counts of days, and beside no other"
    return None


@template_rule
def reached_endpoints(templates: Templates) -> Iterator[TemplateFault]:
    """An endpoint is in some subnet, or in some route table (Amazon EC2 API reference, CreateVpcEndpoint)."""
    for stack, name, body in resources(templates, "AWS::EC2::VPCEndpoint"):
        field = "SubnetIds" if body.get("VpcEndpointType") == "Interface" else "RouteTableIds"
        if body.get("VpcEndpointType", "Gateway") in ("Gateway", "Interface") and not body.get(field):
            yield TemplateFault(stack, name, f"without `{field}` nothing reaches it")


_GOALS = (
    "CarrierGatewayId", "CoreNetworkArn", "EgressOnlyInternetGatewayId", "GatewayId", "InstanceId",
    "LocalGatewayId", "NatGatewayId", "NetworkInterfaceId", "OdbNetworkArn", "TransitGatewayId",
    "VpcEndpointId", "VpcPeeringConnectionId",
)  # fmt: skip
_FROM = ("DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId")


@template_rule
def routes_lead_somewhere(templates: Templates) -> Iterator[TemplateFault]:
    """A route has one destination and one target (Amazon EC2 API reference, CreateRoute)."""
    for stack, name, body in resources(templates, "AWS::EC2::Route"):
        for what, fields in (("a target", _GOALS), ("a destination", _FROM)):
            found = [each for each in fields if each in body]
            if len(found) != 1:
                said = f"has {', '.join(found)}: a route has one of them" if found else f"is without {what}"
                yield TemplateFault(stack, name, said)


@template_rule
def periods(templates: Templates) -> Iterator[TemplateFault]:
    """A period is 10, 20 or 30 seconds or whole minutes (Amazon CloudWatch API reference, PutMetricAlarm)."""
    for stack, name, body in resources(templates, "AWS::CloudWatch::Alarm"):
        stats = (at(each, "MetricStat", "Period") for each in maps(body.get("Metrics")))
        for period in (body.get("Period"), *stats):
            seconds = number(period)
            if seconds is not None and seconds not in (10, 20, 30) and (seconds < 60 or seconds % 60):
                message = f"a period of {seconds:g} seconds: 10, 20, 30 and multiples of 60 are possible"
                yield TemplateFault(stack, name, message)


@template_rule
def ports_of_a_group(templates: Templates) -> Iterator[TemplateFault]:
    """A range of ports goes upwards, and TCP and UDP have one (Amazon EC2 API reference, IpPermission)."""
    rules: list[tuple[str, str, Mapping[str, Read]]] = [
        (stack, name, each)
        for stack, name, body in resources(templates, "AWS::EC2::SecurityGroup")
        for field in ("SecurityGroupIngress", "SecurityGroupEgress")
        for each in maps(body.get(field))
    ]
    for kind in ("Ingress", "Egress"):
        rules += resources(templates, f"AWS::EC2::SecurityGroup{kind}")
    for stack, name, rule in rules:
        low, high = number(rule.get("FromPort")), number(rule.get("ToPort"))
        if str(rule.get("IpProtocol")).lower() in ("tcp", "udp", "6", "17"):
            if "FromPort" not in rule or "ToPort" not in rule:
                yield TemplateFault(stack, name, "TCP and UDP need `FromPort` and `ToPort`")
            elif low is not None and high is not None and not 0 <= low <= high <= 65535:
                yield TemplateFault(stack, name, f"ports {low:g} to {high:g} are no range")
