"""What ECS does for a service: keeps as many healthy tasks as wanted, and replaces them in turn."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mlopsgen.local.balancer import Group, Target
from mlopsgen.local.blueprint import LocalService
from mlopsgen.local.logs import Log, Logs
from mlopsgen.local.process import Process, Program, run
from mlopsgen.local.tasks import Launcher, Started, TaskContext, Unprepared, log_group, tail, words

FAILURES = 3
"""Tasks that may fail before a deployment is given up: the least that ECS's circuit breaker counts to."""

MAX_PAUSE = 30.0

PATIENCE = 120.0
"""Seconds that a task gets to become healthy, whatever its grace: a laptop is slower than it looks."""


class Failed(Exception):
    """New tasks of a service do not become healthy; the text says why."""


@dataclass(eq=False, slots=True)
class Running:
    """One task of a service."""

    started: Started
    process: Process
    targets: tuple[tuple[Group, Target], ...]
    """How the load balancer sees it, by target group; the port of each is its own."""
    log: Log
    since: float = field(default_factory=time.time)
    watch: asyncio.Task[None] | None = None
    leaving: bool = False

    @property
    def state(self) -> str:
        """The worst of its states at the load balancer; `running` where none asks."""
        states = {target.state for _, target in self.targets}
        worst = [each for each in ("draining", "unhealthy", "initial", "healthy") if each in states]
        return worst[0] if worst else "running"

    @property
    def reason(self) -> str:
        """Why it is not healthy."""
        return next((target.reason for _, target in self.targets if target.reason), "")


