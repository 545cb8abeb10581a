"""Answer requests: `POST /predict`, and `GET /health` for the load balancer."""

from __future__ import annotations

import base64
import binascii
import io
import sys

import onnxruntime as ort
from fastapi import FastAPI, HTTPException
from PIL import Image
from pydantic import BaseModel, Field

from model import server, store
from model.pixels import SIZE, Unreadable, pixels

FILE = "model.onnx"


def example() -> str:
    """A grey image, for the documentation."""
    file = io.BytesIO()
    Image.new("L", (SIZE, SIZE), 128).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


class Request(BaseModel):
    """What to judge: a PNG or JPEG in base64."""

    image: str = Field(max_length=4_000_000, examples=[example()])


class Verdict(BaseModel):
    """The most probable label."""

    label: str
    probability: float
    version: str


class Model:
    """A version in use."""

    def __init__(self, version: store.Version) -> None:
        self.version = version.name
        self.labels: list[str] = version.manifest["labels"]
        self.session = ort.InferenceSession(version.files[FILE], providers=["CPUExecutionProvider"])

    def judge(self, image: bytes) -> Verdict:
        """The label that fits an image best. Raises `Unreadable`."""
        ((chances,),) = self.session.run(["probabilities"], {"images": pixels(image)[None]})
        best = int(chances.argmax())
        return Verdict(label=self.labels[best], probability=float(chances[best]), version=self.version)


def create_app(models: server.Follower[Model]) -> FastAPI:
    """The service."""
    app = FastAPI(title="Predictions")

    @app.get("/health")
    def health() -> dict[str, str]:
        """The model is loaded."""
        return {"status": "ok", "version": models.version}

    @app.post("/predict")
    def predict(request: Request) -> Verdict:
        """Judge one image."""
        try:
            return models.model.judge(base64.b64decode(request.image, validate=True))
        except (binascii.Error, Unreadable) as error:
            raise HTTPException(422, str(error)) from None

    return app


def main() -> int:
    """Exit code 1 if there is no model that can be served."""
    try:
        models = server.Follower(Model, "image-classification")
    except store.Unusable as error:
        print(f"no model: {error}", file=sys.stderr)
        return 1
    server.serve(create_app(models))
    return 0


if __name__ == "__main__":
    sys.exit(main())
