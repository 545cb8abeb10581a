"""EC2 instance types: what each has, and which regions offer it.

The table beside this file is made by `python -m mlopsgen.aws.refresh` from what EC2's DescribeInstanceTypes
answers, as moto carries it, and from the registry schemas of each region, as cfn-lint carries them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("instance_types.tsv")


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
        """MiB that tasks can take, about: the kernel keeps about 3% and the ECS agent reserves nothing.

        ECS registers what the system reports as total memory, which is less than the type's nominal size
        (Amazon ECS developer guide, "Reserving Amazon ECS Linux container instance memory").
        """
        return int(self.memory * 0.97) - 128


@cache
def _table() -> Mapping[str, InstanceType]:
    return dict(_rows())


def _rows() -> Iterator[tuple[str, InstanceType]]:
    head, *lines = TABLE.read_text().splitlines()
    regions = head.removeprefix("# ").split("\t")
    for line in lines:
        name, cpus, memory, gpus, interfaces, architecture, bits = line.split("\t")
        offered_in = int(bits, 16)
        yield (
            name,
            InstanceType(
                int(cpus) * 1024,
                int(memory),
                int(gpus),
                int(interfaces),
                architecture,
                frozenset(each for place, each in enumerate(regions) if offered_in >> place & 1),
            ),
        )


def find(name: str) -> InstanceType | None:
    """The type called `name`, or None if it is not known."""
    return _table().get(name)


def offered(region: str) -> frozenset[str]:
    """The types that `region` offers; none if nothing is known of the region."""
    return frozenset(name for name, kind in _table().items() if region in kind.regions)


def regions() -> tuple[str, ...]:
    """Every region that anything is known of, sorted."""
    return tuple(sorted(TABLE.read_text().partition("\n")[0].removeprefix("# ").split("\t")))
