"""Runs the examples' images as their task definitions do: `python -m NAME`, settings by environment."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from tests.tools import needs_extra

EXAMPLES = Path(__file__).parents[2] / "examples"
PATIENCE = 300
"""Seconds after which a process that hangs fails its test."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that ended: its exit status, and what it said, a JSON object a line."""

    status: int
    lines: tuple[dict[str, Any], ...]

    def said(self, message: str) -> dict[str, Any]:
        """The one line with this message."""
        (line,) = (line for line in self.lines if line.get("message") == message)
        return line


def start(context: str, environment: Mapping[str, str]) -> subprocess.Popen[str]:
    """Start the image of `context`, such as `recommender/train`. This process's settings do not reach it."""
    needs_extra("serve")
    needs_extra("train")
    folder = EXAMPLES / context
    base = {
        "PATH": os.environ["PATH"],
        "HOME": environment.get("TMPDIR", "/tmp"),
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",  # the work is small: threads would only wait for each other
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.Popen(
        [sys.executable, "-m", folder.name],
        cwd=folder.parent,
        env=base | dict(environment),
        stdout=subprocess.PIPE,
        text=True,
    )


def end(process: subprocess.Popen[str], earlier: tuple[str, ...] = ()) -> Ended:
    """Wait until it ends."""
    try:
        rest, _ = process.communicate(timeout=PATIENCE)
    finally:
        process.kill()
    lines = (*earlier, *rest.splitlines())
    return Ended(process.returncode, tuple(json.loads(line) for line in lines))


def run(context: str, environment: Mapping[str, str]) -> Ended:
    """Run it to its end."""
    return end(start(context, environment))


def interrupt(context: str, environment: Mapping[str, str], after: str) -> Ended:
    """Run it and send SIGTERM once it has said `after`."""
    process = start(context, environment)
    said = []
    for line in process.stdout or ():
        said.append(line)
        if json.loads(line).get("message") == after:
            break
    process.send_signal(signal.SIGTERM)
    return end(process, tuple(said))


@contextmanager
def serving(context: str, environment: Mapping[str, str]) -> Iterator[httpx.Client]:
    """A client of the service once it is healthy; at the end it has to stop at SIGTERM with status 0."""
    with running(context, environment) as (client, _):
        yield client


@contextmanager
def running(
    context: str, environment: Mapping[str, str]
) -> Iterator[tuple[httpx.Client, subprocess.Popen[str]]]:
    """The same, with the process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = start(context, {**environment, "PORT": str(port)})
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=PATIENCE) as client:
            _wait(client, process)
            yield client, process
        process.terminate()
        assert end(process).status == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _wait(client: httpx.Client, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < until:
        try:
            assert client.get("/health").status_code == 200
            return
        except httpx.TransportError:
            time.sleep(0.05)
    process.kill()
    raise AssertionError(f"it never became healthy: {process.communicate()[0]}")


def store(folder: Path, **settings: Any) -> dict[str, str]:
    """The environment of a trainer and a service of model `m` whose data and models lie in `folder`."""
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    return {
        "PARAMETERS": json.dumps(settings),
        "MODEL_NAME": "m",
        "MODEL_URI": f"{folder}/models/m/",
        "PROMOTION": '{"policy": "automatic", "metrics": {}}',
        "RAW_URI": f"{folder}/raw/",
        "TMPDIR": f"{folder}/tmp",
    }


def version(environment: Mapping[str, str]) -> Path:
    """The folder of the current version."""
    models = Path(environment["MODEL_URI"])
    current = json.loads((models / "current.json").read_text())
    return models / str(current["version"])
