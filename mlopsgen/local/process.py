"""Commands that end when their starter ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

GUARD = Path(__file__).with_name("guard.py")

LINE = 256 * 1024
"""The longest line that is passed on, in bytes: what CloudWatch takes as one event."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run, and how long it may take to end when asked to."""

    argv: tuple[str, ...]
    environment: Mapping[str, str]
    folder: Path
    stop_timeout: float = 30
    """Seconds between SIGTERM and SIGKILL."""
    after: Sequence[Sequence[str]] = field(default=())
    """Commands that clean up behind it, run whatever becomes of it."""


class Process:
    """A running command, with all that it starts. Make one with `start`."""

    def __init__(self, process: asyncio.subprocess.Process, lifeline: int, command: Command) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self.command = command
        self.pid = process.pid
        self.stopping = False
        self._ended: asyncio.Task[int] | None = None

    @classmethod
    async def start(cls, command: Command, hear: Callable[[str], None]) -> Process:
        """Start it; `hear` gets each line that it prints."""
        theirs, ours = os.pipe()
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-S",
                str(GUARD),
                str(theirs),
                json.dumps(list(map(list, command.after))),
                *command.argv,
                cwd=command.folder,
                env=dict(command.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
                pass_fds=(theirs,),
            )
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        running = cls(process, ours, command)
        running._ended = asyncio.create_task(running._watch(hear))
        return running

    @property
    def ended(self) -> bool:
        """Whether it and all that it started are gone."""
        return self._ended is not None and self._ended.done()

    async def wait(self) -> int:
        """Its exit code, once it and all that it started are gone; 128 + N after signal N."""
        assert self._ended is not None
        return await asyncio.shield(self._ended)

    async def stop(self) -> int:
        """Ask it to end, and end it if it has not within its time."""
        self.stopping = True
        if not self.ended:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(self.command.stop_timeout):
                    return await self.wait()
            except TimeoutError:
                self.kill()
        return await self.wait()

    def kill(self) -> None:
        """End it and all that it started, at once."""
        self.stopping = True
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    async def _watch(self, hear: Callable[[str], None]) -> int:
        stdout = self._process.stdout
        assert stdout is not None
        rest = b""
        try:
            while chunk := await stdout.read(65536):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    hear(_text(line))
                while len(rest) > LINE:
                    hear(_text(rest[:LINE]))
                    rest = rest[LINE:]
            if rest:
                hear(_text(rest))
            code = await self._process.wait()
        finally:
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None
        return 128 - code if code < 0 else code


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


async def run(command: Command, hear: Callable[[str], None]) -> int:
    """Run it to its end and return its exit code. If the caller is cancelled, it is stopped first."""
    process = await Process.start(command, hear)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        await process.stop()
        raise
