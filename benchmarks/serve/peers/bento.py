"""BentoML."""

import bentoml
from answer import load


@bentoml.service(traffic={"timeout": 120}, metrics={"enabled": True})
class Classifier:
    def __init__(self) -> None:
        self.classify = load()

    @bentoml.api
    def predict(self, text: str) -> dict:
        return self.classify(text)
