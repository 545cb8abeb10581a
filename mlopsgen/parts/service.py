"""An ECS service: how many tasks of a workload run, where, and how a new version takes over."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from troposphere import Ref, ec2, ecs

from mlopsgen.model.binding import Binding
from mlopsgen.model.plan import Command, Resource
from mlopsgen.model.site import Site
from mlopsgen.model.workload import Workload
from mlopsgen.parts.capacity import strategy
from mlopsgen.parts.container import LONGEST_START, given, health_command
from mlopsgen.parts.network import private_subnets, vpc_id, ways_out
from mlopsgen.parts.resource import Scope


def security_group(
    scope: Scope, workload: Workload, binding: Binding, callers: Iterable[ec2.SecurityGroupRule] = ()
) -> Resource:
    """Of the tasks: in from `callers`, out by its ways out; what it connects to adds its own rules."""
    group = ec2.SecurityGroup(
        "SecurityGroup",
        VpcId=vpc_id(scope.site),
        GroupDescription=f"Tasks of {workload.name}",
        SecurityGroupEgress=ways_out(binding),
        **given(SecurityGroupIngress=list(callers)),
    )
    return scope.resource(group)


def rolling(workload: Workload, *, on_failure: bool) -> ecs.DeploymentConfiguration:
    """New tasks take the place of old ones in turn, and those before come back if they do not start."""
    minimum, maximum = workload.room
    return ecs.DeploymentConfiguration(
        Strategy="ROLLING",
        MinimumHealthyPercent=minimum,
        MaximumPercent=maximum,
        DeploymentCircuitBreaker=ecs.DeploymentCircuitBreaker(Enable=on_failure, Rollback=on_failure),
    )


def ecs_service(
    site: Site,
    workload: Workload,
    deployment: ecs.DeploymentConfiguration,
    *,
    balancing: Sequence[ecs.LoadBalancer] = (),
    after: Sequence[str] = (),
) -> ecs.Service:
    """The service. `after` are the logical ids of what its first tasks need, and do not name."""
    assert workload.replicas is not None
    _, maximum = workload.room
    return ecs.Service(
        "Service",
        ServiceName=workload.name,
        Cluster=site.cluster_reference,
        TaskDefinition=Ref("TaskDefinition"),
        CapacityProviderStrategy=[
            ecs.CapacityProviderStrategyItem(**each.properties) for each in strategy(site, workload.pool)
        ],
        NetworkConfiguration=ecs.NetworkConfiguration(
            AwsvpcConfiguration=ecs.AwsvpcConfiguration(
                AssignPublicIp="DISABLED",
                SecurityGroups=[Ref("SecurityGroup")],
                Subnets=private_subnets(site),
            )
        ),
        DeploymentConfiguration=deployment,
        EnableECSManagedTags=True,
        EnableExecuteCommand=False,
        PropagateTags="TASK_DEFINITION",
        # It moves tasks to other zones by starting more of them first (Amazon ECS developer guide,
        # "Balancing an Amazon ECS service across Availability Zones").
        AvailabilityZoneRebalancing="ENABLED" if maximum > 100 else "DISABLED",
        # Left out, these two would stay as they were (AWS::ECS::Service, "To remove this property").
        LoadBalancers=list(balancing),
        PlacementStrategies=_placement(workload),
        **given(
            HealthCheckGracePeriodSeconds=_grace(workload, balancing),
            DependsOn=list(after),
        ),
        # With scaling, a count in the template would undo it at every deployment.
        **({} if workload.scales else {"DesiredCount": workload.replicas.min}),
    )


def _placement(workload: Workload) -> list[ecs.PlacementStrategy]:
    """On instances over all zones, and on as few of them as hold the tasks."""
    if not workload.on_instances:
        return []
    return [
        ecs.PlacementStrategy(Type="spread", Field="attribute:ecs.availability-zone"),
        ecs.PlacementStrategy(Type="binpack", Field="memory"),
    ]


def _grace(workload: Workload, balancing: Sequence[ecs.LoadBalancer]) -> int | None:
    """How long bad answers of a new task do not count, to load balancers and to ECS itself.

    Without a load balancer the container's own check leaves that time, unless it takes longer.
    """
    health = workload.health
    if health is None or not (balancing or health_command(workload)):
        return None
    return health.start_period if balancing or health.start_period > LONGEST_START else None


def commands(site: Site, workload: Workload, topic: str) -> Command:
    """What a person does to see and restart it."""
    at = f"--region {site.region} --cluster {site.cluster}"
    return Command(
        topic,
        f"See and restart {workload.name} in {site.environment}",
        (
            f"aws ecs describe-services {at} --services {workload.name}",
            f"aws ecs update-service {at} --service {workload.name} --force-new-deployment",
            f"aws logs tail {site.log_group(workload.name)} --region {site.region} --follow",
        ),
    )
