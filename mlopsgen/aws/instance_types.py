"""EC2 instance types: what each has, and which regions offer it.

The table beside this file is made by `python -m mlopsgen.aws.refresh` from what EC2's DescribeInstanceTypes
answers, as moto carries it, and from the registry schemas of each region, as cfn-lint carries them. Of some
types the schemas alone know: their lines have nothing but the regions.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("instance_types.tsv")

SOURCE = "EC2's instance types, as in "
"""How the table's first line begins; versions follow."""


WITHOUT_DRIVER = {"dl1": "Habana's", "g2": "too old", "g4ad": "AMD's", "p2": "too old"}
"""Families whose GPUs the newest ECS image has no driver for, and what they are.

The image has NVIDIA's driver 580 (aws/amazon-ecs-ami, releases of 2026), in the open form, and for the
Maxwell and Volta GPUs of g3 and p3 in the older one (there, scripts/al2023/gpu/nvidia-kmod-load.sh). The
Kepler GPUs of g2 and p2 had their last driver with 470 (aws-samples/aws-efa-nccl-baseami-pipeline, README).
"""


class InstanceType(NamedTuple):
    """One type: CPU units (1024 to a vCPU), MiB of memory, GPUs, network interfaces, processor, regions."""

    cpu: int
    memory: int
    gpus: int
    interfaces: int
    architecture: str
    regions: frozenset[str]

    @property
    def tasks(self) -> int:
        """The most tasks at once: each has a network interface of its own, and so has the instance.

        More fit where the account has trunking turned on (Amazon ECS developer guide, "Increasing Amazon ECS
        Linux container instance network interfaces").
        """
        return self.interfaces - 1

    @property
    def usable_memory(self) -> int:
        """MiB that tasks can take, at least.

        ECS registers what the system reports as its memory, which is less than the type's nominal size
        (Amazon ECS developer guide, "Reserving Amazon ECS Linux container instance memory"): about 6% less of
        8 GiB and 4% of 16 GiB. Less than 92.5% is not known of any type; so much is what Karpenter counts
        with, too (its documentation, "Settings", `vm-memory-overhead-percent`).
        """
        return self.memory - min(int(self.memory * 0.075), 512 + int(self.memory * 0.03))


@cache
def _table() -> tuple[tuple[str, ...], Mapping[str, str]]:
    """The regions, and each type's line, to be read once somebody asks for it: there are a thousand."""
    _, head, *lines = TABLE.read_text().splitlines()
    return tuple(head.removeprefix("# ").split("\t")), {line.partition("\t")[0]: line for line in lines}


def source() -> str:
    """What the table was made from, with versions."""
    return TABLE.read_text().partition("\n")[0].removeprefix("# ")


def _offered_in(line: str) -> int:
    """The regions as bits, the first region's the lowest."""
    return int(line.rpartition("\t")[2], 16)


@cache
def find(name: str) -> InstanceType | None:
    """The type called `name`, or None if it is not known what it has."""
    places, lines = _table()
    facts = lines.get(name, "").split("\t")
    if len(facts) < 7:
        return None
    line = lines[name]
    _, cpus, memory, gpus, interfaces, architecture, _ = facts
    bits = _offered_in(line)
    there = frozenset(each for place, each in enumerate(places) if bits >> place & 1)
    return InstanceType(int(cpus) * 1024, int(memory), int(gpus), int(interfaces), architecture, there)


def has_driven_gpus(name: str) -> bool:
    """Whether the type has GPUs, and ECS an image with a driver for them: for arm64 it has none."""
    kind = find(name)
    usable = kind is not None and kind.gpus > 0 and kind.architecture == "x86_64"
    return usable and name.partition(".")[0] not in WITHOUT_DRIVER


@cache
def offered(region: str) -> frozenset[str]:
    """The types that `region` offers; none if nothing is known of the region."""
    places, lines = _table()
    if region not in places:
        return frozenset()
    place = places.index(region)
    return frozenset(name for name, line in lines.items() if _offered_in(line) >> place & 1)


def named_in(name: str) -> frozenset[str]:
    """The regions that offer the type, also if nothing more is known of it."""
    places, lines = _table()
    bits = _offered_in(lines[name]) if name in lines else 0
    return frozenset(each for place, each in enumerate(places) if bits >> place & 1)


def regions() -> tuple[str, ...]:
    """Every region that anything is known of, sorted."""
    return tuple(sorted(_table()[0]))
