"""What tasks ask for, and what the pools that run them have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import takewhile

from mlopsgen.aws import fargate
from mlopsgen.aws.instance_types import WITHOUT_DRIVER, InstanceType, find, named_in, offered, source
from mlopsgen.components.capacity import loads
from mlopsgen.components.capacity.loads import Load, UsedPool
from mlopsgen.components.capacity.room import demand, fits, hold, scarcest
from mlopsgen.components.capacity.spec import PoolSpec
from mlopsgen.components.workloads.spec import WorkloadSpec
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.values import GIBIBYTE, write_cpu, write_duration, write_percent, write_size
from mlopsgen.model.workload import Workload, pool_architecture, type_architecture
from mlopsgen.rules.places import each, workloads
from mlopsgen.rules.registry import LISTED, Scene, rule


def pools(scene: Scene) -> Iterator[tuple[SpecPath, PoolSpec]]:
    """The declared pools with their paths."""
    yield from each(("spec", "capacity"), scene.site.spec.capacity)


def _resolved(scene: Scene) -> Iterator[tuple[SpecPath, Workload]]:
    """The workloads whose pool is known, with their paths."""
    by_spec = {id(workload.spec): workload for workload in scene.site.workloads}
    for path, spec in workloads(scene):
        if scene.site.pool(spec.capacity) is not None:
            yield path, by_spec[id(spec)]


def _instances(scene: Scene) -> Iterator[UsedPool]:
    users = list(_resolved(scene))
    for path, pool in pools(scene):
        if pool.ec2:
            own = tuple((at, user) for at, user in users if user.spec.capacity == pool.name)
            yield UsedPool((*path, "ec2"), pool, pool.ec2, own)


def _on_fargate(scene: Scene) -> Iterator[tuple[SpecPath, WorkloadSpec]]:
    for path, workload in _resolved(scene):
        if not workload.on_instances:
            yield path, workload.spec


def _on_instances(scene: Scene) -> Iterator[tuple[SpecPath, Workload, UsedPool]]:
    for place in _instances(scene):
        for path, workload in place.users:
            yield path, workload, place


@rule(
    "E217",
    "an unknown pool",
    """`capacity` names a pool of `spec.capacity`, or one of the two that are there without being declared:
    `fargate`, which is on demand, and `fargate-spot`.""",
    "spec: {services: [{name: api, capacity: fargate-spto}]}",
    "spec: {services: [{name: api, capacity: fargate-spot}]}",
)
def unknown_pool(scene: Scene) -> Iterable[Finding]:
    """A workload runs on a pool that there is."""
    known = scene.site.known_pools
    for path, spec in workloads(scene):
        if spec.capacity not in known:
            yield scene.unknown((*path, "capacity"), "pool", spec.capacity, known, "capacity")


@rule(
    "E218",
    "a pool's name with another meaning",
    """The pools `fargate` and `fargate-spot` are there without being declared. Whoever declares one says all of
    it, and may not make something else than Fargate of it: readers know them by these names.""",
    "spec: {capacity: [{name: fargate, ec2: {instanceTypes: [m5.large]}}]}",
    """
    spec:
      capacity: [{name: steady, ec2: {instanceTypes: [m5.large], max: 4}}]
      services: [{name: api, capacity: steady, resources: {memory: 2Gi}}]
    """,
)
def other_meaning(scene: Scene) -> Iterable[Finding]:
    """The pools that are called after Fargate are Fargate's."""
    for path, pool in pools(scene):
        if pool.name in ("fargate", "fargate-spot") and pool.fargate is None:
            message = f"the pool `{pool.name}` is Fargate's"
            yield Finding((*path, "name"), message, "give instances a pool of another name")


