"""The model that is measured: a 6-layer, 384-wide BERT classifier in the store's layout.

Its weights are random, since speed does not depend on them; its tokenizer is trained on the real reviews,
so that texts have real lengths.

    python benchmarks/serve/model.py FOLDER
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

VERSION = "20261123T000000Z-00000000"
TOKENS = 512


def reviews(split: str = "test") -> list[str]:
    """The texts of the real reviews."""
    import pyarrow.parquet as parquet

    folder = Path(os.environ.get("IMDB_DATA", Path(__file__).parents[3] / "shared" / "imdb"))
    return parquet.read_table(folder / f"imdb_{split}.parquet", columns=["text"])["text"].to_pylist()


def make(folder: Path) -> Path:
    """Write `hub/`, as transformers reads it, and `store/`, as the service reads it."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification, BertTokenizerFast

    torch.manual_seed(0)
    hub, version = folder / "hub", folder / "store" / VERSION
    version.mkdir(parents=True, exist_ok=True)
    tokenizer = BertTokenizerFast(tokenizer_object=train_tokenizer(reviews("train")), model_max_length=TOKENS)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=384, num_hidden_layers=6, num_attention_heads=12,
        intermediate_size=1536, max_position_embeddings=TOKENS, num_labels=2,
        id2label={0: "negative", 1: "positive"}, label2id={"negative": 0, "positive": 1},
        pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    model = BertForSequenceClassification(config).eval()
    tokenizer.save_pretrained(hub)
    model.save_pretrained(hub)
    tokenizer.backend_tokenizer.save(str(version / "tokenizer.json"))
    export(model, folder / "plain.onnx")
    fuse(folder / "plain.onnx", version / "model.onnx")
    quantise(version / "model.onnx", version / "model.int8.onnx")
    finish(version)
    digest = hashlib.sha256((version / "manifest.json").read_bytes()).hexdigest()
    pointer = {"version": VERSION, "manifestSha256": digest}
    (version.parent / "current.json").write_text(json.dumps(pointer))
    return folder


def train_tokenizer(texts: list[str]):
    """A WordPiece tokenizer of BERT's kind and size."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(
        texts, trainers.WordPieceTrainer(vocab_size=30522, special_tokens=special, show_progress=False)
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def export(model, to: Path) -> None:
    """Write the graph as torch exports it."""
    import torch

    ids = torch.ones(2, 16, dtype=torch.int64)
    dynamic = {name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask")}
    model.config._attn_implementation = "eager"
    torch.onnx.export(
        model, (ids, ids), str(to), input_names=["input_ids", "attention_mask"], output_names=["logits"],
        dynamic_axes=dynamic | {"logits": {0: "batch"}}, opset_version=17, dynamo=False,
    )  # fmt: skip


def fuse(source: Path, to: Path) -> None:
    """Fuse attention, layer norm and GELU."""
    from onnxruntime.transformers.optimizer import optimize_model

    fused = optimize_model(str(source), model_type="bert", num_heads=12, hidden_size=384, opt_level=0)
    fused.save_model_to_file(str(to))
    print(fused.get_fused_operator_statistics(), file=sys.stderr)


def quantise(source: Path, to: Path) -> None:
    """Weights to int8, activations as they come."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # Shape inference knows no fused operator, so what they give has to be said.
    options = {"DefaultTensorType": onnx.TensorProto.FLOAT}
    quantize_dynamic(source, to, weight_type=QuantType.QInt8, per_channel=True, extra_options=options)


def finish(version: Path) -> None:
    """Write the manifest, last."""
    files = {
        file.name: {"sha256": hashlib.sha256(file.read_bytes()).hexdigest(), "bytes": file.stat().st_size}
        for file in sorted(version.iterdir()) if file.name != "manifest.json"
    }  # fmt: skip
    manifest = {
        "schema": "mlopsgen.io/model/v1",
        "name": "sentiment",
        "task": "text-classification",
        "version": version.name,
        "createdAt": "2026-11-23T00:00:00Z",
        "architecture": "transformer",
        "labels": ["negative", "positive"],
        "maxTokens": TOKENS,
        "tokenizer": "tokenizer.json",
        "runtime": {"onnx": "model.onnx", "onnxInt8": "model.int8.onnx"},
        "inputs": ["input_ids", "attention_mask"],
        "metrics": {},
        "files": files,
    }
    (version / "manifest.json").write_text(json.dumps(manifest, indent=2))


if __name__ == "__main__":
    make(Path(sys.argv[1]))
