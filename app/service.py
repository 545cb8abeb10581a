"""What handlers work with, and the way from texts to verdicts that all protocols share."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from app.batching import Batcher, Overloaded
from app.drift import Seen
from app.metrics import Metrics
from app.model import Model
from app.problems import Flaw, Refused
from app.reload import ModelReloader
from app.schemas import ManyTexts, ManyVerdicts, OneText, OneVerdict, Prediction

if TYPE_CHECKING:
    from starlette.types import Scope

    from app.model import Encoded, Row

EVEN = 0.5
"""From this probability on, a text gets a label that excludes no other."""

INLINE = 8_000
"""Characters that are tokenised where they arrive; more are worth a thread."""

PROBLEMS = {
    "model_attributes_type": "give an object with `text`, or with `texts`",
    "string_pattern_mismatch": "the text is blank",
    "string_unicode": "half of a surrogate pair is no character",
}
"""pydantic's errors that need other words."""


@dataclass(frozen=True, slots=True)
class Service:
    """What handlers work with."""

    reloader: ModelReloader
    batcher: Batcher
    metrics: Metrics
    tokenizing: ThreadPoolExecutor
    explanations: asyncio.Semaphore

    def model(self) -> Model:
        """The model in use. Raises `Refused` while there is none."""
        if self.reloader.model:
            return self.reloader.model
        failed = self.reloader.failure
        if not failed:
            raise Refused(503, "not_ready", "the model is being loaded", retry_after=1)
        raise Refused(503, "not_ready", "no model can be used", retry_after=5, reason=failed.reason)

    async def encode(self, model: Model, texts: Sequence[str]) -> list[Encoded]:
        """Token ids of each text."""
        if sum(map(len, texts)) <= INLINE:
            return [model.encode(text) for text in texts]
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self.tokenizing, lambda: [model.encode(text) for text in texts])

    async def read(
        self, model: Model, texts: Sequence[str], *, patient: bool = False
    ) -> list[tuple[Encoded, Row]]:
        """Each text's tokens, and the probabilities of its labels. Raises `Refused` under overload."""
        try:
            # Before it costs anything; and again once the text has become tokens.
            self.batcher.admit(model)
            encoded = await self.encode(model, texts)
            self.metrics.queued(self.batcher.depth)
            rows = await self.batcher.submit(model, [each.ids for each in encoded], patient=patient)
            return list(zip(encoded, rows, strict=True))
        except Overloaded as error:
            self.metrics.refused()
            raise Refused(503, "overloaded", str(error), error.retry_after) from error
        except TimeoutError as error:
            self.metrics.refused()
            wait = max(1, round(self.batcher.wait(model)))
            raise Refused(503, "timeout", "the answer took too long", wait) from error

    async def predict(self, model: Model, texts: Sequence[str]) -> list[Prediction]:
        """A verdict on each text."""
        found = await self.read(model, texts)
        verdicts = [verdict_of(model, encoded, row) for encoded, row in found]
        for each, (encoded, _) in zip(verdicts, found, strict=True):
            seen = Seen(each.labels, each.probability, len(encoded.ids), each.unknown)
            self.metrics.predicted(seen, model.labels, truncated=each.truncated)
        return verdicts


async def get_service(request: Request) -> Service:
    """The service of this application."""
    # Not for the sake of waiting: a plain function would be called on another thread.
    service: Service = request.app.state.service
    return service


Serving = Annotated[Service, Depends(get_service)]


async def answer(question: OneText | ManyTexts, service: Service, scope: Scope) -> OneVerdict | ManyVerdicts:
    """The verdict on each text. Raises `Refused`."""
    model = service.model()
    texts = [question.text] if isinstance(question, OneText) else question.texts
    note(scope, model, texts)
    verdicts = await service.predict(model, texts)
    if isinstance(question, OneText):
        [only] = verdicts
        return OneVerdict(**dict(only), model=model.version)
    return ManyVerdicts(predictions=verdicts, model=model.version)


def flaw(error: Mapping[str, object], at: Sequence[object]) -> Flaw:
    """An error of pydantic's, which quotes the input: what a user wrote is not sent back, nor logged."""
    # Without the names of the alternatives that were tried.
    place = [each for each in at if each not in ("one", "many")]
    return Flaw(place, PROBLEMS.get(str(error["type"]), str(error["msg"])))


def note(scope: Scope, model: Model, texts: Sequence[str]) -> None:
    """What the log line of this request says besides."""
    scope["state"]["facts"] = {
        "model": model.version,
        "texts": len(texts),
        "characters": sum(map(len, texts)),
    }


def verdict_of(model: Model, encoded: Encoded, row: Row) -> Prediction:
    """What the model says, with all that there is to know of it."""
    most = max(row)
    label = model.labels[row.index(most)]
    free = model.manifest.activation == "sigmoid"
    return Prediction(
        label=label,
        labels=[each for each, likely in zip(model.labels, row, strict=True) if likely >= EVEN]
        if free
        else [label],
        probability=round(most, 6),
        probabilities={each: round(likely, 6) for each, likely in zip(model.labels, row, strict=True)},
        truncated=encoded.truncated,
        unknown=round(encoded.unknown, 4),
    )