@rule(
    "W207",
    "a pool that nobody uses",
    """No service, worker or job runs on it. Fargate is there anyway; of a pool of instances its place is made, and
    no instance starts, whatever `min` says. A pool stays until what ran on it has left: ECS takes none away that
    a task is still on. So take it away in the deployment after that, when its instances have gone, which is a
    quarter of an hour after the last task (Amazon ECS developer guide, "Amazon ECS cluster auto scaling").""",
    "spec: {capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]}",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu, resources: {gpu: 1}}]
    """,
)
def unused_pool(scene: Scene) -> Iterable[Finding]:
    """A declared pool runs something."""
    used = {spec.capacity for _, spec in workloads(scene)}
    for path, pool in pools(scene):
        if pool.name not in used:
            message = f"nothing runs on the pool `{pool.name}`"
            if pool.ec2:
                help_ = "name it in `capacity`; or take it away, once what ran on it has left"
            else:
                help_ = "name it in `capacity`, or take it away"
            yield Finding((*path, "name"), message, help_)


@rule(
    "E219",
    "types of two processors",
    """All types of a pool have the same kind of processor, since an image is built for one of them. The types
    with a `g` after their number, such as `c7g.large`, are arm64, most others amd64.""",
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m6i.large, m6g.large]}}]
      jobs: [{name: trainer, capacity: pool}]
    """,
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m6i.large, m5.large]}}]
      jobs: [{name: trainer, capacity: pool}]
    """,
    source=source,
)
def two_processors(scene: Scene) -> Iterable[Finding]:
    """The types of a pool agree with each other, and with the workloads that name a processor."""
    for place in _instances(scene):
        types = place.ec2.instance_types
        first = type_architecture(types[0])
        for index, name in enumerate(types):
            if type_architecture(name) != first:
                yield Finding(
                    (*place.path, "instanceTypes", index),
                    f"`{name}` is {type_architecture(name)}, and `{types[0]}` {first}",
                    "make two pools of them",
                )
    for path, workload in _resolved(scene):
        given, own = workload.spec.architecture, pool_architecture(workload.pool)
        if given and own and given != own:
            yield Finding(
                (*path, "architecture"),
                f"the instances of pool `{workload.pool.name}` are {own}",
                "leave `architecture` out, or take another pool",
            )


@rule(
    "E310",
    "GPUs where there are none",
    """Fargate has no GPUs, and ECS has no machine image with drivers for GPUs of arm64 instances. Run the task on
    a pool of other instances that have them.""",
    "spec: {jobs: [{name: trainer, resources: {gpu: 1}}]}",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu, resources: {cpu: "4", memory: 14Gi, gpu: 1}}]
    """,
)
def no_gpus(scene: Scene) -> Iterable[Finding]:
    """A task that asks for GPUs runs where ECS has some."""
    pool = "`capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]`"
    for path, workload in _resolved(scene):
        if not workload.spec.resources.gpu:
            continue
        at = (*path, "resources", "gpu")
        if not workload.on_instances:
            yield Finding(at, "Fargate has no GPUs", f"run it on a pool of instances: {pool}")
        elif pool_architecture(workload.pool) == "arm64":
            yield Finding(at, "ECS has no image with GPUs for arm64", f"take a pool of amd64: {pool}")


@rule(
    "E311",
    "a size that Fargate does not offer",
    """Fargate offers CPU and memory in certain pairs: from 0.25 vCPU with 512 MiB to 2 GiB, up to 16 vCPU
    with 32 to 120 GiB. The help names the next larger pair.""",
    'spec: {services: [{name: api, resources: {cpu: "1", memory: 1Gi}}]}',
    'spec: {services: [{name: api, resources: {cpu: "1", memory: 2Gi}}]}',
)
def fargate_size(scene: Scene) -> Iterable[Finding]:
    """Fargate offers CPU and memory in certain pairs."""
    for path, spec in _on_fargate(scene):
        cpu, memory = spec.resources.cpu, spec.resources.memory
        if not spec.resources.gpu and memory not in fargate.MEMORY.get(cpu, ()):
            units, size = fargate.nearest(cpu, memory)
            at = "memory" if cpu in fargate.MEMORY else "cpu"
            yield Finding(
                (*path, "resources", at),
                f"Fargate has no size of {write_cpu(cpu)} CPU with {write_size(memory)}",
                f'the next is `cpu: "{write_cpu(units)}", memory: {write_size(size)}`',
            )


