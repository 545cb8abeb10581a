"""Starts `python -m app` as an image does, and talks to it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.tools import needs_extra

ROOT = Path(__file__).parents[2]
PATIENCE = 120
"""Seconds after which what does not come about fails its test, however busy the machine is."""


@dataclass(frozen=True)
class Running:
    """A service's process, its address, and where its standard output goes."""

    process: subprocess.Popen[bytes]
    url: str
    output: Path
    client: httpx.Client

    def predict(self, *texts: str) -> httpx.Response:
        """Ask for one text, or for several at once."""
        body = {"text": texts[0]} if len(texts) == 1 else {"texts": list(texts)}
        return self.client.post("/predict", json=body)

    def lines(self, event: str | None = None) -> list[dict[str, Any]]:
        """What it has logged; each line is JSON."""
        whole, _, _ = self.output.read_text().rpartition("\n")
        found = [json.loads(line) for line in whole.splitlines()]
        return [each for each in found if event is None or each.get("event") == event]

    def stop(self) -> int:
        """Send SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=PATIENCE)


@contextmanager
def serving(store: Path | str, folder: Path, *, ready: bool = True, **variables: str) -> Iterator[Running]:
    """A service on a free port, with the model store at `store`; logs go to `folder`."""
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT),
        "MODEL_NAME": "sentiment",
        "MODEL_URI": str(store),
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "POLL_SECONDS": "0.2",
        "DRAIN_SECONDS": "0",
        "THREADS": "1",
        "TMPDIR": str(folder),
    } | variables
    needs_extra("serve")
    output = folder / f"{port}.log"
    with output.open("wb") as file, (folder / f"{port}.err").open("wb") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "app"], cwd=folder, env=environment, stdout=file, stderr=errors
        )
    url = f"http://127.0.0.1:{port}"
    try:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            running = Running(process, url, output, client)
            until(lambda: listening(running) and (not ready or client.get("/ready").status_code == 200))
            yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def listening(running: Running) -> bool:
    """Whether it answers; fails if it ended instead."""
    if running.process.poll() is not None:
        raise AssertionError(running.output.with_suffix(".err").read_text())
    try:
        return running.client.get("/health").status_code == 200
    except httpx.TransportError:
        return False


def until(holds: Callable[[], Any], seconds: float = PATIENCE) -> None:
    """Wait until something holds; fail if it does not in time."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it did not come about in time"
        time.sleep(0.02)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])
