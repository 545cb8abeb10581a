"""What tasks print: a file for the person beside the machine, CloudWatch for everything else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from mlopsgen.local.cloud import Cloud

BUFFER = 100_000
"""Lines that may wait for CloudWatch; more are lost for it, as with the log driver's `non-blocking` mode."""

BATCH = 1000
BATCH_BYTES = 900_000


class Log:
    """One task's log."""

    def __init__(
        self,
        path: Path,
        group: str | None,
        stream: str,
        failed: Callable[[OSError], None],
        hear: Callable[[str], None] | None = None,
    ) -> None:
        """`failed` is told when the file cannot be written, `hear` gets each line as well."""
        self.path = path
        self.group = group
        self.stream = stream
        self.last: deque[str] = deque(maxlen=8)
        """The last lines, for whoever has to say why the task failed."""
        self._failed = failed
        self._hear = hear
        self._waiting: deque[tuple[int, str]] = deque(maxlen=BUFFER)
        self._file: BinaryIO | None = None
        self._opened = False

    def __call__(self, line: str) -> None:
        """Take a line."""
        if not line.strip():
            return
        if measured(line) is None:
            self.last.append(line)
        try:
            if self._file is None:
                self._file = self.path.open("ab", buffering=0)
            self._file.write(line.encode("utf-8", "replace") + b"\n")
        except OSError as error:
            self._failed(error)
        if self.group:
            self._waiting.append((time.time_ns() // 1_000_000, line))
        if self._hear:
            self._hear(line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None

    def flush(self, cloud: Cloud) -> None:
        """Hand what waits to CloudWatch. Blocks."""
        while self._waiting and self.group:
            events: list[tuple[int, str]] = []
            size = 0
            while self._waiting and len(events) < BATCH and size < BATCH_BYTES:
                events.append(self._waiting.popleft())
                size += len(events[-1][1].encode()) + 26
            if not self._opened:
                cloud.open_stream(self.group, self.stream)
                self._opened = True
            cloud.log(self.group, self.stream, events)
            data: dict[str, list[Mapping[str, Any]]] = {}
            for _, line in events:
                for namespace, datum in _data(line):
                    data.setdefault(namespace, []).append(datum)
            for namespace, each in data.items():
                cloud.measure(namespace, each)

    def reopen(self) -> None:
        """Forget that the stream exists: CloudWatch starts anew."""
        self._opened = False


class Logs:
    """All logs of a run."""

    def __init__(self, folder: Path, failed: Callable[[OSError], None]) -> None:
        self._folder = folder
        self._failed = failed
        self._logs: list[Log] = []
        self.cloud: Cloud | None = None

    def open(self, name: str, task: str, group: str | None, hear: Callable[[str], None] | None = None) -> Log:
        """The log of task `task` of `name`, in the stream that ECS's log driver would name."""
        path = self._folder / f"{name}-{task}.log"
        log = Log(path, group, f"{name}/{name}/{task}", self._failed, hear)
        self._logs.append(log)
        return log

    async def ship(self) -> None:
        """Hand lines to CloudWatch until cancelled."""
        while True:
            await asyncio.sleep(1)
            await self.flush()

    async def flush(self) -> None:
        """Hand over what waits now. CloudWatch being away is no fault of the task's: its lines are lost."""
        from botocore.exceptions import BotoCoreError, ClientError

        cloud = self.cloud
        if cloud is not None:
            for log in list(self._logs):
                with contextlib.suppress(BotoCoreError, ClientError):
                    await asyncio.to_thread(log.flush, cloud)

    def reopen(self) -> None:
        """CloudWatch starts anew."""
        for log in self._logs:
            log.reopen()

    def close(self) -> None:
        """Close all files."""
        for log in self._logs:
            log.close()


def measured(line: str) -> dict[str, Any] | None:
    """The document, if `line` is in CloudWatch's embedded metric format."""
    if '"_aws"' not in line:
        return None
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) and isinstance(found.get("_aws"), dict) else None


def _data(line: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The namespace and `MetricData` entry of each metric in `line`."""
    found = measured(line)
    if found is None:
        return
    at = found["_aws"].get("Timestamp", time.time() * 1000) / 1000
    for directive in found["_aws"].get("CloudWatchMetrics", ()):
        for names in directive.get("Dimensions") or [[]]:
            dimensions = [{"Name": name, "Value": str(found.get(name, ""))} for name in names]
            for metric in directive.get("Metrics", ()):
                value = found.get(metric.get("Name"))
                values = value if isinstance(value, list) else [value]
                if not values or not all(isinstance(each, int | float) for each in values):
                    continue
                yield (
                    directive.get("Namespace", ""),
                    {
                        "MetricName": metric["Name"],
                        "Dimensions": dimensions,
                        "Timestamp": at,
                        "Values": values,
                        "Counts": [1] * len(values),
                        "Unit": metric.get("Unit", "None"),
                    },
                )