@rule(
    "E312",
    "disk space that cannot be had",
    """A task on Fargate has 20 GiB of disk without asking, and can ask for 21 to 200 GiB. One on instances
    shares the disk of its instance: `rootVolume` of the pool says how large that is.""",
    "spec: {services: [{name: api, resources: {ephemeralStorage: 10Gi}}]}",
    "spec: {services: [{name: api, resources: {ephemeralStorage: 50Gi}}]}",
)
def ephemeral_storage(scene: Scene) -> Iterable[Finding]:
    """Fargate gives 21 to 200 GiB of disk, in whole GiB; instances have their own."""
    least, largest = fargate.EPHEMERAL_STORAGE
    for path, workload in _resolved(scene):
        size, at = workload.spec.resources.ephemeral_storage, (*path, "resources", "ephemeralStorage")
        if size is None:
            continue
        if workload.on_instances:
            message = f"a task on instances has the disk of pool `{workload.pool.name}`"
            yield Finding(at, message, f"say `rootVolume: {{size: {write_size(size)}}}` there, or more")
        elif not least <= size <= largest or size % GIBIBYTE:
            message = f"Fargate gives {write_size(least)} to {write_size(largest)} of disk, in whole Gi"
            near = min(max(_whole_gibibytes(size), least), largest)
            yield Finding(at, message, f"say `{write_size(near)}`")


@rule(
    "E313",
    "an instance type that the region does not offer",
    "Regions differ in the types of instance that they offer. The help names one of the same kind that is there.",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.huge]}}]
      jobs: [{name: trainer, capacity: gpu}]
    """,
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu, resources: {gpu: 1}}]
    """,
    source=source,
)
def unknown_instance_type(scene: Scene) -> Iterable[Finding]:
    """The region offers the types of a pool, each named once."""
    known = offered(scene.site.region)
    for place in _instances(scene):
        for index, word in enumerate(place.ec2.instance_types):
            at = (*place.path, "instanceTypes", index)
            if word in place.ec2.instance_types[:index]:
                yield Finding(at, f"`{word}` is named twice", "take one away")
            elif known and word not in known:
                yield Finding(at, f"`{word}` is not offered in {scene.site.region}", _instead(word, known))


def _instead(word: str, known: Iterable[str]) -> str:
    """What to take for a type that the region does not offer: the one that was meant, or one that has as much.

    Never one of another family that is merely spelt alike: `p3.2xlarge` has a GPU, and `t3.2xlarge` none.
    """
    letters = _letters(word)
    there = named_in(word)
    if not there:
        close = closest(word, (name for name in known if _letters(name) == letters))
        return (
            f"did you mean `{close}`?" if close else "`aws ec2 describe-instance-types` lists what there is"
        )
    offered_in = f"it is in {', '.join(sorted(there)[:LISTED])}{', …' if len(there) > LISTED else ''}"
    asked = find(word)
    alike = [
        (_letters(name) != letters, kind.cpu, kind.memory, name)
        for name in known
        if asked and (kind := find(name)) and _does(kind, asked) and (kind.gpus or _letters(name) == letters)
    ]
    return f"{offered_in}; of its kind `{min(alike)[-1]}` is here" if alike else offered_in


def _does(kind: InstanceType, asked: InstanceType) -> bool:
    """Whether it has the same processor and as many GPUs, and no less of the rest."""
    same = (kind.architecture, kind.gpus) == (asked.architecture, asked.gpus)
    return same and kind.cpu >= asked.cpu and kind.memory >= asked.memory


def _letters(name: str) -> str:
    """The kind of a type: `g` of `g4dn.xlarge`."""
    return "".join(takewhile(str.isalpha, name))


@rule(
    "W353",
    "an instance type of which little is known",
    """CloudFormation's list of the region has this type, but EC2's own description of types, as it is known here,
    does not: it may be retired. What it has is not known, so whether tasks fit on it is not checked.""",
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [i3.metal]}}]
      jobs: [{name: trainer, capacity: pool}]
    """,
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [i3.large]}}]
      jobs: [{name: trainer, capacity: pool}]
    """,
)
def little_known(scene: Scene) -> Iterable[Finding]:
    """What the types of a pool have is known."""
    known = offered(scene.site.region)
    for place in _instances(scene):
        for index, word in enumerate(place.ec2.instance_types):
            if word in known and find(word) is None:
                yield Finding(
                    (*place.path, "instanceTypes", index),
                    f"one of AWS's lists has `{word}`, another has not: it may be retired",
                    f"ask before the deployment: `aws ec2 describe-instance-types --instance-types {word}`",
                )


