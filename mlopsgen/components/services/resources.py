"""`spec.services`: each service's task, its place behind the load balancer, and how versions follow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from troposphere import GetAtt, Ref, ec2, ecs
from troposphere import elasticloadbalancingv2 as elb

from mlopsgen import iam
from mlopsgen.components.base import Component, Site
from mlopsgen.components.network import EVERYWHERE, Joined, join
from mlopsgen.components.wiring import TOPIC_ARN, publish, take
from mlopsgen.ecs import metrics
from mlopsgen.ecs.capacity import strategy
from mlopsgen.ecs.load_balancer import conditions, key, priorities
from mlopsgen.ecs.scaling import scales, scaling
from mlopsgen.ecs.task_definition import task
from mlopsgen.plan import Command, Edge, Grant, Part, Resource
from mlopsgen.source.node import Path
from mlopsgen.spec.services import IngressSpec, ServiceSpec

STRATEGIES = {"rolling": "ROLLING", "blueGreen": "BLUE_GREEN", "canary": "CANARY", "linear": "LINEAR"}
MINUTE = 60


def stack_of(service: ServiceSpec) -> str:
    """The stack of one service."""
    return f"serving-{service.name}"


def shifts(service: ServiceSpec) -> bool:
    """Whether a new version starts beside the old one and traffic moves between two target groups."""
    return service.ingress is not None and service.deployment.strategy != "rolling"


def target_groups(service: ServiceSpec) -> tuple[str, ...]:
    """The logical ids of its target groups."""
    if not service.ingress:
        return ()
    return ("TargetGroup", "AlternateTargetGroup") if shifts(service) else ("TargetGroup",)


class Services(Component):
    """One stack for each service."""

    def declare(self, site: Site) -> Iterator[Part]:
        order = priorities(site.services)
        for service in site.services:
            yield from _service(site, service, order.get(service.name))


def _service(site: Site, service: ServiceSpec, priority: int | None) -> Iterator[Part]:
    stack, origin = stack_of(service), ("spec", "services", service.name)
    yield from task(
        site,
        service,
        kind="service",
        stack=stack,
        origin=origin,
        environment=(("PORT", str(service.port)),),
        port=service.port,
        health=service.health_check,
    )
    network = join(site, stack)
    yield from network.parameters
    yield from _security_group(site, service, network, stack, origin)
    depends: tuple[str, ...] = ()
    if service.ingress and priority:
        yield from _ingress(site, service, service.ingress, priority, network, stack)
        # A target group that no rule leads to takes no service; who shifts traffic names the rule itself.
        depends = () if shifts(service) else ("ListenerRule",)
    body = ecs.Service(
        "Service",
        ServiceName=service.name,
        Cluster=site.cluster("serving"),
        TaskDefinition=Ref("TaskDefinition"),
        CapacityProviderStrategy=strategy(site, service),
        NetworkConfiguration=ecs.NetworkConfiguration(
            AwsvpcConfiguration=ecs.AwsvpcConfiguration(
                AssignPublicIp="DISABLED",
                SecurityGroups=[Ref("SecurityGroup")],
                Subnets=network.private_subnets,
            )
        ),
        DeploymentConfiguration=_deployment(site, service),
        EnableECSManagedTags=True,
        EnableExecuteCommand=False,
        PropagateTags="SERVICE",
        **_placement(service),
        **_balancing(service),
        # With scaling, a count in the template would undo it at every deployment.
        **({} if scales(service) else {"DesiredCount": service.replicas.min}),
        **({"DependsOn": list(depends)} if depends else {}),
    )
    yield Resource(stack, "Service", body, origin)
    yield from scaling(site, service, stack, origin)
    if service.ingress:
        yield from _rollback_alarms(site, service, stack)
        yield from _infrastructure_role(site, service, stack, origin)
        groups = [metrics.target_group(group) for group in target_groups(service)]
        for name, group in zip(("TargetGroup", "AlternateTargetGroup"), groups, strict=False):
            what = group_key(service, name)
            yield publish(site, stack, f"{name}Parameter", what, group, (*origin, "ingress"))
    yield _restart(site, service)


def group_key(service: ServiceSpec, name: str) -> str:
    """The SSM key under which a service's target group tells its full name to dashboards."""
    suffix = "alternate-target-group" if name.startswith("Alternate") else "target-group"
    return f"serving/{service.name}/{suffix}"


