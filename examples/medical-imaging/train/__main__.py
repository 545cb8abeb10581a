"""Reads slices and masks, trains, exports, measures and publishes."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path

from .contract import Checkpoint, Job, location, log, publish, run
from .data import WINDOW, Settings, read


def train(job: Job, folder: Path) -> None:
    """The whole run: read, train, export, measure, publish."""
    settings = job.settings(Settings)
    data = read(folder)
    log("read", train=len(data.train), test=len(data.test))
    from .model import evaluate, export, fit  # torch is not waited for before the data are good

    model = fit(data, settings, Checkpoint(job, folder / "checkpoint.safetensors", data.digest, settings))
    files = folder / "model"
    files.mkdir()
    export(model, files)
    multiple = 2 ** (len(settings.channels) - 1)
    scores = evaluate(files / "model.onnx", data, multiple)
    metrics = {"dice": sum(scores.values()) / len(scores), "worstDice": min(scores.values())}
    log("evaluated", **metrics)
    facts = {
        "task": "image-segmentation",
        "architecture": "unet",
        "window": WINDOW,
        "multiple": multiple,
        "runtime": {"onnx": "model.onnx", "torch": "model.safetensors"},
        "inputs": ["image"],
        "metrics": metrics,
        "data": {"digest": data.digest, "train": len(data.train), "test": len(data.test)},
        "hyperparameters": asdict(settings),
    }
    version = publish(job, files, facts)
    if "PROCESSED_URI" in os.environ:
        # What a radiologist looks at first: the slices that went worst.
        ranked = json.dumps(dict(sorted(scores.items(), key=lambda pair: pair[1])), indent=2)
        location("PROCESSED_URI").put(f"{job.model}/{version}/dice.json", ranked.encode())


if __name__ == "__main__":
    sys.exit(run(train))
