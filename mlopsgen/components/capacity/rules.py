"""What tasks ask for, and what the capacity that runs them has."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mlopsgen.aws import fargate
from mlopsgen.aws.instance_types import InstanceType, find, offered
from mlopsgen.checks.references import workloads
from mlopsgen.checks.rule import Finding, Scene, nearest, rule
from mlopsgen.ecs.task_definition import architecture
from mlopsgen.source.node import Path
from mlopsgen.spec.quantities import write_duration
from mlopsgen.spec.workload import Ec2Spec, WorkloadSpec

GIB = 1024


def cpu_text(units: int) -> str:
    """CPU units as the file says them: `"2"` or `500m`."""
    return f'"{units // 1024}"' if units % 1024 == 0 else f"{round(units * 1000 / 1024)}m"


def memory_text(mebibytes: int) -> str:
    """MiB as the file says them: `2Gi` or `512Mi`."""
    return f"{mebibytes // GIB}Gi" if mebibytes % GIB == 0 else f"{mebibytes}Mi"


@rule("E310")
def gpu_on_fargate(scene: Scene) -> Iterable[Finding]:
    """Fargate has no GPUs."""
    for path, workload in workloads(scene):
        if workload.resources.gpu and not workload.compute.ec2:
            yield Finding(
                (*path, "resources", "gpu"),
                "Fargate has no GPUs",
                "run it on instances: `compute: {ec2: {instanceType: g4dn.xlarge}}`",
            )


@rule("E311")
def fargate_size(scene: Scene) -> Iterable[Finding]:
    """Fargate offers CPU and memory in certain pairs."""
    for path, workload in workloads(scene):
        if workload.compute.ec2 or workload.resources.gpu:
            continue
        cpu, memory = workload.resources.cpu, workload.resources.memory
        if memory not in fargate.MEMORY.get(cpu, ()):
            units, size = fargate.nearest(cpu, memory)
            at = "memory" if cpu in fargate.MEMORY else "cpu"
            yield Finding(
                (*path, "resources", at),
                f"Fargate has no size of {cpu_text(cpu)} CPU with {memory_text(memory)}",
                f"the next is `cpu: {cpu_text(units)}, memory: {memory_text(size)}`",
            )


@rule("E312")
def ephemeral_storage(scene: Scene) -> Iterable[Finding]:
    """Fargate gives 21 to 200 GiB of disk, in whole GiB."""
    least, most = fargate.EPHEMERAL_STORAGE
    for path, workload in workloads(scene):
        size = workload.compute.fargate.ephemeral_storage if workload.compute.fargate else None
        if size is not None and not (least <= size <= most and size % GIB == 0):
            message = f"Fargate gives {memory_text(least)} to {memory_text(most)} of disk, in whole Gi"
            near = memory_text(min(max(-(-size // GIB) * GIB, least), most))
            yield Finding((*path, "compute", "fargate", "ephemeralStorage"), message, f"say `{near}`")


def _instances(scene: Scene) -> Iterator[tuple[Path, WorkloadSpec, Ec2Spec, InstanceType]]:
    for path, workload in workloads(scene):
        spec = workload.compute.ec2
        kind = find(spec.instance_type) if spec else None
        if spec and kind:
            yield path, workload, spec, kind


@rule("E313")
def unknown_instance_type(scene: Scene) -> Iterable[Finding]:
    """The region offers the instance type."""
    region = scene.site.spec.aws.region
    for path, workload in workloads(scene):
        spec = workload.compute.ec2
        known = offered(region) if spec else frozenset()
        if spec and known and spec.instance_type not in known:
            word = spec.instance_type
            alike = {name for name in known if _alike(name, word)} or known
            yield Finding(
                (*path, "compute", "ec2", "instanceType"),
                f"`{word}` is not offered in {region}",
                nearest(word, alike, "instance types"),
            )


def _alike(name: str, word: str) -> bool:
    """Whether it is of the same kind, such as g4dn and g5, and of the same size."""
    return name[0] == word[0] and name.partition(".")[2] == word.partition(".")[2]


@rule("E314")
def larger_than_the_instance(scene: Scene) -> Iterable[Finding]:
    """A task fits its instance, beside what the system and the ECS agent need."""
    for path, workload, spec, kind in _instances(scene):
        cpu, memory = workload.resources.cpu, workload.resources.memory
        if cpu > kind.cpu:
            message = f"{cpu_text(cpu)} CPU on `{spec.instance_type}`, which has {cpu_text(kind.cpu)}"
            yield Finding((*path, "resources", "cpu"), message, "ask for less, or take a larger type")
        if memory > kind.usable_memory:
            yield Finding(
                (*path, "resources", "memory"),
                f"{memory_text(memory)} on `{spec.instance_type}`, which leaves about "
                f"{memory_text(kind.usable_memory)} to tasks",
                "ask for less, or take a larger type",
            )
        if workload.resources.gpu > kind.gpus:
            has = f"{kind.gpus} GPU{'s' * (kind.gpus != 1)}" if kind.gpus else "no GPU"
            yield Finding(
                (*path, "resources", "gpu"),
                f"{workload.resources.gpu} GPUs on `{spec.instance_type}`, which has {has}",
                "ask for fewer, or take another type",
            )


# Amazon EC2 API reference, EbsBlockDevice, in MiB.
LARGEST_VOLUME = 65_536 * GIB

# Amazon ECS developer guide, "Amazon ECS task definition parameters": task size, and memory.
LEAST_CPU = 128
LEAST_MEMORY = 6


@rule("E318")
def task_too_small(scene: Scene) -> Iterable[Finding]:
    """On instances too, ECS wants a task to ask for something."""
    for path, workload in workloads(scene):
        if not workload.compute.ec2:
            continue
        if workload.resources.cpu < LEAST_CPU:
            message = f"{cpu_text(workload.resources.cpu)} CPU; ECS takes {cpu_text(LEAST_CPU)} and more"
            yield Finding((*path, "resources", "cpu"), message, f"say `{cpu_text(LEAST_CPU)}`")
        if workload.resources.memory < LEAST_MEMORY:
            message = (
                f"{memory_text(workload.resources.memory)} of memory; ECS takes {LEAST_MEMORY}Mi and more"
            )
            yield Finding((*path, "resources", "memory"), message, "say what the program needs")


@rule("W310")
def idle_gpu(scene: Scene) -> Iterable[Finding]:
    """An instance with a GPU is paid for it."""
    for path, workload, spec, kind in _instances(scene):
        if kind.gpus and not workload.resources.gpu:
            yield Finding(
                (*path, "compute", "ec2", "instanceType"),
                f"`{spec.instance_type}` has a GPU that `{workload.name}` does not ask for",
                "say `resources: {gpu: 1}`, or take a type without one",
            )


@rule("E315")
def instance_bounds(scene: Scene) -> Iterable[Finding]:
    """The least number of instances is not above the most."""
    for path, workload in workloads(scene):
        spec = workload.compute.ec2
        if spec and spec.min_instances > spec.max_instances:
            yield Finding(
                (*path, "compute", "ec2", "minInstances"),
                f"minInstances {spec.min_instances} is above maxInstances {spec.max_instances}",
                f"say `maxInstances: {spec.min_instances}` or more",
            )
        if spec and spec.volume_size % GIB:
            at = (*path, "compute", "ec2", "volumeSize")
            yield Finding(
                at, "volumes come in whole Gi", f"say {memory_text(-(-spec.volume_size // GIB) * GIB)}"
            )
        if spec and spec.volume_size > LARGEST_VOLUME:
            at = (*path, "compute", "ec2", "volumeSize")
            message = f"a gp3 volume holds {memory_text(LARGEST_VOLUME)} at most"
            yield Finding(at, message, f"say {memory_text(LARGEST_VOLUME)} or less")
        if spec and spec.volume_size < 30 * GIB:
            at = (*path, "compute", "ec2", "volumeSize")
            yield Finding(at, "the ECS-optimised image needs a volume of 30Gi", "say 30Gi or more")


@rule("E316")
def stop_timeout(scene: Scene) -> Iterable[Finding]:
    """ECS waits two minutes at most between SIGTERM and SIGKILL."""
    for path, workload in workloads(scene):
        if not 2 <= workload.stop_timeout <= 120:
            near = min(max(workload.stop_timeout, 2), 120)
            message = f"stopTimeout is {write_duration(workload.stop_timeout)}; ECS takes 2s to 120s"
            yield Finding((*path, "stopTimeout"), message, f"say `{near}s`")


@rule("E317")
def images_for_two_processors(scene: Scene) -> Iterable[Finding]:
    """An image that is shared is built for one processor."""
    seen: dict[str, tuple[Path, str]] = {}
    for path, workload in workloads(scene):
        if not workload.image.build or not workload.image.name:
            continue
        first_path, first = seen.setdefault(workload.image.name, (path, architecture(workload)))
        if first != architecture(workload):
            yield Finding(
                (*path, "image", "name"),
                f"image `{workload.image.name}` would have to run on {first} and on {architecture(workload)}",
                "give one of the images a name of its own",
                (((*first_path, "image"), f"runs on {first}"),),
            )
