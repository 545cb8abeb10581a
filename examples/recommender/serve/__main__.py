"""`GET /recommendations/{user}`: the items that a user may like best and has not had."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, Path, Query
from pydantic import BaseModel

from .contract import Meter, Version, guard, serve


class Recommendation(BaseModel):
    """One item; the higher the score, the better it fits."""

    item: str
    score: float


class Recommendations(BaseModel):
    """The best first. A user whom the model does not know gets what is popular."""

    user: str
    personal: bool
    version: str
    items: list[Recommendation]


@dataclass(frozen=True)
class Recommender:
    """The scores of all items for a user, and what the numbers mean."""

    session: ort.InferenceSession
    users: np.ndarray
    items: np.ndarray
    popular: np.ndarray
    starts: np.ndarray
    seen: np.ndarray
    version: str

    @classmethod
    def of(cls, version: Version) -> Recommender:
        """Read a verified version."""
        with np.load(version.folder / "catalog.npz", allow_pickle=False) as catalog:
            arrays = {name: catalog[name] for name in ("users", "items", "popular", "starts", "seen")}
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1  # requests run beside each other
        path = version.folder / version.manifest["runtime"]["onnx"]
        session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        return cls(session, **arrays, version=version.name)

    def recommend(self, user: str, limit: int) -> Recommendations:
        """The `limit` best items for `user`."""
        number = int(np.searchsorted(self.users, user))
        known = number < len(self.users) and self.users[number] == user
        if known:
            scores = self.session.run(["scores"], {"user": np.array([number])})[0][0]
            scores[self.seen[self.starts[number] : self.starts[number + 1]]] = -np.inf
        else:
            scores = np.zeros(len(self.items), np.float32)
            scores[self.popular] = 1 / np.arange(1, len(self.items) + 1)
        best = np.argpartition(-scores, min(limit, len(scores) - 1))[:limit]
        ranked = [n for n in best[np.argsort(-scores[best], kind="stable")] if np.isfinite(scores[n])]
        found = [Recommendation(item=str(self.items[n]), score=float(scores[n])) for n in ranked]
        return Recommendations(user=user, personal=known, version=self.version, items=found)


def build(version: Version) -> FastAPI:
    """The service of one version."""
    model, meter = Recommender.of(version), Meter()
    app = FastAPI(title="Recommendations", version=version.name)
    guard(app, 0)

    @app.get("/recommendations/{user}")
    def recommendations(
        user: Annotated[str, Path(max_length=128)], limit: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> Recommendations:
        """What this user may like."""
        began = time.perf_counter()
        found = model.recommend(user, limit)
        meter.add(PredictionLatency=1000 * (time.perf_counter() - began))
        return found

    @app.get("/health")
    def health() -> dict[str, str]:
        """The process lives and its model is loaded."""
        return {"status": "ok", "version": version.name}

    return app


if __name__ == "__main__":
    sys.exit(serve(build, "recommendation"))