@rule(
    "E390",
    "instances that ECS has no image for",
    """Instances start from ECS's own image, which is Linux and has NVIDIA's driver: none is for `mac` instances,
    and GPUs of AMD, of Habana, or from before 2014 cannot be asked for.""",
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [mac2.metal]}}]
      jobs: [{name: trainer, capacity: pool}]
    """,
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m6g.large]}}]
      jobs: [{name: trainer, capacity: pool}]
    """,
)
def without_an_image(scene: Scene) -> Iterable[Finding]:
    """ECS's image starts on the types of a pool, and has a driver for the GPUs that are asked for."""
    for place in _instances(scene):
        asks = next((at for at, user in place.users if user.spec.resources.gpu), None)
        for index, word in enumerate(place.ec2.instance_types):
            at = (*place.path, "instanceTypes", index)
            family = word.partition(".")[0]
            if _letters(word) == "mac":
                yield Finding(at, f"`{word}` runs macOS, and ECS Linux", "take a type of another family")
            elif asks and family in WITHOUT_DRIVER:
                yield Finding(
                    at,
                    f"the GPUs of `{word}` are {WITHOUT_DRIVER[family]}: ECS's image has no driver for them",
                    "take a type with a newer GPU of NVIDIA, such as `g4dn.xlarge`",
                    (((*asks, "resources", "gpu"), "asked for here"),),
                )


@rule(
    "E314",
    "a task larger than its instance",
    """None of the pool's types has the CPU, memory or GPUs that one task asks for, beside what the system and
    the ECS agent take. Such a task would wait for ever.""",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu, resources: {memory: 16Gi, gpu: 1}}]
    """,
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu, resources: {memory: 14Gi, gpu: 1}}]
    """,
    source=source,
)
def larger_than_the_instance(scene: Scene) -> Iterable[Finding]:
    """A task fits on one of its pool's types."""
    for path, workload, place in _on_instances(scene):
        task = demand(workload.spec)
        if place.all_known and not any(fits(task, kind) for kind in place.kinds):
            yield from _too_large((*path, "resources"), workload.spec, place)


def _too_large(path: SpecPath, spec: WorkloadSpec, place: UsedPool) -> Iterator[Finding]:
    """What of the task no type has; if each is had by some type, that no type has it all."""
    names, asked, found = place.ec2.instance_types, spec.resources, False
    on = f"on `{names[0]}`, which" if len(names) == 1 else f"in pool `{place.pool.name}`, whose largest type"
    cpu = max(kind.cpu for kind in place.kinds)
    memory = max(kind.usable_memory for kind in place.kinds)
    gpus = max(kind.gpus for kind in place.kinds)
    larger = "ask for less, or take a larger type"
    if asked.cpu > cpu:
        found = True
        yield Finding((*path, "cpu"), f"{write_cpu(asked.cpu)} CPU {on} has {write_cpu(cpu)}", larger)
    if asked.memory > memory:
        found = True
        message = f"{write_size(asked.memory)} {on} leaves about {write_size(memory)} to tasks"
        yield Finding((*path, "memory"), message, larger)
    if asked.gpu > gpus:
        found = True
        has = f"{gpus} GPU{'s' * (gpus != 1)}" if gpus else "no GPU"
        message = f"{asked.gpu} GPU{'s' * (asked.gpu != 1)} {on} has {has}"
        yield Finding((*path, "gpu"), message, "ask for fewer, or take another type")
    if not found:
        message = f"`{spec.name}` fits on none of the types of pool `{place.pool.name}`"
        yield Finding(path, message, larger, ((place.path, "these instances"),))


@rule(
    "W311",
    "a task that fits on some types alone",
    """The pool may start an instance of a type on which the task does not fit. It would wait beside an empty
    instance, until one of another type comes or it is given up.""",
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m5.2xlarge, m5.large], max: 3}}]
      services: [{name: api, capacity: pool, resources: {cpu: "4", memory: 16Gi}, replicas: {min: 1}}]
    """,
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m5.2xlarge, m6i.2xlarge], max: 3}}]
      services: [{name: api, capacity: pool, resources: {cpu: "4", memory: 16Gi}, replicas: {min: 1}}]
    """,
    source=source,
)
def fits_on_some(scene: Scene) -> Iterable[Finding]:
    """A task fits on every type of its pool."""
    for path, workload, place in _on_instances(scene):
        task = demand(workload.spec)
        kinds = {name: kind for name in place.ec2.instance_types if (kind := find(name))}
        small = [name for name, kind in kinds.items() if not fits(task, kind)]
        if small and len(small) < len(kinds):
            index = place.ec2.instance_types.index(small[0])
            yield Finding(
                (*place.path, "instanceTypes", index),
                f"a task of `{workload.name}` does not fit on `{small[0]}`",
                "name types that all have room for it, or make two pools",
                (((*path, "resources"), "what it asks for"),),
            )


