"""What runs together, in which order, and what is refused."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import pytest

from app.batching import WIDE_TOKENS, Batcher, Overloaded
from tests.app.service import PATIENCE


class Model:
    """Answers each text with its length, once it may; remembers what ran together."""

    seconds_per_token = 0.001

    def __init__(self, batch_tokens: int = 100, *, wide: bool = False) -> None:
        self.batch_tokens = batch_tokens
        self.wide = wide
        self.batches: list[list[int]] = []
        self.wides: list[bool] = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def probabilities(self, texts: Sequence[Sequence[int]], *, wide: bool = False) -> Any:
        self.wides.append(wide)
        self.begun.set()
        assert self.go.wait(PATIENCE)
        self.batches.append([len(text) for text in texts])
        return [[len(text), 0.0] for text in texts]


def text(tokens: int) -> list[int]:
    return [1] * tokens


def run(scenario: Callable[[Batcher], Awaitable[None]], **options: float) -> None:
    async def main() -> None:
        batcher = Batcher(1, **{"queue_time": 60.0, "timeout": float(PATIENCE)} | options)
        try:
            await scenario(batcher)
        finally:
            batcher.close()

    asyncio.run(main())


async def occupy(batcher: Batcher, model: Model) -> asyncio.Task[Any]:
    """Keep the only lane busy with a text of one token until the model may go on."""
    task = asyncio.create_task(batcher.submit(model, [text(1)]))
    await asyncio.to_thread(model.begun.wait, PATIENCE)
    return task


def test_like_lengths_run_together() -> None:
    """Texts of nearly one length share a batch, in order of arrival; others wait for their own."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = await occupy(batcher, model)
        rest = asyncio.create_task(batcher.submit(model, [text(n) for n in (16, 40, 15, 2, 14, 13, 17)]))
        await asyncio.sleep(0)
        assert batcher.depth == 7
        model.go.set()
        rows = await rest
        assert [row[0] for row in rows] == [16, 40, 15, 2, 14, 13, 17]
        assert model.batches == [[1], [16, 15, 14], [40], [2], [13], [17]]
        await busy

    run(scenario)


def test_budget_of_tokens() -> None:
    """A batch holds no more tokens than the model's budget, and one text however long."""

    async def scenario(batcher: Batcher) -> None:
        model = Model(batch_tokens=30)
        busy = await occupy(batcher, model)
        rest = asyncio.create_task(batcher.submit(model, [text(n) for n in (10, 10, 10, 10, 99)]))
        await asyncio.sleep(0)
        model.go.set()
        await rest
        assert model.batches == [[1], [10, 10, 10], [10], [99]]
        await busy

    run(scenario)


def test_two_models() -> None:
    """Texts for two versions never share a batch."""

    async def scenario(batcher: Batcher) -> None:
        old, new = Model(), Model()
        new.go.set()
        busy = await occupy(batcher, old)
        tasks = [asyncio.create_task(batcher.submit(each, [text(9)])) for each in (old, new, old, new)]
        await asyncio.sleep(0)
        old.go.set()
        await asyncio.gather(busy, *tasks)
        assert (old.batches, new.batches) == ([[1], [9, 9]], [[9, 9]])

    run(scenario)


