"""Whether instances hold tasks: by CPU, memory, GPUs and network interfaces, of one size or of several."""

from __future__ import annotations

from collections import Counter

import pytest

from mlopsgen.aws.instance_types import find
from mlopsgen.components.capacity.room import Demand, hold, scarcest

GIB = 1024
SMALL, LARGE, GPU = Demand(512, GIB, 0), Demand(3072, 6 * GIB, 0), Demand(1024, 4 * GIB, 1)


@pytest.mark.parametrize(
    ("name", "instances", "tasks", "held"),
    [
        ("m5.xlarge", 1, {SMALL: 3}, True),
        ("m5.xlarge", 1, {SMALL: 4}, False),
        ("m5.xlarge", 2, {LARGE: 2, SMALL: 4}, True),
        ("m5.xlarge", 2, {LARGE: 3}, False),
        ("g4dn.xlarge", 3, {GPU: 3}, True),
        ("g4dn.xlarge", 3, {GPU: 4}, False),
        ("g4dn.xlarge", 1, {GPU: 1, SMALL: 1}, True),
        ("m5.xlarge", 0, {SMALL: 1}, False),
        ("m5.xlarge", 0, {}, True),
        ("m5.large", 1000, {SMALL: 2000}, True),
        ("m5.large", 999, {SMALL: 2000}, False),
    ],
)
def test_instances_hold_what_fits_on_them(
    name: str, instances: int, tasks: dict[Demand, int], held: bool
) -> None:
    """An m5.xlarge has four network interfaces, one of which is its own."""
    kind = find(name)
    assert kind
    assert hold(kind, instances, Counter(tasks)) is held


@pytest.mark.parametrize(
    ("name", "tasks", "by"),
    [
        ("m5.xlarge", {SMALL: 4}, "network interfaces"),
        ("m5.xlarge", {LARGE: 2}, "CPU"),
        ("g4dn.xlarge", {GPU: 2}, "GPUs"),
        ("r5.large", {Demand(128, 12 * GIB, 0): 2}, "memory"),
    ],
)
def test_what_there_is_least_of_is_named(name: str, tasks: dict[Demand, int], by: str) -> None:
    kind = find(name)
    assert kind
    assert scarcest(kind, 1, Counter(tasks)) == by
