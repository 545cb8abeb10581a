"""`spec.capacity`: what tasks run on."""

from typing import Annotated

from pydantic import Field

from mlopsgen.language.base import Choice, Item, NotYet, Spec
from mlopsgen.language.values import InstanceType, Percent, Size


class SpotSpec(Spec):
    """Capacity that costs less and can be taken back with two minutes' notice; `spot: {}` is all spot."""

    share: Percent = 100
    """Of what is above the base."""

    on_demand_base: Annotated[int, Field(ge=0, le=1000)] = 0
    """Tasks (Fargate) or instances (EC2) that are always on demand."""


class DiskSpec(Spec):
    """A gp3 disk, encrypted."""

    size: Size
    """How much it holds, in whole Gi."""

    iops: NotYet = None
    """Operations a second, 3000 to 80000."""

    throughput: NotYet = None
    """MiB a second, 125 to 2000."""


def _root_volume() -> DiskSpec:
    return DiskSpec.model_validate({"size": "100Gi"})


class FargateSpec(Spec):
    """Capacity that AWS manages."""

    spot: SpotSpec | None = None
    """Without it all is on demand."""


class Ec2Spec(Spec):
    """Instances of the pipeline's own, which come and go with the tasks.

    To take a pool away, or to rename it, let its workloads leave it first: name another in their `capacity`, deploy, and take the old one away a quarter of an hour later, when its instances have gone.
    """

    instance_types: Annotated[tuple[InstanceType, ...], Field(min_length=1)]
    """In order of preference, of one architecture. For the other one declare a second pool, and move over: old and new tasks do not fit on the same instances."""

    min: Annotated[int, Field(ge=0, le=1000)] = 0
    """Instances that stay, once something runs on the pool."""

    max: Annotated[int, Field(ge=1, le=1000)] = 1
    """The most instances at once."""

    spot: SpotSpec | None = None
    """Without it all is on demand."""

    root_volume: DiskSpec = Field(default_factory=_root_volume)
    """The disk of each instance."""

    ami: NotYet = None
    """The machine image, by default the newest for ECS, by architecture, GPU, Neuron."""

    user_data: NotYet = None
    """A shell script that runs before ECS's agent."""

    warm_pool: NotYet = None
    """Prepared instances."""

    placement: NotYet = None
    """`spread` or `cluster`: one placement group."""

    reservation: NotYet = None
    """Capacity that is paid already."""


class PoolSpec(Item):
    """What tasks run on. Workloads name it: `capacity: gpu`. `fargate` is on demand, `fargate-spot` all spot."""

    fargate: Annotated[FargateSpec | None, Choice()] = None
    """Capacity that AWS manages."""

    ec2: Annotated[Ec2Spec | None, Choice()] = None
    """Instances of the pipeline's own, which come and go with the tasks."""

    managed_instances: Annotated[NotYet, Choice()] = None
    """ECS Managed Instances: AWS patches and replaces them; GPUs too."""


def fargate() -> PoolSpec:
    """The pool that is there without being declared, all on demand."""
    return PoolSpec.model_validate({"name": "fargate", "fargate": {}})


def fargate_spot() -> PoolSpec:
    """The pool that is there without being declared, all spot."""
    return PoolSpec.model_validate({"name": "fargate-spot", "fargate": {"spot": {}}})
