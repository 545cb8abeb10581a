"""Several training processes on one machine, one for each GPU. `torchrun` may start them instead."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType

from train.errors import Failed, Stopped
from train.settings import Hyperparameters


def one_of_several(settings: Hyperparameters) -> bool:
    """Whether this process shares the training with others, which `start` or torchrun started."""
    return "RANK" in os.environ and settings.architecture != "bow"


def wanted(settings: Hyperparameters) -> int:
    """How many processes to start: none if this is one of several already."""
    if "RANK" in os.environ or settings.architecture == "bow":
        return 1
    if settings.processes:
        return settings.processes
    import torch

    return max(1, torch.cuda.device_count())


def start(count: int, arguments: Sequence[str], work: Path) -> None:
    """Run the stage fit in `count` processes on `work`, and wait for all of them.

    SIGTERM goes on to each of them. Raises `Stopped` if they ended by it or it came, `Failed` if one failed.
    """
    command = [sys.executable, "-m", "train", "fit", *arguments, "--work", str(work)]
    common = {**os.environ, "WORLD_SIZE": str(count), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_port())}
    children: list[subprocess.Popen[bytes]] = []
    told = threading.Event()

    def forward(number: int, frame: FrameType | None) -> None:
        told.set()
        for child in children:
            child.send_signal(signal.SIGTERM)

    before = signal.signal(signal.SIGTERM, forward)
    try:
        with _held():
            for rank in range(count):
                own = {"RANK": str(rank), "LOCAL_RANK": str(rank)}
                children.append(subprocess.Popen(command, env={**common, **own}))
        codes = _wait(children)
    finally:
        signal.signal(signal.SIGTERM, before)
        for child in children:
            child.kill()
            child.wait()
    if any(code == 128 + signal.SIGTERM for code in codes):
        raise Stopped
    if failed := [code for code in codes if code]:
        raise Failed(failed[0])
    if told.is_set():  # after all had ended
        raise Stopped


@contextlib.contextmanager
def _held() -> Iterator[None]:
    """A context that blocks SIGTERM. Processes started in it keep it blocked until they train: see `hold`."""
    hold()
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def hold() -> None:
    """Block SIGTERM until `train.loop` unblocks it, or one of several would die while others train."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})


def _wait(children: Sequence[subprocess.Popen[bytes]]) -> list[int]:
    """The exit codes of all, or of those that had ended when one failed: the others would wait for it."""
    while True:
        codes = [child.poll() for child in children]
        ended = [code for code in codes if code is not None]
        if len(ended) == len(children) or any(code not in (0, 128 + signal.SIGTERM) for code in ended):
            return ended
        time.sleep(0.1)


def _port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
