"""How requests reach a service: its target groups, the rules that lead there, and the ways between."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import GetAtt, Ref, ec2, ecs
from troposphere import elasticloadbalancingv2 as elb

from mlopsgen.components.services.spec import RouteSpec, ServiceSpec
from mlopsgen.components.workloads.spec import HealthCheckSpec, PortSpec
from mlopsgen.model.names import logical, weight_name
from mlopsgen.model.plan import Declaration, FlowEdge, Parameter
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body
from mlopsgen.model.workload import Route, Workload
from mlopsgen.parts.balancers import (
    Match,
    balancer_group,
    balancer_name,
    listener_arn,
    listener_rules,
    target_group_names,
)
from mlopsgen.parts.metrics import Targets, target_group
from mlopsgen.parts.network import ranges, vpc_id
from mlopsgen.parts.resource import Scope, publish

# Each task registers with its own port, so that this one is never asked; to change it would replace the group
# by an empty one (AWS::ElasticLoadBalancingV2::TargetGroup, "Update requires: Replacement").
ANY_PORT = 80

# ELB's word for what is spoken (Elastic Load Balancing user guide, "Protocol version"), the health check's
# path, and the code of a good answer.
_PROTOCOLS: dict[str, tuple[dict[str, str], str, dict[str, str]]] = {
    "http": ({}, "/health", {"HttpCode": "200"}),
    "http2": ({"ProtocolVersion": "HTTP2"}, "/health", {"HttpCode": "200"}),
    "grpc": ({"ProtocolVersion": "GRPC"}, "/grpc.health.v1.Health/Check", {"GrpcCode": "0"}),
}


def declare_routing(scope: Scope, service: Workload) -> Iterator[Declaration]:
    """For each route its target groups and rules; and the way from the load balancers to the tasks."""
    for route in service.routes:
        at = scope._replace(origin=route.origin)
        for logical_id in route.target_groups:
            yield at.resource(_target_group(scope.site, service, route.port, logical_id))
            if service.shifts:
                what = f"Share of route {route.name} that its rule sends to {logical_id} now, of 100"
                yield Parameter(service.stack, weight_name(logical_id), "Number", what)
        for rule in listener_rules(service, route):
            body = elb.ListenerRule(
                rule.logical_id,
                ListenerArn=listener_arn(route.spec.load_balancer),
                Priority=rule.priority,
                Conditions=list(_conditions(rule.match)),
                Actions=[_forward(route)],
            )
            yield at.resource(body)
        for reference, logical_id in zip(
            target_group_names(service, route), route.target_groups, strict=True
        ):
            kept = "a dashboard that is added later names it"
            yield publish(reference, target_group(logical_id), route.origin, kept=kept)
        yield FlowEdge(f"balancer:{route.spec.load_balancer}", service.name, _requests(route.spec))
    yield from _ways(scope.at("ingress"), service)


def callers(site: Site, service: Workload) -> Iterator[ec2.SecurityGroupRule]:
    """Who may connect to a service that has no route: the network, on each of its ports."""
    if service.routes:
        return
    for port in service.ports:
        for cidr in ranges(site):
            yield ec2.SecurityGroupRule(
                IpProtocol="tcp",
                FromPort=port.port,
                ToPort=port.port,
                CidrIp=cidr,
                Description="The network",
            )


def balancing(service: Workload) -> list[ecs.LoadBalancer]:
    """Which target groups ECS registers the tasks with."""
    return [_registered(service, route) for route in service.routes]


def rules_before(service: Workload) -> list[str]:
    """The rules that must be there before the service: without one a target group takes no service.

    Who shifts traffic names its rules, and so waits for them by itself.
    """
    if service.shifts:
        return []
    return [rule.logical_id for route in service.routes for rule in listener_rules(service, route)]


def targets_of(route: Route) -> list[Targets]:
    """The target groups of a route with its load balancer, as metrics in the same stack name them."""
    balancer = balancer_name(route.spec.load_balancer)
    return [(balancer, target_group(logical_id)) for logical_id in route.target_groups]


def _target_group(site: Site, service: Workload, port: PortSpec, logical_id: str) -> elb.TargetGroup:
    # A load balancer always asks its targets: turned off is ECS's own check.
    check = service.spec.health_check if isinstance(service.spec, ServiceSpec) else HealthCheckSpec()
    version, path, codes = _PROTOCOLS[port.app_protocol]
    attributes = {
        "deregistration_delay.timeout_seconds": str(service.stop_timeout),
        # Predictions differ in length: the next request goes where the fewest wait.
        "load_balancing.algorithm.type": "least_outstanding_requests",
        "stickiness.enabled": "false",
    }
    return elb.TargetGroup(
        logical_id,
        VpcId=vpc_id(site),
        TargetType="ip",
        Protocol="HTTP",
        Port=ANY_PORT,
        HealthCheckEnabled=True,
        HealthCheckProtocol="HTTP",
        HealthCheckPath=check.path or path,
        HealthCheckIntervalSeconds=check.interval,
        HealthCheckTimeoutSeconds=check.timeout,
        HealthyThresholdCount=check.healthy_threshold,
        UnhealthyThresholdCount=check.unhealthy_threshold,
        Matcher=elb.Matcher(**codes),
        TargetGroupAttributes=[
            elb.TargetGroupAttribute(Key=key, Value=value) for key, value in attributes.items()
        ],
        **version,
    )


def _conditions(match: Match) -> Iterator[elb.Condition]:
    if match.hosts:
        hosts = elb.HostHeaderConfig(Values=list(match.hosts))
        yield elb.Condition(Field="host-header", HostHeaderConfig=hosts)
    if match.path_values:
        paths = elb.PathPatternConfig(Values=list(match.path_values))
        yield elb.Condition(Field="path-pattern", PathPatternConfig=paths)


def _forward(route: Route) -> elb.ListenerRuleAction:
    """All to the one target group. With two, ECS moves the weights at each deployment.

    An update of the rule would put the template's in their place (aws-cdk issue 36649), so that whoever
    deploys passes those that live.
    """
    groups = route.target_groups
    if len(groups) == 1:
        return elb.ListenerRuleAction(Type="forward", TargetGroupArn=Ref(groups[0]))
    weights = [
        elb.TargetGroupTuple(TargetGroupArn=Ref(group), Weight=Ref(weight_name(group))) for group in groups
    ]
    return elb.ListenerRuleAction(Type="forward", ForwardConfig=elb.ForwardConfig(TargetGroups=weights))


def _registered(service: Workload, route: Route) -> ecs.LoadBalancer:
    first, *others = route.target_groups
    more: dict[str, Body] = {}
    if others:
        (rule,) = listener_rules(service, route)
        more["AdvancedConfiguration"] = ecs.AdvancedConfiguration(
            AlternateTargetGroupArn=Ref(others[0]),
            ProductionListenerRule=Ref(rule.logical_id),
            RoleArn=GetAtt("InfrastructureRole", "Arn"),
        )
    return ecs.LoadBalancer(
        ContainerName=service.name, ContainerPort=route.port.port, TargetGroupArn=Ref(first), **more
    )


def _requests(route: RouteSpec) -> str:
    """Which requests take the route, for the picture."""
    words = [f"{host}{path}" for host in route.hosts or ("",) for path in route.paths]
    return ", ".join(words)


def _ways(scope: Scope, service: Workload) -> Iterator[Declaration]:
    """In from each load balancer on each port that its routes lead to.

    Rules of their own, since the two groups name each other. Each logical id says all of its rule, so that
    no two of them ever say the same at once: the second would be refused.
    """
    ways = sorted({(route.spec.load_balancer, route.port.port) for route in service.routes})
    for name, port in ways:
        balancer = f"{logical(name)}LoadBalancer"
        yield scope.resource(
            ec2.SecurityGroupIngress(
                f"From{balancer}{port}",
                GroupId=Ref("SecurityGroup"),
                SourceSecurityGroupId=balancer_group(name),
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                Description=f"The {name} load balancer",
            )
        )
        yield scope.resource(
            ec2.SecurityGroupEgress(
                f"{balancer}ToTasks{port}",
                GroupId=balancer_group(name),
                DestinationSecurityGroupId=Ref("SecurityGroup"),
                IpProtocol="tcp",
                FromPort=port,
                ToPort=port,
                Description=f"Tasks of {service.name}",
            )
        )
