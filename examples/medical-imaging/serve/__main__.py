"""`POST /masks`: one CT slice in, the mask of its lesions out, as a PNG of 0 and 255."""

from __future__ import annotations

import io
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from fastapi import FastAPI, HTTPException, Request, Response
from PIL import Image
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect

from .contract import Meter, Version, serve
from .slices import Unreadable, read

LARGEST_UPLOAD = 64 << 20
"""Bytes; more than any slice takes."""
MOST_AT_ONCE = 16
"""Uploads that are received or wait for the model; others are told to come back."""
DRAIN = 110


@dataclass(frozen=True)
class Segmenter:
    """Slices to masks, one at a time: a large slice needs most of a small GPU's memory."""

    session: ort.InferenceSession
    window: tuple[float, float]
    multiple: int
    turn: threading.Lock

    @classmethod
    def of(cls, version: Version) -> Segmenter:
        """Read a verified version; on the GPU if there is one."""
        if hasattr(ort, "preload_dlls"):
            ort.preload_dlls()  # CUDA's libraries come as Python packages
        wanted = ("CUDAExecutionProvider", "CPUExecutionProvider")
        providers = [name for name in wanted if name in ort.get_available_providers()]
        about = version.manifest
        session = ort.InferenceSession(version.folder / about["runtime"]["onnx"], providers=providers)
        return cls(session, tuple(about["window"]), about["multiple"], threading.Lock())

    def segment(self, path: Path) -> np.ndarray:
        """The mask of an uploaded slice, of the slice's size. Raises `Unreadable`."""
        with self.turn:
            image = read(path)
            low, high = self.window
            scaled = np.clip((image - low) / (high - low), 0, 1)
            rows, columns = (-side % self.multiple for side in image.shape)
            padded = np.pad(scaled, [(0, rows), (0, columns)])[None, None]
            logits = self.session.run(["logits"], {"image": padded})[0][0, 0]
            mask: np.ndarray = logits[: image.shape[0], : image.shape[1]] > 0
            return mask


async def receive(request: Request, path: Path) -> None:
    """Write the body to a file as it comes. Raises HTTPException 413 once it is too large."""
    size = 0
    with path.open("wb") as file:
        async for chunk in request.stream():
            size += len(chunk)
            if size > LARGEST_UPLOAD:
                raise HTTPException(413, f"send at most {LARGEST_UPLOAD} bytes")
            await run_in_threadpool(file.write, chunk)


def build(version: Version) -> FastAPI:
    """The service of one version."""
    segmenter, meter = Segmenter.of(version), Meter()
    app = FastAPI(title="Lesions", version=version.name)
    places = threading.BoundedSemaphore(MOST_AT_ONCE)
    upload = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}

    @app.post(
        "/masks",
        response_class=Response,
        responses={200: {"content": {"image/png": {}}}},
        openapi_extra={"requestBody": {"required": True, "content": upload}},
    )
    async def masks(request: Request) -> Response:
        """Mark the lesions of a slice: a .npz file with `image` in Hounsfield units, or a 16-bit PNG."""
        if not places.acquire(blocking=False):
            raise HTTPException(503, "too many uploads at once", {"Retry-After": "2"})
        try:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "upload")
                await receive(request, path)
                began = time.perf_counter()
                mask = await run_in_threadpool(segmenter.segment, path)
                meter.add(
                    PredictionLatency=1000 * (time.perf_counter() - began), LesionShare=float(mask.mean())
                )
        except Unreadable as error:
            raise HTTPException(422, str(error)) from error
        except ClientDisconnect:
            return Response(status_code=400)
        finally:
            places.release()
        answer = io.BytesIO()
        Image.fromarray(mask.astype(np.uint8) * 255).save(answer, "PNG")
        facts = {"X-Model-Version": version.name, "X-Lesion-Pixels": str(int(mask.sum()))}
        return Response(answer.getvalue(), media_type="image/png", headers=facts)

    @app.get("/health")
    def health() -> dict[str, str]:
        """The process lives and its model is loaded."""
        provider = segmenter.session.get_providers()[0]
        return {"status": "ok", "version": version.name, "provider": provider}

    return app


if __name__ == "__main__":
    sys.exit(serve(build, "image-segmentation", DRAIN))
