"""The files that serve: ONNX in fp32, and in int8 if that loses little; checked against the trained model."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

from train import architectures, log
from train.architectures.base import INPUTS, Fitted
from train.errors import Fault
from train.evaluate import predict
from train.settings import Hyperparameters
from train.tokens import Encoded, Ids, Logits, Predict

AGREEMENT = 0.999
"""The least share of reviews that ONNX has to label as the trained model does."""


class Int8(TypedDict):
    """What the int8 model loses in accuracy, what it may lose, and whether it is kept."""

    loss: float
    bound: float
    kept: bool


class Checked(TypedDict):
    """How the ONNX model does on the test reviews it was checked on."""

    rows: int
    agreement: float
    accuracy: float
    int8: NotRequired[Int8]


def session(path: Path) -> Predict:
    """The model in this ONNX file, on the CPU."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    runtime = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    def run(ids: Ids, mask: Ids) -> Logits:
        logits: Logits = runtime.run(["logits"], dict(zip(INPUTS, (ids, mask), strict=True)))[0]
        return logits

    return run


def export_onnx(
    fitted: Fitted, reference: Logits, test: Encoded, settings: Hyperparameters, folder: Path
) -> Checked:
    """Write `model.onnx`, and `model.int8.onnx` if it stays within `int8_loss`; say what was measured.

    `reference` has the trained model's logits of `test`. Raises `Fault` if ONNX answers differently.
    """
    architecture = architectures.load(settings.architecture)
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / "model.onnx"
    architecture.export(fitted, target)
    rows = _some(len(test), settings)
    part, expected = test.take(rows), reference[rows].argmax(axis=1)
    labels = predict(session(target), part, "check model.onnx").argmax(axis=1)
    agreement = float((labels == expected).mean())
    accuracy = float((labels == part.labels).mean())
    if agreement < AGREEMENT:
        raise Fault(
            f"model.onnx labels only {agreement:.2%} of {len(rows)} reviews as the trained model does",
            f"at least {AGREEMENT:.1%} is asked for; report this with the settings of the run",
        )
    measured: Checked = {"rows": len(rows), "agreement": agreement, "accuracy": accuracy}
    if architecture.quantizable:
        int8 = _quantize(target, folder / "model.int8.onnx", part, accuracy, settings)
        log.say("exported", agreement=agreement, int8_loss=int8["loss"], int8_bound=int8["bound"],
                int8_kept=int8["kept"])  # fmt: skip
        return measured | {"int8": int8}
    log.say("exported", agreement=agreement)
    return measured


def _quantize(source: Path, target: Path, part: Encoded, accuracy: float, settings: Hyperparameters) -> Int8:
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Fused operators are outside of what shape inference knows: all that it does not know is float.
    known = {"DefaultTensorType": TensorProto.FLOAT}
    logging.disable(logging.WARNING)  # it warns about inputs that are no floats, which stay as they are
    try:
        quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=True, extra_options=known)
    finally:
        logging.disable(logging.NOTSET)
    labels = predict(session(target), part, "check model.int8.onnx").argmax(axis=1)
    loss = accuracy - float((labels == part.labels).mean())
    kept = loss <= settings.int8_loss
    if not kept:
        log.warn("int8", message="left out: it loses too much accuracy", loss=loss, bound=settings.int8_loss)
        target.unlink()
    return {"loss": loss, "bound": settings.int8_loss, "kept": kept}


def _some(count: int, settings: Hyperparameters) -> NDArray[np.int64]:
    if not settings.verify_rows or settings.verify_rows >= count:
        return np.arange(count)
    chosen = np.random.default_rng(settings.seed).choice(count, settings.verify_rows, replace=False)
    return np.sort(chosen)
