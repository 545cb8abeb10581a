"""What tasks run on, as whoever starts them says it: shares of capacity providers."""

from __future__ import annotations

from math import gcd
from typing import NamedTuple

from mlopsgen.components.capacity.spec import FargateSpec, PoolSpec
from mlopsgen.model.site import Site

MOST_WEIGHT = 1000
"""Of a capacity provider in a strategy (Amazon ECS API reference, CapacityProviderStrategyItem)."""


class Share(NamedTuple):
    """A capacity provider, and how much of the tasks it takes."""

    provider: str
    weight: int
    base: int = 0
    """How many tasks it takes before any other."""

    @property
    def properties(self) -> dict[str, str | int]:
        """As every service's `CapacityProviderStrategyItem` takes it."""
        own: dict[str, str | int] = {"CapacityProvider": self.provider, "Weight": self.weight}
        return {**own, "Base": self.base} if self.base else own

    @property
    def option(self) -> str:
        """As the options of `aws ecs` take it."""
        base = f",base={self.base}" if self.base else ""
        return f"capacityProvider={self.provider},weight={self.weight}{base}"


def strategy(site: Site, pool: PoolSpec) -> tuple[Share, ...]:
    """The capacity providers that tasks on `pool` take."""
    if pool.fargate is None:
        return (Share(site.family(pool.name), 1),)
    return _fargate(pool.fargate)


def _fargate(fargate: FargateSpec) -> tuple[Share, ...]:
    spot = round(fargate.spot.share * 10) if fargate.spot else 0
    base = fargate.spot.on_demand_base if fargate.spot else 0
    steady = MOST_WEIGHT - spot
    unit = gcd(spot, steady)
    shares = (Share("FARGATE", steady // unit, base), Share("FARGATE_SPOT", spot // unit))
    return tuple(each for each in shares if each.weight or each.base)
