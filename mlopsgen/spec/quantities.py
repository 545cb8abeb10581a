"""Quantities and durations as Kubernetes writes them, and the one unit each is kept in."""

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MEBIBYTES = {"Mi": 1, "Gi": 1024, "Ti": 1024 * 1024}

CPU_PATTERN = r"^([1-9][0-9]{0,3}m|(0|[1-9][0-9]{0,2})(\.[0-9]{1,3})?)$"
MEMORY_PATTERN = r"^[1-9][0-9]{0,6}(Mi|Gi|Ti)$"
DURATION_PATTERN = r"^(0|[1-9][0-9]{0,6})(s|m|h|d)$"
LATENCY_PATTERN = r"^[1-9][0-9]{0,5}(ms|s)$"


def parse_cpu(value: object) -> int:
    """`"1"`, `0.5` or `500m` in CPU units, of which ECS counts 1024 to a vCPU.

    Raises ValueError if it is not such a quantity.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError('expected a CPU quantity such as "1", "0.5" or 500m')
    text = str(value)
    if not re.fullmatch(CPU_PATTERN, text):
        raise ValueError(f'expected a CPU quantity such as "1", "0.5" or 500m, not `{text}`')
    thousandths = int(text[:-1]) if text.endswith("m") else round(float(text) * 1000)
    if thousandths == 0:
        raise ValueError("a CPU quantity must be more than 0")
    return round(thousandths * 1024 / 1000)


def parse_memory(value: object) -> int:
    """`512Mi` or `2Gi` in MiB. Raises ValueError if it is not such a quantity."""
    if not isinstance(value, str) or not re.fullmatch(MEMORY_PATTERN, value):
        raise ValueError(f"expected an amount of memory such as 512Mi or 2Gi, not `{value}`")
    return int(value[:-2]) * _MEBIBYTES[value[-2:]]


def parse_duration(value: object) -> int:
    """`30s`, `15m`, `6h` or `90d` in seconds. Raises ValueError if it is not such a duration."""
    if not isinstance(value, str) or not re.fullmatch(DURATION_PATTERN, value):
        raise ValueError(f"expected a duration such as 30s, 15m, 6h or 90d, not `{value}`")
    return int(value[:-1]) * _SECONDS[value[-1]]


def parse_latency(value: object) -> int:
    """`250ms` or `2s` in milliseconds. Raises ValueError if it is neither."""
    if not isinstance(value, str) or not re.fullmatch(LATENCY_PATTERN, value):
        raise ValueError(f"expected a latency such as 250ms or 2s, not `{value}`")
    return int(value[:-2]) if value.endswith("ms") else int(value[:-1]) * 1000


def write_cpu(units: int) -> str:
    """CPU units as `1`, `0.5` or `250m`: the shortest that `parse_cpu` reads back."""
    thousandths = round(units * 1000 / 1024)
    return f"{thousandths / 1000:g}" if thousandths % 100 == 0 else f"{thousandths}m"


def write_memory(mebibytes: int) -> str:
    """MiB as `512Mi`, `2Gi` or `1Ti`, in the largest unit that divides it."""
    return _in_largest(mebibytes, _MEBIBYTES)


def write_duration(seconds: int) -> str:
    """Seconds as `30s`, `15m`, `6h` or `90d`, in the largest unit that divides them."""
    return _in_largest(seconds, _SECONDS)


def write_latency(milliseconds: int) -> str:
    """Milliseconds as `250ms` or `2s`."""
    return f"{milliseconds // 1000}s" if milliseconds % 1000 == 0 else f"{milliseconds}ms"


def _in_largest(amount: int, units: dict[str, int]) -> str:
    name, size = next(
        (name, size) for name, size in reversed(units.items()) if amount % size == 0 and (amount or size == 1)
    )
    return f"{amount // size}{name}"


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    *others, last = examples
    return WithJsonSchema(
        {
            "type": "string",
            "pattern": pattern,
            "patternErrorMessage": f"Write a quantity with its unit, such as {', '.join(others)} or {last}.",
            "examples": list(examples),
        }
    )


Cpu = Annotated[
    int,
    BeforeValidator(parse_cpu),
    WithJsonSchema(
        {
            "type": ["string", "number"],
            "pattern": CPU_PATTERN,
            "patternErrorMessage": 'Write a CPU quantity such as "1", "0.5" or 500m.',
            "exclusiveMinimum": 0,
            "examples": ["1", "500m", "0.25"],
        }
    ),
]
"""vCPUs, kept as CPU units (1024 to a vCPU)."""

Memory = Annotated[int, BeforeValidator(parse_memory), _text(MEMORY_PATTERN, "512Mi", "2Gi")]
"""Memory, kept in MiB."""

Duration = Annotated[int, BeforeValidator(parse_duration), _text(DURATION_PATTERN, "30s", "15m", "6h", "90d")]
"""A span of time, kept in seconds."""

Latency = Annotated[int, BeforeValidator(parse_latency), _text(LATENCY_PATTERN, "250ms", "2s")]
"""A response time, kept in milliseconds."""