# Amazon EC2 API reference, EbsBlockDevice, in MiB.
LARGEST_VOLUME = 65_536 * GIBIBYTE

SMALLEST_VOLUME = 30 * GIBIBYTE
"""MiB, that the ECS-optimised image needs (Amazon ECS developer guide, "Amazon ECS-optimized Linux AMIs")."""


@rule(
    "E315",
    "instances out of bounds",
    """The fewest instances are more than the most, their volume is too small for the ECS-optimised image, or the
    share of spot is one that AWS cannot express: whole percents on instances, tenths on Fargate.""",
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m5.large], min: 3, max: 2}}]
      services: [{name: api, capacity: pool, replicas: {min: 1}}]
    """,
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m5.large], min: 2, max: 3}}]
      services: [{name: api, capacity: pool, replicas: {min: 1}}]
    """,
)
def instance_bounds(scene: Scene) -> Iterable[Finding]:
    """A pool's numbers are such that AWS takes them."""
    for place in _instances(scene):
        ec2, size = place.ec2, place.ec2.root_volume.size
        if ec2.min > ec2.max:
            message = f"min {ec2.min} is above max {ec2.max}"
            yield Finding((*place.path, "min"), message, f"say `max: {ec2.min}` or more")
        if ec2.spot and ec2.spot.on_demand_base > ec2.max:
            yield Finding(
                (*place.path, "spot", "onDemandBase"),
                f"{ec2.spot.on_demand_base} instances are always on demand, but there are {ec2.max} at most",
                "leave `spot` out where all are on demand, or raise `max`",
            )
        at = (*place.path, "rootVolume", "size")
        if size % GIBIBYTE:
            yield Finding(at, "volumes come in whole Gi", f"say {write_size(_whole_gibibytes(size))}")
        if size > LARGEST_VOLUME:
            message = f"a gp3 volume holds {write_size(LARGEST_VOLUME)} at most"
            yield Finding(at, message, f"say {write_size(LARGEST_VOLUME)} or less")
        if size < SMALLEST_VOLUME:
            message = f"the ECS-optimised image needs a volume of {write_size(SMALLEST_VOLUME)}"
            yield Finding(at, message, f"say {write_size(SMALLEST_VOLUME)} or more")
    yield from _shares(scene)


def _shares(scene: Scene) -> Iterator[Finding]:
    for path, pool in pools(scene):
        for word, spec, step in (("ec2", pool.ec2, 1), ("fargate", pool.fargate, 0.1)):
            share = spec.spot.share if spec and spec.spot else 100
            near = round(round(share / step) * step, 1)
            if near != share:
                message = f"AWS takes shares of spot in steps of {write_percent(step)}"
                at = (*path, word, "spot", "share")
                yield Finding(at, message, f"say `{write_percent(near)}`")


