"""The U-Net, its training with torch, the export to ONNX, and the measurement of what was exported."""

from __future__ import annotations

import itertools
import signal
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime as ort
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from .contract import STOPPED, Checkpoint, log
from .data import Data, Settings, batch, load
from .resume import keep, resume


class UNet(nn.Module):
    """Ronneberger, Fischer and Brox, 2015, with batch normalisation. Both sides are as `pad` leaves them."""

    def __init__(self, channels: tuple[int, ...]) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(channels))
        self.first = _block(1, channels[0])
        self.down = nn.ModuleList(_block(fine, coarse) for fine, coarse in pairs)
        self.up = nn.ModuleList(nn.ConvTranspose2d(coarse, fine, 2, stride=2) for fine, coarse in pairs)
        self.join = nn.ModuleList(_block(2 * fine, fine) for fine, _ in pairs)
        self.last = nn.Conv2d(channels[0], 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        kept = [self.first(image)]
        for down in self.down:
            kept.append(down(functional.max_pool2d(kept[-1], 2)))
        found = kept.pop()
        for up, join in zip(reversed(self.up), reversed(self.join), strict=True):
            found = join(torch.cat([kept.pop(), up(found)], dim=1))
        logits: Tensor = self.last(found)
        return logits


def _block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    return nn.Sequential(*layers)


def pad(images: np.ndarray, multiple: int) -> np.ndarray:
    """Fill the last two axes up with air to multiples of `multiple`."""
    rows, columns = (-side % multiple for side in images.shape[-2:])
    return np.pad(images, [(0, 0)] * (images.ndim - 2) + [(0, rows), (0, columns)])


def loss_of(logits: Tensor, masks: Tensor) -> Tensor:
    """Cross entropy of pixels plus one minus the soft Dice coefficient: lesions are few pixels."""
    likely = logits.sigmoid()
    dice = (2 * (likely * masks).sum() + 1) / (likely.sum() + masks.sum() + 1)
    return functional.binary_cross_entropy_with_logits(logits, masks) + 1 - dice


def fit(data: Data, settings: Settings, checkpoint: Checkpoint) -> UNet:
    """Train, from the checkpoint if there is one. SIGTERM saves one after the batch in hand."""
    stop: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(settings.seed)
    model = UNet(settings.channels).to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    multiple = 2 ** (len(settings.channels) - 1)
    per_epoch = -(-len(data.train) // settings.batch_size)
    steps = per_epoch * settings.epochs
    log("training", device=device, steps=steps)
    for step in range(resume(checkpoint, model, optimizer), steps):
        # The order follows from the step alone: a resumed run equals one that was never stopped.
        order = np.random.default_rng([settings.seed, step // per_epoch]).permutation(len(data.train))
        picked = order[step % per_epoch :: per_epoch]
        images, masks = (torch.from_numpy(pad(a, multiple)) for a in batch([data.train[n] for n in picked]))
        if np.random.default_rng([settings.seed, 0, step]).random() < 0.5:
            images, masks = images.flip(-1), masks.flip(-1)
        optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - step / steps)
        with torch.autocast(device, torch.bfloat16, enabled=device == "cuda"):
            logits = model(images.to(device))
        loss = loss_of(logits.float(), masks.to(device))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        done, left = divmod(step + 1, per_epoch)
        if not left:
            log("epoch", done=done, of=settings.epochs, loss=round(loss.item(), 4))
        if stop or not left:
            keep(checkpoint, model, optimizer, step + 1)
        if stop:
            sys.exit(STOPPED)
    signal.signal(signal.SIGTERM, before)
    return model.cpu().eval()


def export(model: UNet, folder: Path) -> None:
    """`model.safetensors`, and `model.onnx` for any number of slices of any padded size."""
    save_file(model.state_dict(), folder / "model.safetensors")
    axes = {0: "batch", 2: "height", 3: "width"}
    with warnings.catch_warnings():
        # The exporter warns of what it fixes while tracing; `evaluate` measures its result on other shapes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            (torch.zeros(1, 1, 64, 64),),
            str(folder / "model.onnx"),
            input_names=["image"],
            output_names=["logits"],
            dynamic_axes={"image": axes, "logits": axes},
            opset_version=17,
            dynamo=False,
        )


def evaluate(path: Path, data: Data, multiple: int) -> dict[str, float]:
    """The Dice coefficient of each slice held out, by the exported model; 1 where both marks are empty."""
    session = ort.InferenceSession(path, providers=ort.get_available_providers())
    scores = {}
    for each in data.test:
        image, mask = load(each)
        logits = session.run(["logits"], {"image": pad(image[None, None], multiple)})[0][0, 0]
        found = logits[: image.shape[0], : image.shape[1]] > 0
        size = found.sum() + mask.sum()
        scores[each.name] = float(2 * (found * mask).sum() / size) if size else 1.0
    return scores
