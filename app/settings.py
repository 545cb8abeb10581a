"""What the environment says, read once. Names are those of docs/contracts.md and docs/serving.md."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""A model, a version or a file of it: never a path."""

# A server that closes an idle connection before the load balancer does may meet a request on it, which the
# balancer answers with 502 (Elastic Load Balancing, user guide of Application Load Balancers, "Connection
# idle timeout"; its default, 60 s, and its range are those of KEEP_ALIVE_SECONDS).
KEEP_ALIVE_MARGIN = 15
"""Seconds that an idle connection is kept beyond the load balancer's idle timeout."""

BASE_PATH = re.compile(r"(/[A-Za-z0-9][A-Za-z0-9._~-]*)+")
"""A path beneath which the service is: words alone, so that no link or redirect leads to another host."""

MOST_LONE = 4
"""Threads that share one text, by default: more gain little."""

Backend = Literal["onnx", "torch"]
Precision = Literal["auto", "fp32", "int8"]


class Misconfigured(Exception):
    """An environment variable is missing or cannot be used; the message says which and what to do."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How this process serves. Times are in seconds."""

    model_name: str
    model_uri: str
    model_version: str = "current"
    host: str = "0.0.0.0"
    port: int = 8080
    runtime: Backend = "onnx"
    precision: Precision = "auto"
    threads: int = 1
    """Cores that compute."""
    lone_threads: int = 1
    """Cores that share a text while no other waits or runs."""
    queue_time: float = 0.5
    """A request that would wait longer than this is refused at once."""
    request_timeout: float = 10.0
    """How long a request may take: to arrive, and then to be answered."""
    poll_interval: float = 30.0
    """How often `current.json` is read."""
    drain_time: float = 3.0
    """For how long after SIGTERM new requests are still taken, while load balancers look elsewhere."""
    stop_timeout: float = 25.0
    """When, after SIGTERM, requests that still run are given up; below ECS's stop timeout."""
    keep_alive: int = 75
    """How long an idle connection is kept."""
    metrics_namespace: str | None = None
    base_path: str = ""
    """What the paths of requests begin with, where the load balancer does not take it away."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Settings:
        """The settings in `environ`. Raises `Misconfigured`."""
        threads = int(_number(environ, "THREADS", cores(), 1, 256))
        return cls(
            model_name=_name(environ, "MODEL_NAME"),
            model_uri=_location(environ, "MODEL_URI"),
            model_version=_name(environ, "MODEL_VERSION", "current"),
            host=environ.get("HOST") or "0.0.0.0",
            port=int(_number(environ, "PORT", 8080, 0, 65535)),
            runtime=cast(Backend, _choice(environ, "RUNTIME", ("onnx", "torch"))),
            precision=cast(Precision, _choice(environ, "PRECISION", ("auto", "fp32", "int8"))),
            threads=threads,
            lone_threads=int(_number(environ, "LONE_THREADS", min(threads, MOST_LONE), 1, 256)),
            queue_time=_number(environ, "QUEUE_SECONDS", 0.5, 0.01, 600),
            request_timeout=_number(environ, "REQUEST_TIMEOUT_SECONDS", 10, 0.1, 3600),
            poll_interval=_number(environ, "POLL_SECONDS", 30, 0.1, 86_400),
            drain_time=_number(environ, "DRAIN_SECONDS", 3, 0, 110),
            stop_timeout=_number(environ, "STOP_TIMEOUT_SECONDS", 25, 1, 110),
            keep_alive=math.ceil(_number(environ, "KEEP_ALIVE_SECONDS", 60, 1, 4000)) + KEEP_ALIVE_MARGIN,
            metrics_namespace=environ.get("METRICS_NAMESPACE") or None,
            base_path=_base_path(environ),
        )


def cores() -> int:
    """The cores that this process may use: those it is bound to, or fewer where its container has a quota."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
    except (OSError, ValueError):
        return available
    return available if quota == "max" else max(1, min(available, math.ceil(int(quota) / int(period))))


def _name(environ: Mapping[str, str], variable: str, default: str = "") -> str:
    value = environ.get(variable) or default
    if not value:
        raise Misconfigured(f"{variable} is not set")
    if not NAME.fullmatch(value):
        raise Misconfigured(f"{variable} is {value!r}; it may hold letters, digits, '.', '_' and '-'")
    return value


def _location(environ: Mapping[str, str], variable: str) -> str:
    value = environ.get(variable, "")
    if not value:
        raise Misconfigured(f"{variable} is not set; give s3://BUCKET/PREFIX/ or a folder")
    return value if value.endswith("/") else value + "/"


def _base_path(environ: Mapping[str, str]) -> str:
    value = environ.get("BASE_PATH", "").rstrip("/")
    if value and not BASE_PATH.fullmatch(value):
        raise Misconfigured(
            f"BASE_PATH is {value!r}; give a path such as /reviews, of letters, digits, '.', '_', '~' and '-'"
        )
    return value


def _choice(environ: Mapping[str, str], variable: str, choices: tuple[str, ...]) -> str:
    value = environ.get(variable) or choices[0]
    if value not in choices:
        raise Misconfigured(f"{variable} is {value!r}; choose one of {', '.join(choices)}")
    return value


def _number(environ: Mapping[str, str], variable: str, default: float, least: float, most: float) -> float:
    text = environ.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not least <= value <= most:
        raise Misconfigured(f"{variable} is {text!r}; give a number from {least:g} to {most:g}")
    return value