def _whole_gibibytes(size: int) -> int:
    return -(-size // GIBIBYTE) * GIBIBYTE


@rule(
    "E316",
    "a stop timeout out of range",
    "Between SIGTERM and SIGKILL ECS waits two minutes at most, and two seconds at least.",
    "spec: {services: [{name: api, stopTimeout: 5m}]}",
    "spec: {services: [{name: api, stopTimeout: 120s}]}",
)
def stop_timeout(scene: Scene) -> Iterable[Finding]:
    """ECS waits two minutes at most between SIGTERM and SIGKILL."""
    for path, spec in workloads(scene):
        if not 2 <= spec.stop_timeout <= 120:
            near = min(max(spec.stop_timeout, 2), 120)
            message = f"stopTimeout is {write_duration(spec.stop_timeout)}; ECS takes 2s to 120s"
            yield Finding((*path, "stopTimeout"), message, f"say `{near}s`")


@rule(
    "E317",
    "an image for two processors",
    "Workloads that share an image run it on the same kind of processor, for which it is built.",
    """
    spec:
      services:
        - {name: api, image: app}
        - {name: second, image: app, architecture: arm64}
    """,
    """
    spec:
      images: [{name: app-arm, context: app}]
      services:
        - {name: api, image: app}
        - {name: second, image: app-arm, architecture: arm64}
    """,
    source=source,
)
def image_for_two_processors(scene: Scene) -> Iterable[Finding]:
    """An image that is shared is built for one processor."""
    seen: dict[str, tuple[SpecPath, str]] = {}
    for path, workload in _resolved(scene):
        if workload.image is None:
            continue
        name, own = workload.image.name, workload.architecture
        first_path, first = seen.setdefault(name, (path, own))
        if first != own:
            yield Finding(
                (*path, "image"),
                f"image `{name}` would have to run on {first} and on {own}",
                "build it as two images, from the same context",
                (((*first_path, "image"), f"runs on {first}"),),
            )


# Amazon ECS developer guide, "Amazon ECS task definition parameters": task size, and memory.
LEAST_CPU = 128
LEAST_MEMORY = 6


@rule(
    "E318",
    "a task that asks for too little",
    "On instances ECS takes tasks of an eighth of a CPU (125m) and 6 MiB of memory, and larger ones.",
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m5.large], max: 2}}]
      services: [{name: api, capacity: pool, resources: {cpu: 100m}}]
    """,
    """
    spec:
      capacity: [{name: pool, ec2: {instanceTypes: [m5.large], max: 2}}]
      services: [{name: api, capacity: pool, resources: {cpu: 125m}}]
    """,
)
def task_too_small(scene: Scene) -> Iterable[Finding]:
    """On instances too, ECS wants a task to ask for something."""
    for path, workload, _ in _on_instances(scene):
        asked = workload.spec.resources
        if asked.cpu < LEAST_CPU:
            message = f"{write_cpu(asked.cpu)} CPU; ECS takes {write_cpu(LEAST_CPU)} and more"
            yield Finding((*path, "resources", "cpu"), message, f"say `{write_cpu(LEAST_CPU)}`")
        if asked.memory < LEAST_MEMORY:
            message = f"{write_size(asked.memory)} of memory; ECS takes {LEAST_MEMORY}Mi and more"
            yield Finding((*path, "resources", "memory"), message, "say what the program needs")


@rule(
    "W310",
    "a GPU that nobody asks for",
    "The instances have a GPU, which is most of their price, and no task on them asks for it.",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu}]
    """,
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge]}}]
      jobs: [{name: trainer, capacity: gpu, resources: {gpu: 1}}]
    """,
    source=source,
)
def idle_gpu(scene: Scene) -> Iterable[Finding]:
    """An instance with a GPU is paid for it."""
    for place in _instances(scene):
        if not place.users or any(user.spec.resources.gpu for _, user in place.users):
            continue
        for index, name in enumerate(place.ec2.instance_types):
            kind = find(name)
            if kind and kind.gpus:
                yield Finding(
                    (*place.path, "instanceTypes", index),
                    f"`{name}` has a GPU that {_who(place)} not ask for",
                    _idle_gpu(kind),
                )


def _idle_gpu(kind: InstanceType) -> str:
    # What E310 says: ECS has no image with drivers for arm64.
    without = "take a type without one"
    return without if kind.architecture == "arm64" else f"say `resources: {{gpu: 1}}` there, or {without}"


def _who(place: UsedPool) -> str:
    names = [f"`{user.name}`" for _, user in place.users]
    return f"{loads.listed(names)} {'does' if len(names) == 1 else 'do'}"


PROVIDERS = 20
"""Of a cluster, Fargate's two among them (Amazon ECS developer guide, "Amazon ECS service quotas")."""


@rule(
    "E347",
    "more capacity providers than a cluster takes",
    "Each pool of instances is a capacity provider. A cluster takes 20 of them, of which Fargate has two.",
)
def too_many_providers(scene: Scene) -> Iterable[Finding]:
    """The cluster takes so many pools of instances."""
    made = list(_instances(scene))
    if len(made) > PROVIDERS - 2:
        yield Finding(
            made[PROVIDERS - 2].path,
            f"a cluster takes {PROVIDERS - 2} capacity providers besides Fargate's, and {len(made)} pools are of"
            " instances",
            "let workloads share pools, or split the pipeline in two",
        )


