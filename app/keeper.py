"""Holds the model that answers, and puts a newer one in its place without a gap."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from app.logs import log, where
from app.manifest import current_version
from app.model import Model, load
from app.settings import Settings
from app.store import Store, Unusable, open_store

FIRST_WAIT = 0.5
LONGEST_WAIT = 60.0
"""Seconds between two tries while there is no model."""

SLOWEST = 20
"""How many times the polling interval passes, at most, while the wanted version cannot be used."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why the wanted version does not answer."""

    version: str | None
    reason: str


class Keeper:
    """The model in use. Requests that began with one model end with it."""

    def __init__(self, settings: Settings) -> None:
        self.changed: Callable[[], None] = lambda: None
        """Is called when another model answers, or the wanted one cannot."""
        self.model: Model | None = None
        self.failure: Failure | None = None
        self._settings = settings
        self._store: Store | None = None

    async def keep(self, first: Future[Model] | None = None) -> None:
        """Load, then follow `current.json`, until cancelled. `first` is a load that has begun already."""
        tries = 0
        while True:
            tries = 0 if await self._try(first) else tries + 1
            first = None
            await asyncio.sleep(self._pause(tries))

    async def _try(self, begun: Future[Model] | None) -> bool:
        """Whether the wanted version is the one in use now."""
        try:
            model = await (asyncio.wrap_future(begun) if begun else asyncio.to_thread(self.newer))
        except Exception as error:
            self._failed(error)
            return False
        if model:
            before = self.model.version if self.model else None
            self.model = model
            log("model loaded", model=model.version, before=before, precision=model.precision)
        if model or self.failure:
            self.failure = None
            self.changed()
        return True

    def newer(self) -> Model | None:
        """The wanted version, loaded, unless it is in use already. Raises `Unusable`. Blocks."""
        version: str | None = None
        try:
            self._store = self._store or open_store(self._settings.model_uri)
            version = self._settings.model_version
            if version == "current":
                version = current_version(self._store)
            if self.model and self.model.version == version:
                return None
            return load(self._store, version, self._settings)
        except Unusable as error:
            error.version = version
            raise

    def _failed(self, error: Exception) -> None:
        if isinstance(error, Unusable):
            self.failure, fields = Failure(error.version, str(error)), {"reason": str(error)}
        else:
            self.failure, fields = Failure(None, f"the program failed: {type(error).__name__}"), where(error)
        in_use = self.model.version if self.model else None
        log("model refused", level="error", wanted=self.failure.version, model=in_use, **fields)
        self.changed()

    def _pause(self, tries: int) -> float:
        """Seconds until the next try. Tasks that started together must not stay in step."""
        if self._settings.model_version != "current" and self.model:
            return float("inf")
        spread = random.uniform(0.8, 1.2)
        if self.model:
            return self._settings.poll_interval * min(1 << min(tries, 10), SLOWEST) * spread
        return min(FIRST_WAIT * (1 << min(tries, 10)), LONGEST_WAIT) * spread
