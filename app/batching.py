"""The batching queue: texts wait for a bounded time, and run in batches of like length.

On a CPU a batch is hardly cheaper than its texts one after the other, and padding is pure loss. So nothing
waits for a batch to fill: whenever a core is free, the oldest text runs, together with those waiting
texts of nearly its length that fit in the model's budget of tokens. A short text that comes while nothing
waits or runs gets several cores.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from app.model import Model, Row

LOOK_AHEAD = 256
"""How many waiting texts are looked at to find those that fit a batch."""

MOST = 64
"""Texts in a batch."""

WASTE = 1 / 8
"""The share of a batch that may be padding."""

WIDE_TOKENS = 256
"""A longer text runs on one core also when it is alone: memory is kept for the longest that ever ran so."""

DELIVERY_SHARE = 1 / 8
"""Batches that are done are handed to the event loop once they number this share of the waiting texts.

So under load the loop wakes up once for several batches. That delays an answer by at most this share of the
time that its text waited in the queue.
"""

DECAY = 0.9
"""Weight of the earlier batches against the latest in the moving average of the speed."""


class Overloaded(Exception):
    """There is more work than can be done in time; `retry_after` seconds from now there may be less."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"too many requests wait; try again in {math.ceil(retry_after)} s")
        self.retry_after = max(1, math.ceil(retry_after))


@dataclass(slots=True, eq=False)
class Entry:
    """One text that waits for its row of probabilities."""

    model: Model
    ids: Sequence[int]
    answer: asyncio.Future[Row]


class Turn(NamedTuple):
    """What a lane computes next; `wide`: on several cores."""

    batch: list[Entry]
    wide: bool


class Run(NamedTuple):
    """A batch that was computed: its tokens, its rows or why there are none, and the seconds it took."""

    batch: list[Entry]
    tokens: int
    rows: list[Row] | Exception
    seconds: float
    wide: bool