def _shared(scene: Scene) -> Iterator[UsedPool]:
    """Pools whose room can be told: all types are known, and each task fits on some type."""
    for place in _instances(scene):
        tasks = [demand(user.spec) for _, user in place.users]
        if place.users and place.all_known and all(any(fits(t, k) for k in place.kinds) for t in tasks):
            yield place


def _short(place: UsedPool, load: Load) -> Finding:
    """The finding of a load that the instances do not hold."""
    by = scarcest(place.kinds[0], place.ec2.max, load.tasks)
    count = f"{place.ec2.max} instance{'s' * (place.ec2.max != 1)}"
    holds = "does" if place.ec2.max == 1 else "do"
    return Finding(
        load.path,
        f"{load.words}, but by their {by} the {count} of `{place.pool.name}` {holds} not hold them",
        "raise `max` of the pool, or take a larger type",
        ((place.path, "these instances"),),
    )


@rule(
    "E346",
    "more tasks than the instances hold",
    """The tasks that always run on a pool, and one more while a new version takes over, need more CPU, memory, GPUs
    or network interfaces than `max` instances have. All workloads on the pool count together. With
    `maxSurge: 0%` a task stops before the next one starts, and no room is needed for it.""",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 3}}]
      services:
        - {name: api, capacity: gpu, resources: {cpu: "3", memory: 12Gi, gpu: 1}, replicas: {min: 3}}
    """,
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 4}}]
      services:
        - {name: api, capacity: gpu, resources: {cpu: "3", memory: 12Gi, gpu: 1}, replicas: {min: 3}}
    """,
    source=source,
)
def more_tasks_than_instances_hold(scene: Scene) -> Iterable[Finding]:
    """The instances have room for the tasks that always run, and for a new version's first."""
    for place in _shared(scene):
        always = loads.always(place)
        if always and not place.holds(always.tasks):
            yield _short(place, always)
        else:
            for load in (*loads.scheduled(place), *loads.surging(place)):
                if not place.holds(load.tasks):
                    yield _short(place, load)


@rule(
    "E348",
    "no room for two versions",
    """`blueGreen`, `canary` and `linear` start all tasks of the new version before the first of the old one
    stops. The instances hold one version alone, so the deployment would wait until it is given up.""",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 3}}]
      services:
        - name: api
          capacity: gpu
          resources: {cpu: "3", memory: 12Gi, gpu: 1}
          replicas: {min: 2}
          ingress: [{name: web}]
          deployment: {blueGreen: {}}
    """,
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 4}}]
      services:
        - name: api
          capacity: gpu
          resources: {cpu: "3", memory: 12Gi, gpu: 1}
          replicas: {min: 2}
          ingress: [{name: web}]
          deployment: {blueGreen: {}}
    """,
    source=source,
)
def no_room_for_two_versions(scene: Scene) -> Iterable[Finding]:
    """Where traffic is shifted, old and new tasks all run at once."""
    for place in _shared(scene):
        always = loads.always(place)
        if always and place.holds(always.tasks):
            for load in loads.shifting(place):
                if not place.holds(load.tasks):
                    yield _short(place, load)


@rule(
    "W341",
    "scaling beyond the instances",
    """Scaling may ask for more tasks than `max` instances hold, together with one more while a new version takes
    over, and a run of a job on the same pool; what finds no room waits.""",
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 3}}]
      services:
        - name: api
          capacity: gpu
          resources: {cpu: "3", memory: 12Gi, gpu: 1}
          replicas: {min: 1, max: 4, metrics: {cpu: 70%}}
    """,
    """
    spec:
      capacity: [{name: gpu, ec2: {instanceTypes: [g4dn.xlarge], max: 5}}]
      services:
        - name: api
          capacity: gpu
          resources: {cpu: "3", memory: 12Gi, gpu: 1}
          replicas: {min: 1, max: 4, metrics: {cpu: 70%}}
    """,
    source=source,
)
def beyond_the_instances(scene: Scene) -> Iterable[Finding]:
    """The instances have room for all that can run on them at once."""
    for place in _shared(scene):
        needed = (loads.always(place), *loads.scheduled(place), *loads.surging(place), *loads.shifting(place))
        if all(place.holds(load.tasks) for load in needed if load):
            load = loads.fullest(place)
            if load and not hold(place.kinds[0], place.ec2.max, load.tasks):
                yield _short(place, load)
