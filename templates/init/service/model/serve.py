"""Answer requests with the model that lies beside this file: `POST /predict`, and `GET /health`."""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field, FiniteFloat

from model import server
from model.linear import FILE, Linear

EXAMPLE = {"pressure": 3.0, "temperature": 81.0, "vibration": 0.6}


class Row(BaseModel):
    """What to judge."""

    features: dict[str, FiniteFloat] = Field(examples=[EXAMPLE])


class Verdict(BaseModel):
    """The most probable label."""

    label: str
    probability: float


def create_app(model: Linear) -> FastAPI:
    """The service."""
    app = FastAPI(title="Predictions")

    @app.get("/health")
    def health() -> dict[str, str]:
        """The model is loaded."""
        return {"status": "ok"}

    @app.post("/predict")
    def predict(row: Row) -> Verdict:
        """Judge one row."""
        try:
            chances = model.predict(row.features)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        label = max(chances, key=lambda each: chances[each])
        return Verdict(label=label, probability=chances[label])

    return app


if __name__ == "__main__":
    server.serve(create_app(Linear.from_json(Path(__file__).with_name(FILE).read_bytes())))
