"""What every peer answers with.

`MODEL` is a folder as transformers writes it, or a version of the store for ONNX Runtime.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path


def load() -> Callable[[str], dict]:
    """A function from a text to its label and score, written as tutorials do."""
    model = Path(os.environ["MODEL"])
    return _onnx(model) if (model / "manifest.json").exists() else _pipeline(model)


def _pipeline(model: Path) -> Callable[[str], dict]:
    from transformers import pipeline

    classify = pipeline("text-classification", model=str(model), device="cpu")
    return lambda text: classify(text, truncation=True)[0]


def _onnx(model: Path) -> Callable[[str], dict]:
    import json

    import numpy as np
    import onnxruntime
    from tokenizers import Tokenizer

    manifest = json.loads((model / "manifest.json").read_text())
    tokenizer = Tokenizer.from_file(str(model / "tokenizer.json"))
    tokenizer.enable_truncation(manifest["maxTokens"])
    file = manifest["runtime"].get("onnxInt8", manifest["runtime"]["onnx"])
    session = onnxruntime.InferenceSession(str(model / file), providers=["CPUExecutionProvider"])

    def classify(text: str) -> dict:
        ids = np.array([tokenizer.encode(text).ids])
        logits = session.run(None, {"input_ids": ids, "attention_mask": np.ones_like(ids)})[0][0]
        shares = np.exp(logits) / np.exp(logits).sum()
        return {"label": manifest["labels"][int(shares.argmax())], "score": float(shares.max())}

    return classify
