"""The sizes that Fargate offers (Amazon ECS developer guide, "Fargate task definition considerations")."""

from __future__ import annotations

from mlopsgen.language.values import GIBIBYTE as GIB

MEMORY: dict[int, tuple[int, ...]] = {
    256: (512, 1 * GIB, 2 * GIB),
    512: tuple(size * GIB for size in range(1, 5)),
    1024: tuple(size * GIB for size in range(2, 9)),
    2048: tuple(size * GIB for size in range(4, 17)),
    4096: tuple(size * GIB for size in range(8, 31)),
    8192: tuple(size * GIB for size in range(16, 61, 4)),
    16384: tuple(size * GIB for size in range(32, 121, 8)),
}
"""For each number of CPU units, the amounts of memory in MiB."""

EPHEMERAL_STORAGE = (21 * GIB, 200 * GIB)
"""The least and the most disk space that can be asked for, in MiB."""


def nearest(cpu: int, memory: int) -> tuple[int, int]:
    """The smallest size that holds `cpu` units and `memory` MiB, or the largest of all."""
    for units, sizes in MEMORY.items():
        fitting = [size for size in sizes if size >= memory]
        if units >= cpu and fitting:
            return units, fitting[0]
    return 16384, 120 * GIB
