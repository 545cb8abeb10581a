"""The ECS cluster of the environment, and the capacity providers that its tasks can take."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import Ref, ecs

from mlopsgen.components.capacity.instances import declare_instances
from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Declaration, StackDescription
from mlopsgen.model.site import Pool, Site
from mlopsgen.parts.resource import Scope

STACK = "cluster"


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """One cluster for all workloads, and the instances of each pool.

    Also of a pool that nothing runs on: a capacity provider leaves its cluster only when no task is on it any
    more (Amazon ECS API reference, PutClusterCapacityProviders), and this stack comes before those of
    workloads. So a workload can leave its pool, and come back, without a change here.
    """
    if not site.workloads:
        return
    yield StackDescription(STACK, "the ECS cluster and the instances that its tasks run on")
    scope = Scope(site, STACK, ("spec", "capacity"))
    insights = ecs.ClusterSetting(Name="containerInsights", Value=site.spec.monitoring.container_insights)
    yield scope.resource(ecs.Cluster("Cluster", ClusterName=site.cluster, ClusterSettings=[insights]))
    pools = [each for each in site.pools if each.spec.ec2]
    for pool in pools:
        yield from declare_instances(scope, pool)
    yield scope.resource(_providers(pools))


def _providers(pools: list[Pool]) -> ecs.ClusterCapacityProviderAssociations:
    """All that tasks of the cluster may name: AWS keeps them as one list."""
    return ecs.ClusterCapacityProviderAssociations(
        "CapacityProviders",
        Cluster=Ref("Cluster"),
        CapacityProviders=["FARGATE", "FARGATE_SPOT", *(Ref(f"{each.logical_id}Provider") for each in pools)],
        DefaultCapacityProviderStrategy=[ecs.CapacityProviderStrategy(CapacityProvider="FARGATE", Weight=1)],
    )
