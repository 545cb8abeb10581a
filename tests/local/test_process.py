"""Commands that end with whoever started them."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

from mlopsgen.local.process import Process, Program, run
from mlopsgen.local.state import MARK, marked
from tests.local.running import until


def command(
    folder: Path, *words: str, stop_timeout: float = 5, after: tuple[tuple[str, ...], ...] = ()
) -> Program:
    """A command that is known by its folder."""
    environment = {"PATH": os.environ["PATH"], MARK: str(folder)}
    return Program(words, environment, folder, stop_timeout, after)


def alive(folder: Path) -> list[int]:
    """The processes that are known by `folder`."""
    return list(marked(str(folder)))


def test_lines_and_exit_code_are_the_commands_own(tmp_path: Path) -> None:
    """What it prints comes line by line, a last one without its end too; its exit code is passed on."""
    lines: list[str] = []
    script = "echo one; echo two >&2; printf three; exit 7"
    assert asyncio.run(run(command(tmp_path, "sh", "-c", script), lines.append)) == 7
    assert lines == ["one", "two", "three"]


def test_a_command_that_is_not_there_is_told(tmp_path: Path) -> None:
    """Exit code 127, as a shell has it, and the reason."""
    lines: list[str] = []
    assert asyncio.run(run(command(tmp_path, "no-such-command"), lines.append)) == 127
    assert lines == ["no-such-command: No such file or directory"]


def test_a_signal_is_told_by_the_exit_code(tmp_path: Path) -> None:
    """128 + N, as ECS shows it."""
    assert asyncio.run(run(command(tmp_path, "sh", "-c", "kill -9 $$"), lambda _: None)) == 137


def test_stop_gives_time_and_then_none(tmp_path: Path) -> None:
    """SIGTERM comes first; who does not listen is killed, with everything that it started."""

    async def steps(script: str, patience: float) -> tuple[int, list[str]]:
        lines: list[str] = []
        process = await Process.start(
            command(tmp_path, "bash", "-c", script, stop_timeout=patience), lines.append
        )
        while "ready" not in lines:
            await asyncio.sleep(0.01)
        return await process.stop(), lines

    polite = "trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 0.05; done"
    assert asyncio.run(steps(polite, 30)) == (3, ["ready", "bye"])
    stubborn = "trap '' TERM; setsid sleep 1000 & echo ready; while :; do sleep 0.05; done"
    assert asyncio.run(steps(stubborn, 0.2))[0] == 137
    assert alive(tmp_path) == []


def test_nobody_outlives_the_command(tmp_path: Path) -> None:
    """A process that hides in a session of its own ends with the command that started it."""
    script = "setsid sh -c 'setsid sleep 1000 & sleep 1000' & sleep 0.2; exit 0"
    assert asyncio.run(run(command(tmp_path, "sh", "-c", script), lambda _: None)) == 0
    assert alive(tmp_path) == []


def test_what_cleans_up_runs_whatever_becomes_of_the_command(tmp_path: Path) -> None:
    """After a good end, and after a kill."""

    async def killed() -> None:
        after = (("touch", str(tmp_path / "killed")),)
        process = await Process.start(command(tmp_path, "sleep", "1000", after=after), lambda _: None)
        process.kill()
        await process.wait()

    asyncio.run(run(command(tmp_path, "true", after=(("touch", str(tmp_path / "good")),)), lambda _: None))
    asyncio.run(killed())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["good", "killed"]


STARTER = """
import asyncio, os, sys
from pathlib import Path
from mlopsgen.local.process import Program, Process

async def main():
    folder = Path(sys.argv[1])
    script = "trap '' TERM; setsid sleep 1000 & sleep 1000"
    command = Program(("timeout", "500", "bash", "-c", script), dict(os.environ), folder)
    await Process.start(command, lambda _: None)
    print("started", flush=True)
    await asyncio.sleep(1000)

asyncio.run(main())
"""


def test_everything_ends_with_its_starter_even_if_that_is_killed(tmp_path: Path) -> None:
    """`kill -9` of the starter ends the command, its children and those who hid."""
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER, str(tmp_path)],
        env=os.environ | {MARK: str(tmp_path)},
        stdout=subprocess.PIPE,
    )
    assert starter.stdout is not None
    starter.stdout.readline()
    until(lambda: len(alive(tmp_path)) >= 5, "all of them run")
    starter.kill()
    starter.communicate()
    until(lambda: not alive(tmp_path), "all of them are gone")


def test_not_even_a_killed_guard_leaves_anybody(tmp_path: Path) -> None:
    """Should the guard itself be killed, its orphans are still known by their mark."""

    async def steps() -> int:
        script = "setsid sleep 1000 & sleep 1000"
        process = await Process.start(command(tmp_path, "sh", "-c", script), lambda _: None)
        while len(alive(tmp_path)) < 4:
            await asyncio.sleep(0.01)
        os.kill(process.pid, signal.SIGKILL)
        return await process.wait()

    assert asyncio.run(steps()) == 137
    assert alive(tmp_path) == []