def _security_group(
    site: Site, service: ServiceSpec, network: Joined, stack: str, origin: Path
) -> Iterator[Part]:
    """In from the load balancer, or from the network if there is none; out to HTTPS."""
    rules = {}
    if not service.ingress:
        rules["SecurityGroupIngress"] = [
            ec2.SecurityGroupRule(
                IpProtocol="tcp",
                FromPort=service.port,
                ToPort=service.port,
                CidrIp=network.cidr,
                Description="The network",
            )
        ]
    body = ec2.SecurityGroup(
        "SecurityGroup",
        VpcId=network.vpc_id,
        GroupDescription=f"Tasks of {service.name}",
        SecurityGroupEgress=[
            ec2.SecurityGroupRule(
                IpProtocol="tcp", FromPort=443, ToPort=443, CidrIp=EVERYWHERE, Description="HTTPS"
            )
        ],
        **rules,
    )
    yield Resource(stack, "SecurityGroup", body, origin)
    if not service.ingress:
        return
    balancer, parameter = take(
        site,
        stack,
        "LoadBalancerSecurityGroupId",
        key(service.ingress.scheme, "security-group-id"),
        "AWS::EC2::SecurityGroup::Id",
        "The load balancer's security group",
    )
    yield parameter
    # Rules of their own, since the two groups name each other.
    into = ec2.SecurityGroupIngress(
        "FromLoadBalancer",
        GroupId=Ref("SecurityGroup"),
        SourceSecurityGroupId=balancer,
        IpProtocol="tcp",
        FromPort=service.port,
        ToPort=service.port,
        Description="The load balancer",
    )
    yield Resource(stack, "FromLoadBalancer", into, (*origin, "ingress"))
    out_of = ec2.SecurityGroupEgress(
        "ToTasks",
        GroupId=balancer,
        DestinationSecurityGroupId=Ref("SecurityGroup"),
        IpProtocol="tcp",
        FromPort=service.port,
        ToPort=service.port,
        Description=f"Tasks of {service.name}",
    )
    yield Resource(stack, "ToTasks", out_of, (*origin, "ingress"))


def _ingress(
    site: Site, service: ServiceSpec, ingress: IngressSpec, priority: int, network: Joined, stack: str
) -> Iterator[Part]:
    origin = ("spec", "services", service.name, "ingress")
    listener, parameter = take(
        site, stack, "ListenerArn", key(ingress.scheme, "listener-arn"), "String", "The listener"
    )
    yield parameter
    if _alarm_names(site, service) or {"latency", "requestsPerTarget"} & {
        each.metric for each in service.autoscaling
    }:
        full_name = key(ingress.scheme, "load-balancer-full-name")
        what = "The load balancer, as metrics name it"
        yield take(site, stack, "LoadBalancerFullName", full_name, "String", what)[1]
    check = service.health_check
    attributes = {
        "deregistration_delay.timeout_seconds": str(service.stop_timeout),
        # Predictions differ in length: the next request goes where the fewest wait.
        "load_balancing.algorithm.type": "least_outstanding_requests",
        "stickiness.enabled": "false",
    }
    for name in target_groups(service):
        group = elb.TargetGroup(
            name,
            VpcId=network.vpc_id,
            TargetType="ip",
            Protocol="HTTP",
            Port=service.port,
            HealthCheckEnabled=True,
            HealthCheckProtocol="HTTP",
            HealthCheckPath=check.path,
            HealthCheckIntervalSeconds=check.interval,
            HealthCheckTimeoutSeconds=check.timeout,
            HealthyThresholdCount=check.healthy_threshold,
            UnhealthyThresholdCount=check.unhealthy_threshold,
            Matcher=elb.Matcher(HttpCode="200"),
            TargetGroupAttributes=[
                elb.TargetGroupAttribute(Key=key_, Value=value) for key_, value in attributes.items()
            ],
        )
        yield Resource(stack, name, group, origin)
    rule = elb.ListenerRule(
        "ListenerRule",
        ListenerArn=listener,
        Priority=priority,
        Conditions=conditions(ingress),
        Actions=[_forward(service)],
    )
    yield Resource(stack, "ListenerRule", rule, origin)
    yield Edge(f"balancer:{ingress.scheme}", service.name, (ingress.host or "") + ingress.path)


