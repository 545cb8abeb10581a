"""What the trainer says: one JSON object a line, or plain words and a bar for a person at a terminal."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import TypeVar

T = TypeVar("T")
Value = str | int | float | bool | None


def _main_process() -> bool:
    return os.environ.get("RANK", "0") == "0"


def say(event: str, *, level: str = "info", **fields: Value) -> None:
    """Say one thing that happened. Only the first of several processes speaks, unless it is a warning."""
    if level == "info" and not _main_process():
        return
    if sys.stdout.isatty():
        words = "  ".join(f"{key}={_short(value)}" for key, value in fields.items())
        print(f"{time.strftime('%H:%M:%S')} {event:<12} {words}".rstrip(), flush=True)
        return
    line = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "level": level, "event": event}
    print(json.dumps(line | fields, ensure_ascii=False), flush=True)


def warn(event: str, **fields: Value) -> None:
    """Say something that a person should look at."""
    say(event, level="warning", **fields)


def progress(items: Iterable[T], title: str, total: int | None = None, every: float = 30.0) -> Iterator[T]:
    """Pass `items` through and show how far it is: a bar on a terminal, else a line each `every` seconds."""
    if not _main_process():
        yield from items
        return
    if sys.stdout.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=title, total=total, file=sys.stdout, leave=False)
        return
    started = last = time.monotonic()
    for done, item in enumerate(items):
        now = time.monotonic()
        if now - last >= every:
            last = now
            say("progress", of=title, done=done, total=total, seconds=round(now - started, 1))
        yield item


def metrics(namespace: str, model: str, values: Mapping[str, float], unit: Mapping[str, str]) -> None:
    """Print `values` in CloudWatch's embedded metric format; CloudWatch Logs makes metrics of such a line.

    Nothing is printed without a namespace.
    """
    if not namespace or not values or not _main_process():
        return
    names = [{"Name": name, "Unit": unit.get(name, "None")} for name in values]
    directive = {"Namespace": namespace, "Dimensions": [["Model"]], "Metrics": names}
    meta = {"Timestamp": time.time_ns() // 1_000_000, "CloudWatchMetrics": [directive]}
    print(json.dumps({"_aws": meta, "Model": model, **values}), flush=True)


def _short(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
