"""Jobs in a run: a job's task, started as often as it takes, and the gate of the model that it produces."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlopsgen.local.account import Account, Stop
from mlopsgen.local.blueprint import LocalTask
from mlopsgen.local.logs import Logs
from mlopsgen.local.process import run
from mlopsgen.local.show import Show, Tell, gist
from mlopsgen.local.state import RunFolder
from mlopsgen.local.tasks import Launcher, TaskContext, Unprepared, gates_of, log_group, tail, variable, words
from mlopsgen.promotion import Gates, NotPromoted

NOTHING_TO_READ = "\n  Nothing was put into raw/, which it reads: `--data PATH` does that"


def reads_raw(job: LocalTask) -> bool:
    """Whether the job reads what `--data` uploads."""
    return variable(job, "RAW_URI") is not None


class Training:
    """One job at a time."""

    def __init__(
        self,
        account: Account,
        launcher: Launcher,
        logs: Logs,
        folder: RunFolder,
        show: Show,
    ) -> None:
        self._account = account
        self._launcher = launcher
        self._logs = logs
        self._folder = folder
        self._show = show
        self._busy = asyncio.Lock()

    async def run(
        self, job: LocalTask, parameters: Mapping[str, Any], trigger: str = "", hear: Tell | None = None
    ) -> str | None:
        """Run it, and promote the version that it publishes. Returns that. Raises `Stop`."""
        async with self._busy:
            context = self._account.context
            context = replace(context, parameters={**context.parameters, **parameters}, trigger=trigger)
            before = await self._published(job)
            what = f"training with {job.name}" if job.produces else f"running {job.name}"
            with self._step(what, hear) as tell:
                await self._run_task(job, context, tell)
            if job.produces is None:
                return None
            version = next(iter(sorted(await self._published(job) - before, reverse=True)), None)
            if version is None:
                raise Stop(f"{job.name} ended well, but published no version of `{job.produces}`")
            with self._step(f"promoting {job.produces} {version}", hear) as tell:
                await self._promote(job, version, tell)
            return version

    def _step(self, what: str, hear: Tell | None) -> contextlib.AbstractContextManager[Tell]:
        if hear is None:
            return self._show.step(what, keep=True)
        hear(what)
        return contextlib.nullcontext(hear)

    async def _run_task(self, job: LocalTask, context: TaskContext, tell: Tell) -> None:
        def hear(line: str) -> None:
            if said := gist(line):
                tell(said)

        for attempt in range(1, job.attempts + 1):
            try:
                started = self._launcher.prepare(job, context)
            except Unprepared as error:
                raise Stop(str(error)) from None
            log = self._logs.open(job.name, started.id, log_group(job), hear)
            code = await run(started.command, log)
            if not code:
                return
            self._account.check()
            text = f"{job.name} {words(code)}"
            # Ended from outside, as when a spot instance is taken back: the next start of a trainer goes on
            # from its last checkpoint.
            if code <= 128 or attempt == job.attempts:
                empty = "" if self._account.has_data or not reads_raw(job) else NOTHING_TO_READ
                raise Stop(f"{text}{tail(log.last)}\n  the whole log: {log.path}{empty}")
            tell(f"{text}; starting it again ({attempt + 1} of {job.attempts})")

    async def _published(self, job: LocalTask) -> set[str]:
        uri = self._account.published_at(job)
        if uri is None:
            return set()
        return set(await self._account.ask(self._account.cloud.store(uri).versions))

    async def _promote(self, job: LocalTask, version: str, tell: Tell) -> None:
        account = self._account
        uri = account.published_at(job)
        assert uri is not None
        store = account.cloud.store(uri)
        gates = gates_of(job, account.context.gates)
        try:
            promoted = await account.ask(lambda: store.promote(version, gates))
        except NotPromoted as error:
            help_ = f". More data or other parameters help; {_lower_bars(gates)}" if gates else ""
            raise Stop(f"{error}{help_}") from None
        numbers = {name: promoted.metrics[name] for name in gates}
        tell("  ".join(f"{name} {value:.4g}" for name, value in numbers.items()) or "promoted")
        if (pinned := account.blueprint.versions.get(job.produces or "", "current")) != "current":
            tell(f"`{job.produces}` is pinned to {pinned} in the pipeline: what loads it does not follow")
        await account.ask(lambda: account.cloud.save(uri, self._folder.store))


def _lower_bars(gates: Gates) -> str:
    """The options that move the bounds."""
    options = [f"--minimum {name}=…" for name, gate in gates.items() if gate.at_least is not None]
    options += [f"--maximum {name}=…" for name, gate in gates.items() if gate.at_most is not None]
    return f"{' '.join(options)} lower{'s' * (len(options) == 1)} the bar"
