"""Training in a run: a trainer's task, started as often as it takes, and the gate after it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mlopsgen.local.account import Account, Stop
from mlopsgen.local.blueprint import Task
from mlopsgen.local.logs import Logs
from mlopsgen.local.process import run
from mlopsgen.local.show import Show, Tell, gist
from mlopsgen.local.state import Folder
from mlopsgen.local.tasks import Launcher, Place, Unprepared, log_group, tail, words
from mlopsgen.promotion import NotPromoted

ATTEMPTS = 3
"""How often a trainer is started that something ended from outside, as spot instances are."""


class Training:
    """One trainer at a time."""

    def __init__(
        self,
        account: Account,
        launcher: Launcher,
        logs: Logs,
        folder: Folder,
        show: Show,
        minimum: Mapping[str, float],
    ) -> None:
        """`minimum`: metrics that a version has to reach, before what the pipeline says of them."""
        self._account = account
        self._launcher = launcher
        self._logs = logs
        self._folder = folder
        self._show = show
        self._minimum = minimum
        self._busy = asyncio.Lock()

    async def train(
        self, trainer: Task, hyperparameters: Mapping[str, Any], hear: Tell | None = None
    ) -> str | None:
        """Train, and promote what was published. Returns the version. Raises `Stop`."""
        async with self._busy:
            place = self._account.place
            place = replace(place, hyperparameters={**place.hyperparameters, **hyperparameters})
            before = await self._published(trainer)
            with self._step(f"training with {trainer.name}", hear) as tell:
                await self._run_trainer(trainer, place, tell)
            version = next(iter(sorted(await self._published(trainer) - before, reverse=True)), None)
            if trainer.model is None:
                return None
            if version is None:
                raise Stop(f"{trainer.name} ended well, but published no version of `{trainer.model}`")
            with self._step(f"promoting {trainer.model} {version}", hear) as tell:
                await self._promote(trainer, version, tell)
            return version

    def _step(self, what: str, hear: Tell | None) -> contextlib.AbstractContextManager[Tell]:
        if hear is None:
            return self._show.step(what)
        hear(what)
        return contextlib.nullcontext(hear)

    async def _run_trainer(self, trainer: Task, place: Place, tell: Tell) -> None:
        def hear(line: str) -> None:
            if said := gist(line):
                tell(said)

        for attempt in range(1, ATTEMPTS + 1):
            try:
                started = self._launcher.prepare(trainer, place, "")
            except Unprepared as error:
                raise Stop(str(error)) from None
            log = self._logs.open(trainer.name, started.id, log_group(trainer), hear)
            code = await run(started.command, log)
            if not code:
                return
            self._account.check()
            text = f"{trainer.name} {words(code)}"
            # Ended from outside, as when a spot instance is taken back: the next start goes on from the
            # last checkpoint.
            if code <= 128 or attempt == ATTEMPTS:
                raise Stop(f"{text}{tail(log.last)}\n  the whole log: {log.path}")
            tell(f"{text}; starting it again ({attempt + 1} of {ATTEMPTS})")

    async def _published(self, trainer: Task) -> set[str]:
        uri = self._account.store_uri(trainer)
        if uri is None:
            return set()
        return set(await self._account.ask(self._account.cloud.store(uri).versions))

    async def _promote(self, trainer: Task, version: str, tell: Tell) -> None:
        account = self._account
        uri = account.store_uri(trainer)
        assert uri is not None and trainer.model is not None
        store = account.cloud.store(uri)
        promotion = account.blueprint.promotion.get(trainer.model)
        minimum = dict(promotion.minimum if promotion else {}) | dict(self._minimum)
        try:
            promoted = await account.ask(lambda: store.promote(version, minimum))
        except NotPromoted as error:
            wanted = " ".join(f"--minimum {name}=…" for name in minimum)
            raise Stop(f"{error}. More data or other hyperparameters help; {wanted} lowers the bar") from None
        numbers = {name: promoted.metrics[name] for name in minimum if name in promoted.metrics}
        tell("  ".join(f"{name} {value:.4g}" for name, value in numbers.items()) or "promoted")
        await account.ask(lambda: account.cloud.save(uri, self._folder.store))