def _forward(service: ServiceSpec) -> elb.ListenerRuleAction:
    """All to the one target group; with two, ECS moves the weights at each deployment."""
    groups = target_groups(service)
    if len(groups) == 1:
        return elb.ListenerRuleAction(Type="forward", TargetGroupArn=Ref(groups[0]))
    weights = [
        elb.TargetGroupTuple(TargetGroupArn=Ref(group), Weight=weight)
        for group, weight in zip(groups, (100, 0), strict=True)
    ]
    return elb.ListenerRuleAction(Type="forward", ForwardConfig=elb.ForwardConfig(TargetGroups=weights))


def _balancing(service: ServiceSpec) -> dict[str, Any]:
    if not service.ingress:
        return {}
    balancer = ecs.LoadBalancer(
        ContainerName=service.name, ContainerPort=service.port, TargetGroupArn=Ref("TargetGroup")
    )
    if shifts(service):
        balancer.AdvancedConfiguration = ecs.AdvancedConfiguration(
            AlternateTargetGroupArn=Ref("AlternateTargetGroup"),
            ProductionListenerRule=Ref("ListenerRule"),
            RoleArn=GetAtt("InfrastructureRole", "Arn"),
        )
    return {
        "HealthCheckGracePeriodSeconds": service.health_check.start_period,
        "LoadBalancers": [balancer],
    }


def _deployment(site: Site, service: ServiceSpec) -> ecs.DeploymentConfiguration:
    spec = service.deployment
    minimum, maximum = _room(service)
    configuration = ecs.DeploymentConfiguration(
        Strategy=STRATEGIES[spec.strategy], MinimumHealthyPercent=minimum, MaximumPercent=maximum
    )
    if spec.strategy == "rolling":
        configuration.DeploymentCircuitBreaker = ecs.DeploymentCircuitBreaker(
            Enable=spec.rollback.on_failure, Rollback=spec.rollback.on_failure
        )
    else:
        configuration.BakeTimeInMinutes = spec.bake_time // MINUTE
    if spec.strategy == "canary":
        configuration.CanaryConfiguration = ecs.CanaryConfiguration(
            CanaryPercent=spec.percent, CanaryBakeTimeInMinutes=spec.step_time // MINUTE
        )
    if spec.strategy == "linear":
        configuration.LinearConfiguration = ecs.LinearConfiguration(
            StepPercent=spec.percent, StepBakeTimeInMinutes=spec.step_time // MINUTE
        )
    alarms = _alarm_names(site, service)
    if alarms and spec.rollback.on_alarms:
        configuration.Alarms = ecs.DeploymentAlarms(
            AlarmNames=[Ref(name) for name in alarms], Enable=True, Rollback=True
        )
    return configuration


def _alarm_names(site: Site, service: ServiceSpec) -> list[str]:
    """The logical ids of the alarms that look at what callers see."""
    spec = site.spec.monitoring.alarms
    wanted = {"ErrorRateAlarm": spec.error_rate, "LatencyAlarm": spec.latency}
    return [name for name, threshold in wanted.items() if service.ingress and threshold is not None]


def _room(service: ServiceSpec) -> tuple[int, int]:
    """How far a deployment may go below and above the wanted tasks, in percent.

    New tasks start before old ones stop, unless the instances have no room for both.
    """
    instances = service.compute.ec2.max_instances if service.compute.ec2 else None
    if instances is not None and instances <= service.replicas.min:
        return (50 if service.replicas.min > 1 else 0, 100)
    return (100, 200)


