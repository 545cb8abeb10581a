"""Answer requests: `POST /predict`, and `GET /health` for the load balancer."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from model import store
from model.linear import Linear

EXAMPLE = {"pressure": 3.0, "temperature": 81.0, "vibration": 0.6}

BESIDE = Path(__file__).with_name(store.MODEL)


class Row(BaseModel):
    """What to judge."""

    features: dict[str, float] = Field(min_length=1, examples=[EXAMPLE])


class Verdict(BaseModel):
    """The most probable label."""

    label: str
    probability: float
    version: str


def create_app(model: Linear, version: str) -> FastAPI:
    """The service for one version of the model."""
    app = FastAPI(title="Predictions", version=version)

    @app.get("/health")
    def health() -> dict[str, str]:
        """The model is loaded."""
        return {"status": "ok", "version": version}

    @app.post("/predict")
    def predict(row: Row) -> Verdict:
        """Judge one row."""
        try:
            chances = model.predict(row.features)
        except ValueError as error:
            raise HTTPException(422, str(error)) from None
        label = max(chances, key=lambda each: chances[each])
        return Verdict(label=label, probability=chances[label], version=version)

    return app


def load() -> tuple[str, bytes]:
    """The model below MODEL_URI; without that, the one that lies beside this file. Raises `Unusable`."""
    if uri := os.environ.get("MODEL_URI"):
        return store.load(uri, os.environ.get("MODEL_VERSION", "current"))
    if not BESIDE.exists():
        raise store.Unusable("set MODEL_URI to where versions of the model are published")
    return "built-in", BESIDE.read_bytes()


def main() -> int:
    """Exit code 1 if there is no model that can be served."""
    try:
        version, data = load()
    except store.Unusable as error:
        print(f"no model: {error}", file=sys.stderr)
        return 1
    host, port = os.environ.get("HOST") or "0.0.0.0", int(os.environ.get("PORT", "8080"))
    # Idle connections are the load balancer's to close: a request may be on its way on one that closes here.
    keep_alive = int(os.environ.get("KEEP_ALIVE_SECONDS", "60")) + 15
    # After SIGTERM requests in flight have less time than ECS gives the task (30 s).
    app = create_app(Linear.from_json(data), version)
    uvicorn.run(app, host=host, port=port, timeout_keep_alive=keep_alive, timeout_graceful_shutdown=20)
    return 0


if __name__ == "__main__":
    sys.exit(main())