class Batcher:
    """The queue of one event loop, and the `lanes` threads that compute what waits in it.

    The threads take their batches by themselves, so that none is idle until the loop has got round to it.
    """

    def __init__(
        self,
        lanes: int,
        *,
        queue_time: float,
        timeout: float,
        observe: Callable[[int, int, float], None] = lambda texts, tokens, seconds: None,
    ) -> None:
        """`observe` hears of each batch: its texts, its tokens, and the seconds it took."""
        self._loop = asyncio.get_running_loop()
        self._lanes = lanes
        self._closed = False
        self._changed = threading.Condition()
        """Guards the queues, `_pending_tokens`, `_running` and `_done`."""
        self._waiting: deque[Entry] = deque()
        self._patient: deque[Entry] = deque()
        self._pending_tokens = 0
        self._running = 0
        self._done: list[Run] = []
        self._queue_time = queue_time
        self._timeout = timeout
        self._observe = observe
        self._seconds = 0.0
        self._tokens = 0.0
        for lane in range(lanes):
            threading.Thread(target=self._compute, name=f"compute {lane}").start()

    @property
    def depth(self) -> int:
        """How many texts wait."""
        return len(self._waiting) + len(self._patient)

    def wait(self, model: Model) -> float:
        """The seconds until all that waits and runs is done, going by the last runs."""
        return self.seconds(model, self._pending_tokens)

    def seconds(self, model: Model, tokens: int) -> float:
        """The seconds that `tokens` take, going by the last runs."""
        rate = self._seconds / self._tokens if self._tokens else model.seconds_per_token
        return tokens * rate / self._lanes

    def admit(self, model: Model) -> None:
        """Raises `Overloaded` if what waits already would take too long.

        However long that is, a text for each lane may wait, so that none runs dry.
        """
        wait = self.wait(model)
        if wait > self._queue_time and len(self._waiting) >= self._lanes:
            raise Overloaded(wait - self._queue_time)

    async def submit(
        self, model: Model, texts: Sequence[Sequence[int]], *, patient: bool = False
    ) -> list[Row]:
        """The rows of all `texts`, given as token ids.

        `patient` texts run only while no others wait. Raises `Overloaded` at once if what waits already
        would take too long, and `TimeoutError` if the texts did not get their turn in time.
        """
        self.admit(model)
        entries = [Entry(model, ids, self._loop.create_future()) for ids in texts]
        with self._changed:
            (self._patient if patient else self._waiting).extend(entries)
            self._pending_tokens += sum(map(len, texts))
            self._changed.notify(len(entries))
        try:
            async with asyncio.timeout(self._timeout):
                return [await entry.answer for entry in entries]
        finally:
            # Whoever gave up wants no answer any more: what has not begun never will.
            for entry in entries:
                if not entry.answer.cancel() and not entry.answer.cancelled():
                    entry.answer.exception()

    def close(self) -> None:
        """Let no further batch begin."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _compute(self) -> None:
        while turn := self._next():
            run = _run(turn)
            with self._changed:
                self._running -= 1
                self._pending_tokens -= run.tokens
                self._done.append(run)
                if len(self._done) > len(self._waiting) * DELIVERY_SHARE:
                    self._deliver()

    def _next(self) -> Turn | None:
        """What runs next, once there is something; None if nothing shall run any more."""
        with self._changed:
            while not self._closed:
                if batch := self._take():
                    wide = self._running == 0 and self.depth == 0 and _gains(batch)
                    self._running += 1
                    return Turn(batch, wide)
                self._deliver()
                self._changed.wait()
        return None

    def _take(self) -> list[Entry]:
        """The oldest text and those that fit with it, in order of arrival."""
        for queue in (self._waiting, self._patient):
            while queue:
                first = queue.popleft()
                if not first.answer.done():
                    return [first, *self._fitting(queue, first)]
                self._pending_tokens -= len(first.ids)
        return []

    def _fitting(self, queue: deque[Entry], first: Entry) -> list[Entry]:
        budget, width = first.model.batch_tokens, len(first.ids)
        room = min(budget // width, MOST) - 1
        if room < 1 or not queue:
            return []
        found: list[Entry] = []
        kept: list[Entry] = []
        for _ in range(min(len(queue), LOOK_AHEAD)):
            entry = queue.popleft()
            fits = width * (1 - WASTE) <= len(entry.ids) <= width and entry.model is first.model
            if fits and len(found) < room and not entry.answer.done():
                found.append(entry)
            else:
                kept.append(entry)
        queue.extendleft(reversed(kept))
        return found

    def _deliver(self) -> None:
        """Hand what is done to the event loop."""
        if self._done:
            done, self._done = self._done, []
            with suppress(RuntimeError):  # The loop has ended, and with it whoever waited.
                self._loop.call_soon_threadsafe(self._finish, done)

    def _finish(self, done: list[Run]) -> None:
        for run in done:
            self._answer(run)

    def _answer(self, run: Run) -> None:
        batch, tokens, rows, seconds, wide = run
        waiting = [not entry.answer.done() for entry in batch]
        if isinstance(rows, Exception):
            for entry in compress(batch, waiting):
                entry.answer.set_exception(rows)
            return
        if not wide:  # Under load none is, and that is what the estimate is for.
            self._seconds = DECAY * self._seconds + seconds
            self._tokens = DECAY * self._tokens + tokens
        self._observe(len(batch), tokens, seconds)
        for entry, row in compress(zip(batch, rows, strict=True), waiting):
            entry.answer.set_result(row)


def _gains(batch: list[Entry]) -> bool:
    """Whether it is a text that several cores answer sooner."""
    return len(batch) == 1 and batch[0].model.wide and len(batch[0].ids) <= WIDE_TOKENS


def _run(turn: Turn) -> Run:
    batch, wide = turn
    start = time.perf_counter()
    try:
        texts = [entry.ids for entry in batch]
        rows: list[Row] | Exception = batch[0].model.probabilities(texts, wide=wide)
    except Exception as error:
        rows = error
    return Run(batch, sum(len(entry.ids) for entry in batch), rows, time.perf_counter() - start, wide)
