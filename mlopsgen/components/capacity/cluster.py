"""What all services share: their cluster, its capacity, and a load balancer for each scheme in use."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import ecs

from mlopsgen.components.base import Component, Site
from mlopsgen.ecs.capacity import associate, capacity
from mlopsgen.ecs.load_balancer import Scheme, load_balancer
from mlopsgen.plan import Part, Resource

STACK = "serving"
ORIGIN = ("spec", "services")

SCHEMES: tuple[Scheme, ...] = ("internet-facing", "internal")


class Serving(Component):
    """Nothing, if there are no services."""

    def declare(self, site: Site) -> Iterator[Part]:
        if not site.services:
            return
        for service in site.services:
            origin = (*ORIGIN, service.name)
            yield from capacity(site, service, stack=STACK, cluster=site.cluster("serving"), origin=origin)
        insights = ecs.ClusterSetting(Name="containerInsights", Value=site.spec.monitoring.container_insights)
        cluster = ecs.Cluster("Cluster", ClusterName=site.cluster("serving"), ClusterSettings=[insights])
        yield Resource(STACK, "Cluster", cluster, ORIGIN)
        yield associate(site, site.services, stack=STACK, origin=ORIGIN)
        for scheme in SCHEMES:
            behind = [each for each in site.services if each.ingress and each.ingress.scheme == scheme]
            if behind:
                yield from load_balancer(site, scheme, behind)
