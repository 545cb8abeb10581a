"""The folder in which a run keeps what outlives a single command: one run at a time, nothing left behind."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from mlopsgen import regular
from mlopsgen.diagnostics.fault import UserFault

MARK = "MLOPSGEN_LOCAL"
"""The variable by which a process of a run is known, its children's children included."""


LABEL = "mlopsgen.local"
"""The label by which a container of a run is known."""


class Busy(UserFault):
    """Another run holds the folder."""


@dataclass(frozen=True, slots=True)
class Run:
    """What other commands have to know of the run that is under way."""

    run: str
    """Its mark: random, so that no other process bears it by chance."""
    pid: int
    token: str
    """What a request to its control port has to bear."""
    control: int = 0
    """Its control port on loopback; 0 until it listens."""
    environment: str = ""
    ready: bool = False
    """Whether it serves."""
    engine: str = ""
    """The container engine that it uses, if any."""


class RunFolder:
    """`.mlopsgen/local` beside the pipeline."""

    def __init__(self, pipeline: Path) -> None:
        self.root = pipeline.absolute().parent.resolve() / ".mlopsgen" / "local"
        self._lock: int | None = None

    @property
    def logs(self) -> Path:
        """One file per task, kept until the next run."""
        return self.root / "logs"

    @property
    def built(self) -> Path:
        """What was compiled for this run."""
        return self.root / "generated"

    @property
    def scratch(self) -> Path:
        """The tasks' own /tmp."""
        return self.root / "tmp"

    @property
    def volumes(self) -> Path:
        """What outlives tasks and runs: a folder for each environment's volumes."""
        return self.root.parent / "volumes"

    @property
    def store(self) -> Path:
        """A copy of what the run's bucket must not lose."""
        return self.root / "store"

    def refuse_others(self) -> None:
        """Raises `UserFault` if what is in the folder's place is not ours to clear: a file, or a link."""
        for path, what in ((self.root.parent, "the folder of runs"), (self.root, "the folder of a run")):
            link = path == self.root and path.is_symlink()
            if link or (os.path.lexists(path) and not path.is_dir()):
                raise UserFault(f"{path} is a {'link' if link else 'file'}, and not {what}: take it away")

    def take(self) -> Run:
        """Make the folder this run's own, cleared of what an earlier one left.

        Raises `Busy`, `UserFault`, `OSError`.
        """
        self.refuse_others()
        self.root.mkdir(parents=True, exist_ok=True)
        (self.root.parent / ".gitignore").write_text("*\n")
        lock = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            raise Busy from None
        self._lock = lock
        self.clear()
        run = Run(secrets.token_hex(16), os.getpid(), secrets.token_urlsafe(32))
        for each in (self.logs, self.built, self.scratch, self.store):
            # What a container wrote as another user may be there still.
            each.mkdir(mode=0o700, exist_ok=True)
        self.note(run)
        return run

    def note(self, run: Run) -> None:
        """Write down what others have to know; readable by nobody else."""
        path = self.root / "run.json"
        fresh = path.with_suffix(".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(run), file)
        fresh.replace(path)

    def read(self) -> Run | None:
        """What the last run wrote down, whether it is still under way or not."""
        try:
            found = json.loads(regular.text(self.root / "run.json"))
            given = {each.name: found[each.name] for each in fields(Run)}
        except (OSError, ValueError, KeyError, TypeError, RecursionError):
            return None
        # Somebody else may have written it: a number that is no process would end another one.
        right = all(type(given[each.name]).__name__ == each.type for each in fields(Run))
        return Run(**given) if right and given["run"] and given["pid"] > 1 else None

    def busy(self) -> bool:
        """Whether a run is under way. The lock tells, which ends with its holder however that ends."""
        try:
            lock = os.open(self.root / "lock", os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        finally:
            os.close(lock)
        return False

    def clear(self, *, keep_logs: bool = False) -> None:
        """End the processes that the last run left, and remove its files."""
        if left := self.read():
            sweep(left.run, left.engine)
        kept = {"lock", "logs"} if keep_logs else {"lock"}
        for path in list(self.root.iterdir()):
            if path.name in kept:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def release(self) -> None:
        """Let the folder go, with nothing but the logs in it."""
        if self._lock is not None:
            self.clear(keep_logs=True)
            os.close(self._lock)
            self._lock = None

    def remove(self) -> None:
        """Remove the folder as a whole, but for volumes."""
        shutil.rmtree(self.root, ignore_errors=True)
        if self.volumes.exists():
            return
        with contextlib.suppress(OSError):
            (self.root.parent / ".gitignore").unlink()
            self.root.parent.rmdir()


def sweep(mark: str, engine: str = "") -> int:
    """Kill every process that bears `mark`, and return how many there were; containers of `engine` too."""
    killed = 0
    if engine:
        _remove_containers(engine, mark)
    for _ in range(50):
        found = [pid for pid in marked(mark) if pid != os.getpid()]
        if not found:
            break
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed += 1
        time.sleep(0.02)
    return killed


def _remove_containers(engine: str, mark: str) -> None:
    """An engine that is gone has no containers either."""
    asked = [engine, "ps", "--all", "--quiet", "--filter", f"label={LABEL}={mark}"]
    with contextlib.suppress(OSError):
        found = subprocess.run(asked, stdin=subprocess.DEVNULL, capture_output=True, text=True).stdout.split()
        if found:
            subprocess.run([engine, "rm", "--force", "--volumes", *found], capture_output=True)


def marked(mark: str) -> Iterator[int]:
    """The processes that were started with `mark`, or by one that was."""
    needle = f"{MARK}={mark}".encode()
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if any(each.startswith(needle) for each in path.read_bytes().split(b"\0")):
                yield int(path.parent.name)
