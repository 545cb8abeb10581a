"""Starts `mlopsgen local` as a user does, and looks for what it leaves."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

from tests.tools import needs_extra

PROJECT = Path(__file__).with_name("project")
COMMAND = (sys.executable, "-m", "mlopsgen", "local")
PATIENCE = 300
"""Seconds after which what does not come about fails its test, however busy the machine is."""


def project(folder: Path) -> Path:
    """A copy of the small project in `folder`, with data."""
    shutil.copytree(PROJECT, folder / "project")
    (folder / "project" / "reviews.txt").write_text("good film\ngood cast\n")
    return folder / "project"


class Up:
    """`mlopsgen local up`, running."""

    def __init__(self, folder: Path, *options: str) -> None:
        needs_extra("local")
        self.folder = folder
        self._output = folder / "output.txt"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [*COMMAND, "up", *options],
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    @property
    def output(self) -> str:
        """All that it has said."""
        return self._output.read_text()

    def says(self, text: str, patience: float = PATIENCE) -> str:
        """Wait until it has said `text`."""
        until(lambda: text in self.output or self.process.poll() is not None, f"`{text}` is said", patience)
        assert text in self.output, self.output
        return self.output

    def interrupt(self) -> int:
        """Ctrl-C; its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(PATIENCE)

    def end(self) -> None:
        """Leave nothing behind, whatever a test has found."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        local(self.folder, "down")


def local(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Another command beside it."""
    return subprocess.run(
        [*COMMAND, *words],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def status(folder: Path) -> dict[str, Any]:
    """What `mlopsgen local status` says."""
    result = local(folder, "status", "-o", "json")
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def processes(folder: Path) -> list[str]:
    """Every process that works in `folder` or below, or was started from there: its command line."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            where = (path / "cwd").readlink()
            words = (path / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            marked = str(folder).encode() in (path / "environ").read_bytes()
        except OSError:
            continue
        if int(path.name) != os.getpid() and (where.is_relative_to(folder) or marked):
            found.append(f"{path.name}: {words}")
    return found


def tasks(folder: Path, text: str) -> list[int]:
    """The processes below `folder` whose command line is that of `text`, without what watches them."""
    found = [each.partition(": ") for each in processes(folder)]
    return [int(pid) for pid, _, words in found if words.strip().endswith(text) and "guard.py" not in words]


def until(holds: Any, what: str, patience: float = PATIENCE) -> Any:
    """Wait until `holds()` is true, and return what it returns."""
    deadline = time.monotonic() + patience
    while not (found := holds()):
        assert time.monotonic() < deadline, f"waited {patience:g} s in vain until {what}"
        time.sleep(0.05)
    return found


class Load:
    """Requests, one after the other in each of several threads, for as long as the block runs."""

    def __init__(self, url: str, threads: int = 4, seconds: float | None = 0.02, text: str = "good") -> None:
        self._url = url
        self._text = text
        self._seconds = seconds
        self._going = True
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        self.statuses: Counter[int] = Counter()
        self.versions: Counter[str] = Counter()

    def __enter__(self) -> Load:
        for each in self._threads:
            each.start()
        until(lambda: self.statuses[200] > 10, "requests are answered")
        return self

    def __exit__(self, *_: object) -> None:
        self._going = False
        for each in self._threads:
            each.join()

    def _ask(self) -> None:
        while self._going:
            if not self._seconds:
                time.sleep(0.1)
            code, answer = predict(self._url, self._text, self._seconds)
            with self._lock:
                self.statuses[code] += 1
                self.versions[answer.get("version") or answer.get("model", "")] += 1


def predict(url: str, text: str, seconds: float | None = 0) -> tuple[int, dict[str, Any]]:
    """The status and the answer; 0 if the connection broke. The small project's service takes `seconds`."""
    body = json.dumps({"text": text} | ({"seconds": seconds} if seconds is not None else {})).encode()
    request = urllib.request.Request(f"{url}/predict", body, {"Content-Type": "application/json"})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=PATIENCE
        ) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, {}
    except OSError:
        return 0, {}
