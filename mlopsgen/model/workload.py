"""A workload: its spec, its kind, and what was decided once because several look at it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal, NamedTuple, TypeAlias

from mlopsgen.aws import instance_types
from mlopsgen.components.capacity.spec import Ec2Spec, PoolSpec
from mlopsgen.components.images.spec import ImageSpec
from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.services.spec import RouteSpec, ServiceSpec
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.components.workloads.spec import (
    ContainerCheckSpec,
    EgressSpec,
    HealthCheckSpec,
    PortSpec,
    ReplicasSpec,
    https,
)
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import EVERYWHERE
from mlopsgen.model.names import logical


class Kind(NamedTuple):
    """What sort of workload it is."""

    section: Literal["services", "workers", "jobs"]
    """The section of the spec that lists it."""
    word: Literal["service", "worker", "job"]
    """What it is called."""
    stack: Literal["serving", "training"]
    """The start of its stack's name."""
    runs: Literal["for ever", "to an end", "per message"]
    """How long one task runs."""


SERVICE = Kind("services", "service", "serving", "for ever")
WORKER = Kind("workers", "worker", "serving", "for ever")
JOB = Kind("jobs", "job", "training", "to an end")
KINDS = (SERVICE, WORKER, JOB)

AnySpec: TypeAlias = ServiceSpec | WorkerSpec | JobSpec

Architecture: TypeAlias = Literal["amd64", "arm64"]

HTTPS = 443
"""The port of AWS's own services."""

DEFAULT_USER = 10001
"""Who a program is in an image built with `python`, unless it says otherwise."""


class Route(NamedTuple):
    """A way in through a load balancer, with what is decided about it."""

    spec: RouteSpec
    port: PortSpec
    """The port that its requests go to."""
    target_groups: tuple[str, ...]
    """The logical ids of its target groups: two where a deployment shifts traffic between them."""
    origin: SpecPath

    @property
    def name(self) -> str:
        """What the file calls it."""
        return self.spec.name

    @property
    def logical_id(self) -> str:
        """The start of the logical ids of its resources."""
        return logical(self.spec.name)


