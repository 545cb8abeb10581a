"""The model reloader: it holds the model in use, and replaces it by a newer version without downtime."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass

from app.logs import log, where
from app.manifest import Wanted, current
from app.model import Model, load
from app.settings import Settings
from app.store import Store, Unusable, open_store

FIRST_RETRY = 0.5
"""Seconds until a version that cannot be used is tried again; each further try waits twice as long."""

LAST_RETRY = 60.0
"""The longest wait between two tries, in seconds, while there is no model."""

LAST_RETRY_POLLS = 20
"""The longest wait between two tries, in polls of `current.json`, while an older model answers."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the wanted version does not answer; `again` is the monotonic time of the next try."""

    wanted: Wanted | None
    reason: str
    tries: int
    again: float

    @property
    def version(self) -> str | None:
        """The wanted version's name, if it could be learnt."""
        return self.wanted.version if self.wanted else None


class ModelReloader:
    """The model in use, and the loop that replaces it. Requests that began with one model end with it."""

    def __init__(self, settings: Settings) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Is called when another model answers, or the wanted one cannot."""
        self.model: Model | None = None
        self.failure: Failure | None = None
        self._settings = settings
        self._store: Store | None = None

    async def follow(self, first: Future[Model]) -> None:
        """Put the first model in its place, then follow `current.json`, until cancelled."""
        await self._settle(asyncio.wrap_future(first), None)
        while True:
            await asyncio.sleep(self._pause())
            try:
                wanted = await asyncio.to_thread(self.wanted)
            except Exception as error:
                self._failed(error, None)
                continue
            if self.model and self.model.is_what(wanted):
                if self.failure:
                    self._answers(self.model)
            elif not self._rests(wanted):
                await self._settle(asyncio.to_thread(self.load, wanted), wanted)

    def wanted(self) -> Wanted:
        """The version that should answer. Raises `Unusable`. Blocks."""
        self._store = self._store or open_store(self._settings.model_uri)
        version = self._settings.model_version
        return current(self._store) if version == "current" else Wanted(version, None)

    def load(self, wanted: Wanted) -> Model:
        """A version, ready to answer. Raises `Unusable`. Blocks."""
        assert self._store, "the store was opened to learn what is wanted"
        try:
            return load(self._store, wanted, self._settings)
        except Exception:
            raise
        except BaseException as error:
            # A panic of a library in Rust is no `Exception`, and would end the loop that follows the store.
            raise Unusable(f"version {wanted.version} cannot be loaded: {error}") from error

    async def _settle(self, loading: Awaitable[Model], wanted: Wanted | None) -> None:
        try:
            model = await loading
        except Exception as error:
            self._failed(error, wanted)
            return
        before = self.model.version if self.model else None
        log("model loaded", model=model.version, before=before, precision=model.precision)
        self._answers(model)

    def _answers(self, model: Model) -> None:
        self.model, self.failure = model, None
        self.changed()

    def _failed(self, error: Exception, wanted: Wanted | None) -> None:
        fields = {"reason": str(error)} if isinstance(error, Unusable) else where(error)
        reason = str(fields.get("reason") or f"the program failed with {type(error).__name__}")
        before = self.failure
        tries = before.tries + 1 if before and before.wanted == wanted else 0
        most = LAST_RETRY_POLLS * self._settings.poll_interval if self.model else LAST_RETRY
        again = time.monotonic() + min(FIRST_RETRY * (1 << min(tries, 20)), most)
        self.failure = Failure(wanted, reason, tries, again)
        in_use = self.model.version if self.model else None
        log("model refused", level="error", wanted=self.failure.version, model=in_use, **fields)
        self.changed()

    def _rests(self, wanted: Wanted) -> bool:
        failed = self.failure
        return failed is not None and failed.wanted == wanted and time.monotonic() < failed.again

    def _pause(self) -> float:
        """Seconds until the next look. Tasks that started together must not stay in step."""
        if self.model and self._settings.model_version != "current":
            return float("inf")
        wait = self._settings.poll_interval
        if self.failure and not self.model:
            wait = max(0.05, self.failure.again - time.monotonic())
        return wait * random.uniform(0.8, 1.2)
