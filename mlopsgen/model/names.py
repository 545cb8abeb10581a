"""How names of the pipeline become names elsewhere: logical ids, variables, bounded physical names."""

from __future__ import annotations

from functools import cache
from hashlib import sha256

WORKLOAD_TAG = "mlopsgen:workload"
"""The tag by which a task says whose it is: rights on tasks have nothing else to tell them apart by."""


@cache
def logical(name: str) -> str:
    """`sentiment-api` as the start of a logical id: `SentimentApi`."""
    return "".join(word.capitalize() for word in name.replace("/", "-").split("-"))


def variable(name: str) -> str:
    """`sentiment-api` as the start of an environment variable's name: `SENTIMENT_API`."""
    return name.upper().replace("-", "_").replace(".", "_")


def within(name: str, limit: int) -> str:
    """`name`, or as much of its start as `limit` characters allow and a digest that keeps it unique."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 9].rstrip('-')}-{sha256(name.encode()).hexdigest()[:8]}"


def weight_name(target_group: str) -> str:
    """The template parameter with the weight that a target group has in its rule."""
    return f"{target_group}Weight"