class Tasks:
    """The tasks of one service."""

    def __init__(
        self,
        service: LocalService,
        launcher: Launcher,
        logs: Logs,
        context: Callable[[], TaskContext],
        say: Callable[[str], None],
    ) -> None:
        """`context` tells what holds at the moment a task is started."""
        self.service = service
        self.name = service.task.name
        self.groups = {each.name: Group(each) for each in service.groups}
        self.running: list[Running] = []
        self._launcher = launcher
        self._logs = logs
        self._context = context
        self._say = say
        self._stopping = False
        self._replacements: set[asyncio.Task[None]] = set()
        self._deploying = asyncio.Lock()

    async def deploy(self) -> None:
        """Start the first tasks, or replace all in turn. Raises `Failed`; the old ones then serve on."""
        async with self._deploying:
            old = [each for each in self.running if not each.leaving]
            wanted = self.service.replicas
            surge = math.floor(wanted * self.service.most) - wanted if old else wanted
            # Without room for more tasks than wanted, old ones have to make place first.
            spare = 0 if surge > 0 else max(1, wanted - math.ceil(wanted * self.service.least))
            fresh: list[Running] = []
            try:
                while len(fresh) < wanted or old:
                    leaving, old = old[:spare], old[spare:]
                    await asyncio.gather(*(self._retire(each) for each in leaving))
                    count = min(surge or spare, wanted - len(fresh))
                    came = await asyncio.gather(
                        *(self._healthy() for _ in range(count)), return_exceptions=True
                    )
                    fresh += [each for each in came if isinstance(each, Running)]
                    if faults := [each for each in came if isinstance(each, BaseException)]:
                        raise faults[0]
                    if surge > 0:
                        leaving, old = old[: max(count, 1)], old[max(count, 1) :]
                        await asyncio.gather(*(self._retire(each) for each in leaving))
            except Failed:
                await asyncio.gather(*(self._retire(each) for each in fresh))
                for _ in range(wanted - len([each for each in self.running if not each.leaving])):
                    self._replace(0)
                raise

    async def stop(self) -> None:
        """End all tasks: let go by the load balancer first, then by their own stop timeout."""
        self._stopping = True
        for each in self._replacements:
            each.cancel()
        if self._replacements:
            await asyncio.wait(self._replacements)
        while self.running:
            await asyncio.gather(*(self._retire(each) for each in list(self.running)))

    async def _healthy(self) -> Running:
        """A new task that answers; each failure on the way is said. Raises `Failed`."""
        for attempt in range(1, FAILURES + 1):
            try:
                task = await self._start()
            except Unprepared as error:
                raise Failed(str(error)) from None
            fault = await self._until_healthy(task)
            if fault is None:
                return task
            await self._retire(task)
            text = f"{self.name} {task.started.id} {fault}"
            if attempt == FAILURES:
                raise Failed(f"{text}{tail(task.log.last)}\n  the whole log: {task.log.path}")
            self._say(f"{text}; starting another ({attempt + 1} of {FAILURES})")
        raise AssertionError

    async def _until_healthy(self, task: Running) -> str | None:
        ended = asyncio.ensure_future(task.process.wait())
        # Tasks that take longer than their grace would be replaced for ever.
        deadline = time.monotonic() + max(self.service.grace, PATIENCE)
        if not task.targets:
            with contextlib.suppress(TimeoutError):
                return words(await asyncio.wait_for(asyncio.shield(ended), 1))
            return None
        told: set[str] = set()
        for _, target in task.targets:
            while target.state == "initial":
                # Somebody waits: an answer that is not the wanted one is told when it comes.
                if "was answered with" in target.reason and target.reason not in told:
                    told.add(target.reason)
                    self._say(f"{self.name} {task.started.id} is not healthy yet: {target.reason}")
                changed = asyncio.ensure_future(target.changed.wait())
                await asyncio.wait((ended, changed), timeout=1, return_when=asyncio.FIRST_COMPLETED)
                changed.cancel()
                if ended.done():
                    return words(ended.result())
                if time.monotonic() > deadline:
                    return f"did not become healthy: {target.reason}"
        return None

    async def _start(self) -> Running:
        if self._stopping:
            raise Failed(f"{self.name} is being stopped")
        started = self._launcher.prepare(self.service.task, self._context())
        log = self._logs.open(self.name, started.id, log_group(self.service.task))
        process = await Process.start(started.command, log)
        main = self.service.task.ports[:1]
        targets = []
        for group in self.groups.values():
            port = group.settings.port
            target = Target(f"{self.name}/{started.id}", started.port if port in main else port)
            targets.append((group, target))
            group.register(target)
        task = Running(started, process, tuple(targets), log)
        self.running.append(task)
        task.watch = asyncio.create_task(self._watch(task))
        return task

    async def _watch(self, task: Running) -> None:
        """Replace the task when it ends by itself, or when its checks say that it cannot serve."""
        ended = asyncio.create_task(self._ended(task))
        checks = asyncio.create_task(self._checks(task))
        try:
            await asyncio.wait((ended, checks), return_when=asyncio.FIRST_COMPLETED)
            if task.leaving:
                return
            was_serving = task.state in ("healthy", "unhealthy", "running")
            if ended.done():
                fault = words(ended.result())
                for group, target in task.targets:
                    await group.forget(target)
                if task in self.running:
                    self.running.remove(task)
            else:
                fault = checks.result()
            if was_serving and not self._stopping:
                self._say(f"{self.name} {task.started.id} {fault}; starting another")
                self._replace(0)
            if not ended.done():
                await self._retire(task)
        finally:
            ended.cancel()
            checks.cancel()

    async def _ended(self, task: Running) -> int:
        return await task.process.wait()

    async def _checks(self, task: Running) -> str:
        """What is wrong with it, as soon as something is."""
        targets = [self._target_check(task, target) for _, target in task.targets]
        return await _first(self._container_check(task), *targets)

    async def _target_check(self, task: Running, target: Target) -> str:
        while True:
            changed = target.changed
            if target.state == "unhealthy" and time.time() - task.since > self.service.grace:
                return f"is unhealthy: {target.reason}"
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), 5)

    async def _container_check(self, task: Running) -> str:
        check = task.started.health
        if check is None:
            return await asyncio.Event().wait()  # type: ignore[return-value]
        begun, failures = time.monotonic(), 0
        command = Program(check.command, task.started.command.environment, task.started.command.folder, 1)
        while True:
            await asyncio.sleep(check.interval)
            try:
                async with asyncio.timeout(check.timeout):
                    code = await run(command, lambda _: None)
                    reason = f"ended with {code}"
            except TimeoutError:
                code, reason = 1, "took too long"
            counts = time.monotonic() - begun > check.start
            failures = failures + 1 if code and counts else 0
            if failures >= check.retries:
                return f"is unhealthy: its container health check {reason}"

    def _replace(self, failures: int) -> None:
        if self._stopping:
            return
        task = asyncio.create_task(self._replacement(failures))
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)

    async def _replacement(self, failures: int) -> None:
        """One more task, with a longer pause after each failure, as ECS's throttling does."""
        while not self._stopping:
            try:
                task = await self._start()
                fault = await self._until_healthy(task)
                if fault is None:
                    return
                await self._retire(task)
                text = f"{self.name} {task.started.id} {fault}"
            except (OSError, Unprepared) as error:
                text = f"{self.name} cannot be started: {error}"
            failures += 1
            pause = min(MAX_PAUSE, 2.0**failures)
            self._say(f"{text}; starting another in {pause:g} s")
            await asyncio.sleep(pause)

    async def _retire(self, task: Running) -> None:
        """Let the load balancer let go of it, then stop it."""
        task.leaving = True
        await asyncio.gather(*(group.drain(target) for group, target in task.targets))
        await task.process.stop()
        if task in self.running:
            self.running.remove(task)


async def _first(*things: object) -> str:
    tasks = [asyncio.ensure_future(each) for each in things]  # type: ignore[call-overload]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        return str(done.pop().result())
    finally:
        for each in tasks:
            each.cancel()
