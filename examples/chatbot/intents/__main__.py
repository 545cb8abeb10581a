"""`POST /intents`: what a text is about, by the current model."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI
from pydantic import BaseModel, StringConstraints
from tokenizers import Tokenizer

from .contract import Meter, Version, guard, serve

LONGEST_BODY = 16_384
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2_000)]


class Question(BaseModel):
    """What a customer writes."""

    text: Text


class Candidate(BaseModel):
    """One intent, and how likely it is."""

    intent: str
    probability: float


class Intents(BaseModel):
    """All intents, the likeliest first."""

    intents: list[Candidate]
    version: str


@dataclass(frozen=True)
class Classifier:
    """Text to intents."""

    tokenizer: Tokenizer
    session: ort.InferenceSession
    labels: tuple[str, ...]
    version: str

    @classmethod
    def of(cls, version: Version) -> Classifier:
        """Read a verified version."""
        about = version.manifest
        tokenizer = Tokenizer.from_file(str(version.folder / about["tokenizer"]))
        tokenizer.enable_truncation(about["maxTokens"])
        path = version.folder / about["runtime"]["onnx"]
        session = ort.InferenceSession(path, providers=["CPUExecutionProvider"])
        return cls(tokenizer, session, tuple(about["labels"]), version.name)

    def classify(self, text: str) -> Intents:
        """The intents of one text."""
        tokens = self.tokenizer.encode(text)
        values = {"input_ids": tokens.ids, "attention_mask": tokens.attention_mask}
        logits = self.session.run(["logits"], {name: np.array([row]) for name, row in values.items()})[0][0]
        likely = np.exp(logits - logits.max())
        likely /= likely.sum()
        ranked = [Candidate(intent=self.labels[n], probability=float(likely[n])) for n in np.argsort(-likely)]
        return Intents(intents=ranked, version=self.version)


def build(version: Version) -> FastAPI:
    """The service of one version."""
    classifier, meter = Classifier.of(version), Meter()
    app = FastAPI(title="Intents", version=version.name)
    guard(app, LONGEST_BODY)

    # A plain function: FastAPI runs it in a thread, and the runtime lets other threads work.
    @app.post("/intents")
    def intents(question: Question) -> Intents:
        """What the text is about."""
        began = time.perf_counter()
        found = classifier.classify(question.text)
        latency = 1000 * (time.perf_counter() - began)
        meter.add(PredictionLatency=latency, Confidence=found.intents[0].probability)
        return found

    @app.get("/health")
    def health() -> dict[str, str]:
        """The process lives and its model is loaded."""
        return {"status": "ok", "version": version.name}

    return app


if __name__ == "__main__":
    sys.exit(serve(build, "text-classification"))
