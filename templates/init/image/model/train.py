"""Train a small convolutional network on folders of images below RAW_URI, and publish it as ONNX.

`raw/LABEL/NAME.png` is an image of that label; JPEG does as well.
"""

from __future__ import annotations

import hashlib
import io
import sys
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from model import job, store
from model.pixels import SIZE, Unreadable, pixels

DEFAULTS = {"epochs": 20, "batchSize": 16, "learningRate": 0.003}
FILE = "model.onnx"


def network(labels: int) -> nn.Sequential:
    """Put a network of your own in its place: images in, a score for each label out."""
    return nn.Sequential(
        *(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Flatten(), nn.Linear(16 * (SIZE // 4) ** 2, 64), nn.ReLU(), nn.Linear(64, labels)),
    )


def train(uri: str, parameters: Mapping[str, Any]) -> job.Trained:
    """Learn, and measure on the images that were held out. Raises `Unfit`."""
    images, answers, held_out, labels, digest = read_images(uri)
    torch.manual_seed(0)
    # So small a network only loses time to threads that wait for each other.
    torch.set_num_threads(1)
    model = network(len(labels))
    optimizer = torch.optim.Adam(model.parameters(), lr=parameters["learningRate"])
    learned = (~held_out).nonzero().flatten()
    for _ in range(parameters["epochs"]):
        for batch in learned[torch.randperm(len(learned))].split(parameters["batchSize"]):
            loss = nn.functional.cross_entropy(model(images[batch]), answers[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    model.eval()
    with torch.no_grad():
        said = model(images[held_out]).argmax(dim=1)
    return job.Trained(
        files={FILE: to_onnx(model)},
        facts={
            "task": "image-classification",
            "architecture": "cnn",
            "labels": labels,
            "runtime": {"onnx": FILE},
            "data": {"digest": digest, "train": len(learned), "test": int(held_out.sum())},
        },
        metrics={"accuracy": float((said == answers[held_out]).float().mean())},
    )


def read_images(uri: str) -> tuple[Tensor, Tensor, Tensor, list[str], str]:
    """Images, their labels as numbers, which are for measuring, the labels, a digest. Raises `Unfit`."""
    found: list[tuple[str, bytes]] = []
    for name in store.names(uri):
        if name.lower().endswith((".png", ".jpg", ".jpeg")) and "/" in name:
            found.append((name, store.read(uri, name)))
    labels = sorted({name.split("/")[0] for name, _ in found})
    # A fifth of the images is for measuring, chosen by content: the same ones whatever their order.
    held_out = torch.tensor([zlib.crc32(data) % 5 == 0 for _, data in found], dtype=torch.bool)
    if len(labels) < 2 or not held_out.any():
        raise job.Unfit(f"{uri} has to hold images in folders LABEL/, of at least two labels, a few of each")
    values = []
    for name, data in found:
        try:
            values.append(pixels(data))
        except Unreadable as error:
            raise job.Unfit(f"{uri}{name}: {error}") from None
    answers = torch.tensor([labels.index(name.split("/")[0]) for name, _ in found])
    digest = hashlib.sha256(b"".join(hashlib.sha256(data).digest() for _, data in found)).hexdigest()
    return torch.from_numpy(np.stack(values)), answers, held_out, labels, f"sha256:{digest}"


def to_onnx(model: nn.Module) -> bytes:
    """The network as ONNX, which gives the probability of each label."""
    file = io.BytesIO()
    torch.onnx.export(
        nn.Sequential(model, nn.Softmax(dim=1)).eval(),
        (torch.zeros(1, 1, SIZE, SIZE),),
        file,
        input_names=["images"],
        output_names=["probabilities"],
        dynamic_axes={"images": {0: "batch"}, "probabilities": {0: "batch"}},
        dynamo=False,
    )
    return file.getvalue()


if __name__ == "__main__":
    sys.exit(job.run(DEFAULTS, train))
