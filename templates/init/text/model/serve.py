"""Answer requests: `POST /predict`, and `GET /health` for the load balancer."""

from __future__ import annotations

import sys
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel, Field

from model import estimator, server, store


class Request(BaseModel):
    """What to judge."""

    text: str = Field(min_length=1, max_length=20_000, examples=["where is my parcel"])


class Verdict(BaseModel):
    """The most probable label."""

    label: str
    probability: float
    version: str


class Model:
    """A version in use."""

    def __init__(self, version: store.Version) -> None:
        self.version = version.name
        self.estimator: Any = estimator.from_version(version)

    def judge(self, text: str) -> Verdict:
        """The label that fits a text best."""
        chances = self.estimator.predict_proba([text])[0]
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
    def predict(request: Request) -> Verdict:
        """Judge one text."""
        return models.model.judge(request.text)

    return app


def main() -> int:
    """Exit code 1 if there is no model that can be served."""
    try:
        models = server.Follower(Model, "text-classification")
    except store.Unusable as error:
        print(f"no model: {error}", file=sys.stderr)
        return 1
    server.serve(create_app(models))
    return 0


if __name__ == "__main__":
    sys.exit(main())
