"""Answer requests: `POST /predict`, and `GET /health` for the load balancer."""

from __future__ import annotations

import sys
from typing import Any

from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field, FiniteFloat

from model import estimator, server, store

EXAMPLE = {"pressure": 3.0, "temperature": 81.0, "vibration": 0.6}


class Row(BaseModel):
    """What to judge."""

    features: dict[str, FiniteFloat] = Field(examples=[EXAMPLE])


class Verdict(BaseModel):
    """The most probable label."""

    label: str
    probability: float
    version: str


class Model:
    """A version in use."""

    def __init__(self, version: store.Version) -> None:
        self.version = version.name
        self.inputs: list[str] = version.manifest["inputs"]
        self.estimator: Any = estimator.from_version(version)

    def judge(self, features: dict[str, float]) -> Verdict:
        """Raises ValueError if the row lacks a feature or has another."""
        if wrong := sorted(set(features) ^ set(self.inputs)):
            raise ValueError(f"expected the features {', '.join(self.inputs)}; differs in {', '.join(wrong)}")
        chances = self.estimator.predict_proba([[features[name] for name in self.inputs]])[0]
        best = int(chances.argmax())
        label, probability = str(self.estimator.classes_[best]), float(chances[best])
        return Verdict(label=label, probability=probability, version=self.version)


def create_app(models: server.Follower[Model]) -> FastAPI:
    """The service."""
    app = FastAPI(title="Predictions")

    @app.get("/health")
    def health() -> dict[str, str]:
        """The model is loaded."""
        return {"status": "ok", "version": models.version}

    @app.post("/predict")
    def predict(row: Row) -> Verdict:
        """Judge one row."""
        try:
            return models.model.judge(row.features)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None

    return app


def main() -> int:
    """Exit code 1 if there is no model that can be served."""
    try:
        models = server.Follower(Model, "tabular-classification")
    except store.Unusable as error:
        print(f"no model: {error}", file=sys.stderr)
        return 1
    server.serve(create_app(models))
    return 0


if __name__ == "__main__":
    sys.exit(main())
