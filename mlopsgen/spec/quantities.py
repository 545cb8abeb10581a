"""Quantities and durations as Kubernetes writes them, and the one unit each is kept in."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MEBIBYTES = {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}

CPU_PATTERN = r"^([1-9]\d{0,3}m|(0|[1-9]\d{0,2})(\.\d{1,3})?)$"
MEMORY_PATTERN = r"^[1-9]\d{0,6}(Mi|Gi|Ti)$"
DURATION_PATTERN = r"^(0|[1-9]\d{0,6})(s|m|h|d)$"
LATENCY_PATTERN = r"^[1-9]\d{0,5}(ms|s)$"


def parse_cpu(value: object) -> int:
    """`"1"`, `0.5` or `500m` in CPU units, of which ECS counts 1024 to a vCPU.

    Raises ValueError if it is not such a quantity.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('expected a CPU quantity such as "1", "0.5" or 500m')
    text = str(value)
    if not re.match(CPU_PATTERN, text):
        raise ValueError(f'expected a CPU quantity such as "1", "0.5" or 500m, not `{text}`')
    thousandths = int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)
    return round(thousandths * 1024 / 1000)


def parse_memory(value: object) -> int:
    """`512Mi` or `2Gi` in MiB. Raises ValueError if it is not such a quantity."""
    if not isinstance(value, str) or not re.match(MEMORY_PATTERN, value):
        raise ValueError(f"expected an amount of memory such as 512Mi or 2Gi, not `{value}`")
    return int(value[:-2]) * _MEBIBYTES[value[-2:]]


def parse_duration(value: object) -> int:
    """`30s`, `15m`, `6h` or `90d` in seconds. Raises ValueError if it is not such a duration."""
    if not isinstance(value, str) or not re.match(DURATION_PATTERN, value):
        raise ValueError(f"expected a duration such as 30s, 15m, 6h or 90d, not `{value}`")
    return int(value[:-1]) * _SECONDS[value[-1]]


def parse_latency(value: object) -> int:
    """`250ms` or `2s` in milliseconds. Raises ValueError if it is neither."""
    if not isinstance(value, str) or not re.match(LATENCY_PATTERN, value):
        raise ValueError(f"expected a latency such as 250ms or 2s, not `{value}`")
    return int(value[:-2]) if value.endswith("ms") else int(value[:-1]) * 1000


Cpu = Annotated[
    int,
    BeforeValidator(parse_cpu),
    WithJsonSchema(
        {"anyOf": [{"type": "string", "pattern": CPU_PATTERN}, {"type": "number", "exclusiveMinimum": 0}]}
    ),
]
"""vCPUs, kept as CPU units (1024 to a vCPU)."""

Memory = Annotated[
    int, BeforeValidator(parse_memory), WithJsonSchema({"type": "string", "pattern": MEMORY_PATTERN})
]
"""Memory, kept in MiB."""

Duration = Annotated[
    int, BeforeValidator(parse_duration), WithJsonSchema({"type": "string", "pattern": DURATION_PATTERN})
]
"""A span of time, kept in seconds."""

Latency = Annotated[
    int, BeforeValidator(parse_latency), WithJsonSchema({"type": "string", "pattern": LATENCY_PATTERN})
]
"""A response time, kept in milliseconds."""