def _placement(service: ServiceSpec) -> dict[str, Any]:
    """Over all zones; on instances also as few of them as hold the tasks."""
    balanced = {"AvailabilityZoneRebalancing": "ENABLED" if _room(service)[1] > 100 else "DISABLED"}
    if not service.compute.ec2:
        return balanced
    return balanced | {
        "PlacementStrategies": [
            ecs.PlacementStrategy(Type="spread", Field="attribute:ecs.availability-zone"),
            ecs.PlacementStrategy(Type="binpack", Field="memory"),
        ]
    }


def _rollback_alarms(site: Site, service: ServiceSpec, stack: str) -> Iterator[Part]:
    """Errors and latency as callers see them.

    They name the load balancer's dimensions: the service's own would make it wait for its own alarm.
    """
    if not _alarm_names(site, service):
        return
    spec, origin = site.spec.monitoring.alarms, ("spec", "monitoring", "alarms")
    topic, parameter = take(site, stack, "TopicArn", TOPIC_ARN, "String", "Who hears of alarms")
    yield parameter
    balancer = Ref("LoadBalancerFullName")
    groups = [metrics.target_group(group) for group in target_groups(service)]
    if spec.error_rate is not None:
        errors = metrics.over_targets("HTTPCode_Target_5XX_Count", "Sum", balancer, groups, prefix="e")
        requests = metrics.over_targets("RequestCount", "Sum", balancer, groups, prefix="r")
        total = metrics.added(requests)
        rate = f"IF({total} > 0, 100 * ({metrics.added(errors)}) / ({total}), 0)"
        body = metrics.alarm(
            "ErrorRateAlarm",
            f"{service.name} answers more than {spec.error_rate:g}% of requests with 5xx",
            topic=topic,
            threshold=spec.error_rate,
            periods=3,
            queries=[*errors, *requests, metrics.expression("rate", rate, "5xx in percent")],
        )
        yield Resource(stack, "ErrorRateAlarm", body, (*origin, "errorRate"))
    if spec.latency is not None:
        times = metrics.over_targets("TargetResponseTime", "p99", balancer, groups, prefix="t")
        worst = f"MAX([{', '.join(metrics.ids(times))}])"
        body = metrics.alarm(
            "LatencyAlarm",
            f"The slowest hundredth of {service.name}'s answers takes more than {spec.latency} ms",
            topic=topic,
            threshold=spec.latency / 1000,
            periods=3,
            queries=[*times, metrics.expression("worst", worst, "p99 in seconds")],
        )
        yield Resource(stack, "LatencyAlarm", body, (*origin, "latency"))


def _infrastructure_role(site: Site, service: ServiceSpec, stack: str, origin: Path) -> Iterator[Part]:
    """With which ECS moves traffic between the two target groups."""
    if not shifts(service):
        return
    groups = tuple(Ref(group) for group in target_groups(service))
    yield from iam.role(
        site,
        stack=stack,
        logical_id="InfrastructureRole",
        name=f"{service.name}: ECS, to move traffic",
        kind="service",
        trust=iam.trust_service("ecs.amazonaws.com", site),
        grants=(
            Grant(
                ("elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"),
                groups,
                "register tasks",
            ),
            Grant(
                ("elasticloadbalancing:ModifyListener", "elasticloadbalancing:ModifyRule"),
                (Ref("ListenerRule"), Ref("ListenerArn")),
                "move traffic",
            ),
            Grant(
                (
                    "elasticloadbalancing:DescribeListeners",
                    "elasticloadbalancing:DescribeRules",
                    "elasticloadbalancing:DescribeTargetGroups",
                    "elasticloadbalancing:DescribeTargetHealth",
                ),
                ("*",),
                "see the load balancer",
                reason="Elastic Load Balancing's Describe actions know no resources",
            ),
        ),
        description=f"Lets ECS move the traffic of {service.name} to a new version",
        origin=(*origin, "deployment"),
    )


def _restart(site: Site, service: ServiceSpec) -> Command:
    region = site.spec.aws.region
    at = f"--region {region} --cluster {site.cluster('serving')}"
    return Command(
        "Services",
        f"See and restart {service.name} in {site.environment}",
        (
            f"aws ecs describe-services {at} --services {service.name}",
            f"aws ecs update-service {at} --service {service.name} --force-new-deployment",
            f"aws logs tail {site.log_group(service.name)} --region {region} --follow",
        ),
    )
