"""Reads labelled questions, fine-tunes, exports, measures and publishes."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

from .contract import Checkpoint, Job, log, publish, run
from .data import Settings, read
from .store import digest


def train(job: Job, folder: Path) -> None:
    """The whole run: read, fine-tune, export, measure, publish."""
    settings = job.settings(Settings)
    data = read(folder / "raw")
    log("read", train=len(data.train), test=len(data.test), intents=data.labels)
    from .model import evaluate, export, fit, start  # torch is not waited for before the data are good

    tokenizer, model = start(settings, data.labels, folder / "base")
    base = digest(sorted(path for path in (folder / "base").rglob("*") if path.is_file()))
    checkpoint = Checkpoint(job, folder / "checkpoint.safetensors", data.digest, base, settings)
    fit(model, tokenizer, data, settings, checkpoint)
    files = folder / "model"
    files.mkdir()
    export(model, tokenizer, settings, files)
    metrics = evaluate(files, tokenizer, data, settings)
    log("evaluated", **metrics)
    facts = {
        "task": "text-classification",
        "architecture": "transformer",
        "labels": data.labels,
        "maxTokens": settings.max_tokens,
        "tokenizer": "tokenizer.json",
        "runtime": {"onnx": "model.onnx", "torch": "model.safetensors"},
        "inputs": ["input_ids", "attention_mask"],
        "metrics": metrics,
        "data": {"digest": data.digest, "train": len(data.train), "test": len(data.test)},
        "hyperparameters": asdict(settings),
    }
    publish(job, files, facts)


if __name__ == "__main__":
    sys.exit(run(train))
