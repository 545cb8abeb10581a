"""The HTTP interface."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from app.model import Model
from app.settings import Settings
from app.store import Unusable


class Review(BaseModel):
    """What to classify."""

    text: Annotated[str, Field(min_length=1, examples=["A wonderful film, I laughed all the way through."])]


class Verdict(BaseModel):
    """What the model says of a text."""

    label: str
    probability: float
    model: str


def build(settings: Settings) -> FastAPI:
    """The application."""
    from app.manifest import current_version
    from app.model import load
    from app.store import open_store

    app = FastAPI(title="Text classification")
    held: dict[str, Model] = {}

    async def get_model() -> Model:
        if "model" not in held:
            try:
                store = open_store(settings.model_uri)
                version = settings.model_version
                if version == "current":
                    version = current_version(store)
                held["model"] = await asyncio.to_thread(load, store, version, settings)
            except Unusable as error:
                raise HTTPException(503, str(error)) from error
        return held["model"]

    @app.get("/health")
    async def health() -> dict[str, str]:
        """The process lives."""
        return {"status": "ok"}

    @app.get("/ready")
    async def ready() -> dict[str, str]:
        """The model is loaded."""
        model = await get_model()
        return {"status": "ready", "model": model.version}

    @app.post("/predict")
    async def predict(review: Review) -> Verdict:
        """Say which label the text gets."""
        model = await get_model()
        [row] = await asyncio.to_thread(lambda: model.probabilities([model.encode(review.text)]))
        best = int(row.argmax())
        return Verdict(label=model.labels[best], probability=float(row[best]), model=model.version)

    return app