@dataclass(frozen=True)
class Workload:
    """A service, a worker or a job."""

    spec: AnySpec
    kind: Kind
    pool: PoolSpec
    """What it runs on."""
    image: ImageSpec | None
    """The image that it runs, if it is built here; None for one from outside."""
    https: bool = True
    """Whether the way out `https` is there when its spec declares none of that name."""

    @property
    def name(self) -> str:
        """Its name, and its container's."""
        return self.spec.name

    @property
    def stack(self) -> str:
        """The stack that holds it."""
        return f"{self.kind.stack}-{self.name}"

    @property
    def origin(self) -> SpecPath:
        """Where it stands in the spec."""
        return ("spec", self.kind.section, self.name)

    @property
    def on_instances(self) -> bool:
        """Whether it runs on instances of the pipeline's own."""
        return self.pool.ec2 is not None

    @property
    def ec2(self) -> Ec2Spec | None:
        """Its instances, if it runs on some."""
        return self.pool.ec2

    @property
    def architecture(self) -> Architecture:
        """The processor that it runs on: its own word, or its pool's; on Fargate `amd64` by default."""
        if self.spec.architecture is not None:
            return self.spec.architecture
        return pool_architecture(self.pool) or "amd64"

    @property
    def built_with_python(self) -> bool:
        """Whether its image comes from the generated Dockerfile."""
        return self.image is not None and self.image.dockerfile is None

    @property
    def context(self) -> str:
        """The build context of its image, from the folder of `pipeline.yaml`."""
        assert self.image is not None
        return context_of(self.image)

    @property
    def user(self) -> int | None:
        """The numeric user that it runs as; None for the image's own."""
        given = self.spec.security_context.run_as_user
        if given is not None:
            return given
        return DEFAULT_USER if self.built_with_python else None

    @property
    def read_only(self) -> bool:
        """Whether its root file system cannot be written."""
        given = self.spec.security_context.read_only_root_filesystem
        return self.built_with_python if given is None else given

    @cached_property
    def ports(self) -> tuple[PortSpec, ...]:
        """The ports of its main container, the main one first."""
        return tuple(self.spec.ports) if isinstance(self.spec, ServiceSpec) else ()

    @property
    def main_port(self) -> PortSpec | None:
        """The port that `PORT` says and health checks ask."""
        return self.ports[0] if self.ports else None

    @property
    def health(self) -> ContainerCheckSpec | None:
        """Its health check; None if it has none or it is turned off."""
        if isinstance(self.spec, JobSpec) or not self.spec.health_check.enabled:
            return None
        return self.spec.health_check

    @property
    def health_path(self) -> str | None:
        """The path of the main port that ECS's own check asks; None if it speaks something else than HTTP."""
        port, health = self.main_port, self.health
        if not port or not isinstance(health, HealthCheckSpec) or port.app_protocol not in ("http", "http2"):
            return None
        return health.path or "/health"

    @cached_property
    def ways_out(self) -> tuple[EgressSpec, ...]:
        """Where it may connect to beside what its verbs bring: what is declared, and `https` by default."""
        declared = tuple(self.spec.egress)
        if self.https and not any(each.name == "https" for each in declared):
            return (https(), *declared)
        return declared

    @property
    def enclosed(self) -> bool:
        """Whether HTTPS to everywhere is closed to it, so that it reaches AWS by endpoints alone."""
        return not any(each.port == HTTPS and EVERYWHERE in each.to for each in self.ways_out)

    @cached_property
    def routes(self) -> tuple[Route, ...]:
        """Its ways in, by name."""
        if not isinstance(self.spec, ServiceSpec):
            return ()
        by_port = {each.name: each for each in self.ports}
        found = []
        for spec in sorted(self.spec.ingress, key=lambda each: each.name):
            # A target group belongs to one load balancer for good (Elastic Load Balancing user guide, "Target
            # groups"), so a route that goes through another one gets another group.
            start = f"{logical(spec.name)}{logical(spec.load_balancer)}"
            groups = [f"{start}TargetGroup"] + [f"{start}AlternateTargetGroup"] * self.shifts
            port = by_port.get(spec.port or "", self.ports[0])
            found.append(Route(spec, port, tuple(groups), (*self.origin, "ingress", spec.name)))
        return tuple(found)

    @property
    def shifts(self) -> bool:
        """Whether a new version starts beside the old one and traffic moves between two target groups."""
        return isinstance(self.spec, ServiceSpec) and bool(self.spec.ingress) and self.strategy != "rolling"

    @property
    def stop_timeout(self) -> int:
        """Seconds between SIGTERM and SIGKILL."""
        return self.spec.stop_timeout

    @property
    def strategy(self) -> Literal["rolling", "blueGreen", "canary", "linear"]:
        """How a new version takes over."""
        if not isinstance(self.spec, ServiceSpec):
            return "rolling"
        deployment = self.spec.deployment
        if deployment.blue_green is not None:
            return "blueGreen"
        if deployment.canary is not None:
            return "canary"
        return "linear" if deployment.linear is not None else "rolling"

    @property
    def room(self) -> tuple[int, int]:
        """(minimumHealthyPercent, maximumPercent): how far a deployment may go below and above its tasks."""
        if isinstance(self.spec, JobSpec) or self.spec.deployment.rolling is None:
            return (100, 200)
        rolling = self.spec.deployment.rolling
        return (round(100 - rolling.max_unavailable), round(100 + rolling.max_surge))

    @property
    def replicas(self) -> ReplicasSpec | None:
        """How many tasks run; None for a job."""
        return None if isinstance(self.spec, JobSpec) else self.spec.replicas

    @property
    def scales(self) -> bool:
        """Whether something else than the template decides how many tasks run.

        Metrics rest where there is nothing between the bounds, and all rests where `max` is zero.
        """
        replicas = self.replicas
        if replicas is None or replicas.max == 0:
            return False
        moving = self.most > replicas.min and bool(replicas.metrics.model_fields_set)
        return moving or bool(replicas.schedules)

    @property
    def most(self) -> int:
        """The most tasks that its own bounds allow; 1 for a job."""
        replicas = self.replicas
        if replicas is None:
            return 1
        return replicas.min if replicas.max is None else replicas.max


def context_of(image: ImageSpec) -> str:
    """The build context of an image: what it says, or the folder of its name."""
    return image.context or image.name


def dockerfile_path(image: ImageSpec) -> str | None:
    """One's own Dockerfile, from the folder of `pipeline.yaml`; None for the generated one."""
    if image.dockerfile is None:
        return None
    context = context_of(image)
    return image.dockerfile.path or ("Dockerfile" if context == "." else f"{context}/Dockerfile")


def image_command(image: ImageSpec) -> tuple[str, ...]:
    """The command of an image that is built with `python`."""
    given = image.python.command if image.python else ()
    return tuple(given) or ("python", "-m", PurePosixPath(context_of(image)).name)


def pool_architecture(pool: PoolSpec) -> Architecture | None:
    """The processor of a pool's instances; None on Fargate, which has both."""
    if pool.ec2 is None:
        return None
    return type_architecture(pool.ec2.instance_types[0])


def type_architecture(instance_type: str) -> Architecture:
    """The processor of an instance type; by its name if the type is not known.

    EC2's Graviton types carry a `g` after the generation, such as `c7g` (Amazon EC2 instance types guide,
    "Instance type naming conventions"), but for the first, `a1`.
    """
    if known := instance_types.find(instance_type):
        return "arm64" if known.architecture == "arm64" else "amd64"
    found = re.match(r"[a-z-]+[0-9]+([a-z-]*)", instance_type.partition(".")[0])
    return "arm64" if found and "g" in found[1] else "amd64"