def test_patience() -> None:
    """Patient texts run after all others, even those that came later."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = await occupy(batcher, model)
        patient = asyncio.create_task(batcher.submit(model, [text(9)], patient=True))
        await asyncio.sleep(0)
        others = asyncio.create_task(batcher.submit(model, [text(20), text(40)]))
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(busy, patient, others)
        assert model.batches == [[1], [20], [40], [9]]

    run(scenario)


def test_too_much_waits() -> None:
    """When what waits would take longer than allowed, the next is refused at once and told when to return."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = await occupy(batcher, model)
        waiting = asyncio.create_task(batcher.submit(model, [text(5_000)]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded) as refused:
            await batcher.submit(model, [text(1)])
        assert refused.value.retry_after == 4
        model.go.set()
        await asyncio.gather(busy, waiting)
        assert [row[0] for row in await batcher.submit(model, [text(7)])] == [7]

    run(scenario, queue_time=2)


def test_slow_model() -> None:
    """Where one text takes longer than requests may wait, one may wait all the same, and no more."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = asyncio.create_task(batcher.submit(model, [text(5_000)]))
        await asyncio.to_thread(model.begun.wait, PATIENCE)
        waiting = asyncio.create_task(batcher.submit(model, [text(5_000)]))
        await asyncio.sleep(0)
        with pytest.raises(Overloaded):
            await batcher.submit(model, [text(1)])
        model.go.set()
        await asyncio.gather(busy, waiting)
        assert model.batches == [[5_000], [5_000]]

    run(scenario, queue_time=2)


def test_too_late() -> None:
    """A text that does not get its turn in time is given up, and never runs."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = await occupy(batcher, model)
        with pytest.raises(TimeoutError):
            await batcher.submit(model, [text(9), text(30)])
        with pytest.raises(TimeoutError):
            await busy
        model.go.set()
        batcher._timeout = PATIENCE
        await batcher.submit(model, [text(4)])
        assert model.batches == [[1], [4]]
        assert (batcher.depth, batcher.wait(model)) == (0, 0)

    run(scenario, timeout=0.2)


def test_caller_that_left() -> None:
    """What nobody waits for any more is not computed."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = await occupy(batcher, model)
        left = asyncio.create_task(batcher.submit(model, [text(9)]))
        stays = asyncio.create_task(batcher.submit(model, [text(8)]))
        await asyncio.sleep(0)
        left.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await asyncio.gather(busy, stays)
        assert model.batches == [[1], [8]]

    run(scenario)


def test_results_together() -> None:
    """While sixteen texts wait, a result waits for the next; and never once the queue is short."""

    class Stepwise(Model):
        def __init__(self) -> None:
            super().__init__(batch_tokens=1)
            self.steps = threading.Semaphore(0)
            self.running = threading.Semaphore(0)

        def probabilities(self, texts: Sequence[Sequence[int]], *, wide: bool = False) -> Any:
            self.running.release()
            assert self.steps.acquire(timeout=PATIENCE)
            return [[len(text), 0.0] for text in texts]

    async def scenario(batcher: Batcher) -> None:
        model = Stepwise()
        tasks = [asyncio.create_task(batcher.submit(model, [text(1)])) for _ in range(17)]

        async def answered(after: int) -> int:
            for _ in range(after):
                model.steps.release()
                await asyncio.to_thread(model.running.acquire, True, PATIENCE)
            await asyncio.sleep(0.05)
            return sum(task.done() for task in tasks)

        await asyncio.to_thread(model.running.acquire, True, PATIENCE)
        assert await answered(1) == 0
        assert await answered(1) == 2
        assert await answered(8) == 10
        assert await answered(1) == 11
        assert await answered(1) == 12
        model.steps.release(5)
        await asyncio.gather(*tasks)

    run(scenario)


def test_results_that_nothing_follows() -> None:
    """A result is not kept back for texts that nobody waits for any more."""

    async def scenario(batcher: Batcher) -> None:
        model = Model()
        busy = await occupy(batcher, model)
        left = [asyncio.create_task(batcher.submit(model, [text(9)])) for _ in range(16)]
        await asyncio.sleep(0)
        for task in left:
            task.cancel()
        await asyncio.sleep(0)
        model.go.set()
        await busy
        assert model.batches == [[1]]

    run(scenario)


def test_model_that_fails() -> None:
    """A fault in the model reaches each caller of its batch, and the next batch runs."""

    class Broken(Model):
        def probabilities(self, texts: Sequence[Sequence[int]], *, wide: bool = False) -> Any:
            raise ZeroDivisionError

    async def scenario(batcher: Batcher) -> None:
        results = await asyncio.gather(
            *(batcher.submit(Broken(), [text(9), text(9)]) for _ in range(3)), return_exceptions=True
        )
        assert [type(each) for each in results] == [ZeroDivisionError] * 3
        model = Model()
        model.go.set()
        assert len(await batcher.submit(model, [text(3)])) == 1

    run(scenario)


def test_a_lone_text_gets_all_cores() -> None:
    """Only while nothing else waits or runs, only a short one, and only of a model that gains by it."""

    async def scenario(batcher: Batcher) -> None:
        model, plain = Model(wide=True), Model()
        model.go.set()
        plain.go.set()
        await batcher.submit(model, [text(2)])
        await batcher.submit(model, [text(WIDE_TOKENS + 1)])
        await batcher.submit(plain, [text(2)])
        assert (model.wides, plain.wides) == ([True, False], [False])
        model.go.clear()
        model.begun.clear()
        busy = await occupy(batcher, model)
        rest = asyncio.create_task(batcher.submit(model, [text(3), text(30)]))
        await asyncio.sleep(0)
        model.go.set()
        await rest
        await busy
        # Of the two that waited, the last has the machine for itself.
        assert (model.batches[2:], model.wides[2:]) == ([[1], [3], [30]], [True, False, True])

    run(scenario)
