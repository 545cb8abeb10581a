"""Tiny models for tests: a few known words, weighed and added up by a real ONNX graph."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

SIZE = 512
WEIGHTS = {"[PAD]": 0.0, "[UNK]": 0.0, "wonderful": 3.0, "good": 1.5, "dull": -1.5, "awful": -3.0}


def publish(
    store: Path,
    version: str,
    *,
    name: str = "sentiment",
    flip: bool = False,
    slow: int = 0,
    labels: tuple[str, ...] = ("negative", "positive"),
    current: bool = True,
) -> Path:
    """Write a version into the model store at `store`, as the contract says; its folder.

    With `flip` it says the opposite; each text takes about `slow` times 4 ms of a core. Of the labels, words
    speak for the second and against the first; the others have a logit of 0.
    """
    folder = store / version
    folder.mkdir(parents=True)
    _tokenizer().save(str(folder / "tokenizer.json"))
    (folder / "model.onnx").write_bytes(graph(-1.0 if flip else 1.0, slow, len(labels)).SerializeToString())
    (folder / "metrics.json").write_text("{}")
    finish(folder, name=name, labels=labels)
    if current:
        promote(store, version)
    return folder


def finish(folder: Path, *, name: str = "sentiment", **changes: object) -> None:
    """Write the manifest over what the folder holds now."""
    files = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        for file in sorted(folder.iterdir())
        if file.name != "manifest.json"
    }
    manifest = {
        "schema": "mlopsgen.io/model/v1",
        "name": name,
        "version": folder.name,
        "createdAt": "2026-11-23T08:15:00Z",
        "task": "text-classification",
        "architecture": "bow",
        "labels": ["negative", "positive"],
        "maxTokens": 256,
        "tokenizer": "tokenizer.json",
        "runtime": {"onnx": "model.onnx"},
        "inputs": ["input_ids", "attention_mask"],
        "metrics": {"accuracy": 0.9},
        "files": files,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest | changes, indent=2))


def promote(store: Path, version: str) -> None:
    """Let `current.json` point to a version, as it is now."""
    (store / "current.json").write_text(json.dumps(pointer(store, version)))


def pointer(store: Path, version: str) -> dict[str, str]:
    """What `current.json` holds for a version; one that does not exist has no digest that fits."""
    manifest = store / version / "manifest.json"
    data = manifest.read_bytes() if manifest.exists() else b""
    return {"version": version, "manifestSha256": hashlib.sha256(data).hexdigest()}


def _tokenizer() -> Tokenizer:
    tokenizer = Tokenizer(WordLevel({word: number for number, word in enumerate(WEIGHTS)}, unk_token="[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    return tokenizer


def graph(sign: float, slow: int, labels: int = 2) -> onnx.ModelProto:
    """Logits are minus and plus the sum of the words' weights; before that, `slow` products of matrices."""
    others = [0.0] * (labels - 2)
    weights = np.array([[-sign * w / 2, sign * w / 2, *others] for w in WEIGHTS.values()], dtype=np.float32)
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["each"]),
        helper.make_node("Cast", ["attention_mask"], ["floats"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["floats", "last"], ["mask"]),
        helper.make_node("Mul", ["each", "mask"], ["masked"]),
        helper.make_node("ReduceSum", ["masked", "tokens"], ["sums"], keepdims=0),
        helper.make_node("ReduceMax", ["mask"], ["work0"], axes=[1, 2], keepdims=1),
        helper.make_node("Mul", ["work0", "matrix"], ["product0"]),
        *(
            helper.make_node("MatMul", [f"product{step}", "matrix"], [f"product{step + 1}"])
            for step in range(slow)
        ),
        helper.make_node("ReduceMean", [f"product{slow}"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "tokens"], ["column"]),
        helper.make_node("Mul", ["column", "nothing"], ["none"]),
        helper.make_node("Add", ["sums", "none"], ["logits"]),
    ]
    shape: list[str | int] = ["batch", "tokens"]
    body = helper.make_graph(
        nodes,
        "weigh",
        [
            helper.make_tensor_value_info(name, TensorProto.INT64, shape)
            for name in ("input_ids", "attention_mask")
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", labels])],
        [
            numpy_helper.from_array(weights, "weights"),
            numpy_helper.from_array(np.full((SIZE, SIZE), 1 / SIZE, dtype=np.float32), "matrix"),
            numpy_helper.from_array(np.array(0, dtype=np.float32), "nothing"),
            numpy_helper.from_array(np.array([2], dtype=np.int64), "last"),
            numpy_helper.from_array(np.array([1], dtype=np.int64), "tokens"),
        ],
    )
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
