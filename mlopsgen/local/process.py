"""Commands that end when their starter ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mlopsgen.local.state import MARK, sweep

GUARD = Path(__file__).with_name("guard.py")

LINE = 256 * 1024
"""The longest line that is passed on, in bytes: what CloudWatch takes as one event."""


LAST_WORDS = 5.0
"""Seconds for which what a command has printed is still read when it has ended."""


@dataclass(frozen=True, slots=True)
class Program:
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

    def __init__(self, process: subprocess.Popen[bytes], lifeline: int, command: Program) -> None:
        self._process = process
        self._lifeline: int | None = lifeline
        self.command = command
        self.pid = process.pid
        self._ended: asyncio.Task[int] | None = None

    @classmethod
    async def start(cls, command: Program, hear: Callable[[str], None]) -> Process:
        """Start it; `hear` gets each line that it prints."""
        theirs, ours = os.pipe()
        after = json.dumps([list(each) for each in command.after])
        try:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(GUARD), str(theirs), after, *command.argv],
                cwd=command.folder,
                env=dict(command.environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                bufsize=0,
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
        if self._lifeline is not None:
            os.close(self._lifeline)
            self._lifeline = None

    async def _watch(self, hear: Callable[[str], None]) -> int:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        assert self._process.stdout is not None
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._process.stdout
        )
        reading = asyncio.create_task(_lines(reader, hear))
        try:
            code = await self._exit_code()
            if code < 0:
                # The guard itself was killed, and what it guarded is without anybody to end it.
                await asyncio.to_thread(sweep, self.command.environment.get(MARK, "none"))
            await asyncio.wait((reading,), timeout=LAST_WORDS)
        finally:
            reading.cancel()
            transport.close()
            if self._lifeline is not None:
                os.close(self._lifeline)
                self._lifeline = None
        return 128 - code if code < 0 else code

    async def _exit_code(self) -> int:
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        handle = os.pidfd_open(self.pid)
        loop.add_reader(handle, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(handle)
            os.close(handle)
        return self._process.wait()


async def _lines(reader: asyncio.StreamReader, hear: Callable[[str], None]) -> None:
    rest = b""
    while chunk := await reader.read(65536):
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            hear(_text(line))
        while len(rest) > LINE:
            hear(_text(rest[:LINE]))
            rest = rest[LINE:]
    if rest:
        hear(_text(rest))


def _text(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\r")


async def run(command: Program, hear: Callable[[str], None]) -> int:
    """Run it to its end and return its exit code. If the caller is cancelled, it is stopped first."""
    process = await Process.start(command, hear)
    try:
        return await process.wait()
    except asyncio.CancelledError:
        await process.stop()
        raise
