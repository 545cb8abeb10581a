"""How the tasks of a service or worker are replaced, with real processes and no cloud."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from mlopsgen.local.blueprint import LocalService, LocalTask
from mlopsgen.local.logs import Logs
from mlopsgen.local.process import Program
from mlopsgen.local.service import Failed, Tasks
from mlopsgen.local.state import MARK
from mlopsgen.local.tasks import Started, TaskContext, Unprepared

TASK = LocalTask(
    "ticker", "worker", "serving-ticker", {"containerDefinitions": [{"name": "ticker"}]}, None, None
)
PLACE = TaskContext("", "", "", "", "", "", Path(), Path())


class Clerk:
    """Prepares tasks, and notes how many others run whenever one is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.count = 0
        self.refuses = False
        self.running: Callable[[], int] = lambda: 0
        self.beside: list[int] = []

    def builds(self, task: LocalTask, built: Path) -> Iterator[tuple[str, Program]]:
        yield from ()

    def lacks(self, task: LocalTask) -> str | None:
        return None

    def prepare(self, task: LocalTask, place: TaskContext) -> Started:
        if self.refuses:
            raise Unprepared("`ticker` cannot be started")
        self.count += 1
        self.beside.append(self.running())
        environment = {"PATH": os.environ["PATH"], MARK: str(self.folder)}
        return Started(str(self.count), Program(("sleep", "1000"), environment, self.folder, 5), 0)


def with_tasks(folder: Path, service: LocalService, work: Callable[[Tasks, Clerk], Awaitable[None]]) -> Clerk:
    """Do `work` with the tasks of a service, then stop them."""

    async def main() -> Clerk:
        clerk = Clerk(folder)
        tasks = Tasks(service, clerk, Logs(folder, lambda _: None), lambda: PLACE, lambda _: None)
        clerk.running = lambda: len(tasks.running)
        try:
            await work(tasks, clerk)
        finally:
            await tasks.stop()
        return clerk

    return asyncio.run(main())


@pytest.mark.parametrize(
    ("least", "most", "beside"),
    [
        # All new ones come before the old ones go.
        (1, 2, [0, 1, 2, 3]),
        # There is room for one more at a time.
        (1, 1.5, [0, 1, 2, 2]),
        # There is room for none: one goes, then one comes.
        (0.5, 1, [0, 1, 1, 1]),
        # All go, then all come.
        (0, 1, [0, 1, 0, 1]),
    ],
)
def test_old_and_new_tasks_keep_to_the_room_of_the_deployment(
    least: float, most: float, beside: list[int], tmp_path: Path
) -> None:
    """`minimumHealthyPercent` and `maximumPercent` hold while tasks are replaced."""

    async def twice(tasks: Tasks, clerk: Clerk) -> None:
        await tasks.deploy()
        first = [each.started.id for each in tasks.running]
        await tasks.deploy()
        assert first == ["1", "2"]
        assert [each.started.id for each in tasks.running] == ["3", "4"]
        assert {each.state for each in tasks.running} == {"running"}

    service = LocalService(TASK, replicas=2, least=least, most=most)
    assert with_tasks(tmp_path, service, twice).beside == beside


def test_a_task_that_cannot_be_started_leaves_the_old_ones(tmp_path: Path) -> None:
    """The deployment fails with the reason, and what runs goes on."""

    async def work(tasks: Tasks, clerk: Clerk) -> None:
        await tasks.deploy()
        clerk.refuses = True
        with pytest.raises(Failed, match="`ticker` cannot be started"):
            await tasks.deploy()
        assert [each.started.id for each in tasks.running] == ["1"]

    with_tasks(tmp_path, LocalService(TASK, replicas=1), work)


def test_a_parked_service_has_no_task(tmp_path: Path) -> None:
    """`replicas.min` of 0 starts nothing."""

    async def work(tasks: Tasks, clerk: Clerk) -> None:
        await tasks.deploy()
        assert tasks.running == []

    assert with_tasks(tmp_path, LocalService(TASK, replicas=0), work).count == 0
