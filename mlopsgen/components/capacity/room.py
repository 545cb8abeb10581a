"""How many tasks the instances of a pool have room for, all its users together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from mlopsgen.aws.instance_types import InstanceType
from mlopsgen.components.workloads.spec import WorkloadSpec


class Demand(NamedTuple):
    """What one task takes of an instance; beside it a network interface of its own."""

    cpu: int
    memory: int
    gpu: int


Tasks: TypeAlias = Counter[Demand]
"""How many tasks there are of each size."""


def demand(spec: WorkloadSpec) -> Demand:
    """What a task of a workload takes."""
    return Demand(spec.resources.cpu, spec.resources.memory, spec.resources.gpu)


def fits(one: Demand, kind: InstanceType) -> bool:
    """Whether an empty instance has room for the task."""
    return one.cpu <= kind.cpu and one.memory <= kind.usable_memory and one.gpu <= kind.gpus


def hold(kind: InstanceType, instances: int, tasks: Mapping[Demand, int]) -> bool:
    """Whether so many instances hold all the tasks, the largest placed first."""
    left = {size: tasks[size] for size in sorted(tasks, reverse=True) if tasks[size]}
    for _ in range(instances):
        if not left:
            return True
        _fill(kind, left)
    return not left


def _fill(kind: InstanceType, left: dict[Demand, int]) -> None:
    """Take off `left` what one instance holds."""
    cpu, memory, gpus, interfaces = kind.cpu, kind.usable_memory, kind.gpus, kind.tasks
    for size in list(left):
        room = [cpu // max(size.cpu, 1), memory // max(size.memory, 1), interfaces, left[size]]
        if size.gpu:
            room.append(gpus // size.gpu)
        count = max(min(room), 0)
        cpu, memory, gpus = cpu - count * size.cpu, memory - count * size.memory, gpus - count * size.gpu
        interfaces -= count
        left[size] -= count
        if not left[size]:
            del left[size]


def scarcest(kind: InstanceType, instances: int, tasks: Mapping[Demand, int]) -> str:
    """What the tasks need most of, by what the instances have."""
    count = sum(tasks.values())
    needs = {
        "CPU": sum(size.cpu * number for size, number in tasks.items()) / kind.cpu,
        "memory": sum(size.memory * number for size, number in tasks.items()) / kind.usable_memory,
        "network interfaces": count / max(kind.tasks, 1),
        "GPUs": sum(size.gpu * number for size, number in tasks.items()) / max(kind.gpus, 1),
    }
    return max(needs, key=lambda each: needs[each] / instances)
