"""The training loop of the neural architectures: on one worker or several, resumable, reproducible.

Whatever is random in a step follows from (seed, step, rank), and the order of an epoch from (seed, epoch).
So a checkpoint needs no random state, and a run that was killed ends with the numbers of one that was not.
"""

from __future__ import annotations

import contextlib
import math
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from types import FrameType
from typing import Any, TypedDict, cast

import numpy as np
import torch
import torch.distributed as dist
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from train import log
from train.architectures.base import Context, Epoch
from train.checkpoint import Checkpoint
from train.distributed import Worker
from train.errors import Fault, Stopped
from train.settings import Hyperparameters
from train.tokens import Encoded, Ids, Logits, Predict

POOL = 50
"""Batches that are sorted by length together: enough for little padding, and few enough to stay shuffled."""


@dataclass(frozen=True, slots=True)
class Batch:
    """A worker's share of a batch: reviews of like length; ids and mask are reviews x tokens."""

    ids: Tensor
    mask: Tensor
    labels: Tensor
    reviews: int
    """Reviews of the whole batch, which the workers share."""
    tokens: int
    """Tokens of the whole batch."""


@dataclass(frozen=True, slots=True)
class Metrics:
    """What one training step measured."""

    loss: float
    """Mean cross entropy of this worker's reviews."""
    reviews: int
    """Reviews that all workers trained on."""
    tokens: int
    """Tokens that all workers trained on."""


class Saved(TypedDict):
    """The progress as a checkpoint has it; null stands for what is not a finite number."""

    epoch: int
    step: int
    loss_sum: float
    reviews: int
    tokens: int
    seconds: float
    best_loss: float | None
    best_epoch: int
    done: bool
    history: list[dict[str, float | None]]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is: `step` counts steps of this epoch; sums are over its reviews."""

    epoch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    reviews: int = 0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = -1
    done: bool = False
    history: tuple[Epoch, ...] = ()

    @classmethod
    def of(cls, saved: Saved) -> Progress:
        """The progress that a checkpoint tells of."""
        return cls(
            epoch=saved["epoch"],
            step=saved["step"],
            loss_sum=saved["loss_sum"],
            reviews=saved["reviews"],
            tokens=saved["tokens"],
            seconds=saved["seconds"],
            best_loss=math.inf if saved["best_loss"] is None else saved["best_loss"],
            best_epoch=saved["best_epoch"],
            done=saved["done"],
            history=tuple(map(Epoch.of, saved["history"])),
        )

    def to_json(self) -> Mapping[str, object]:
        """The progress as a checkpoint keeps it."""
        history = [
            {name: None if math.isnan(value) else value for name, value in asdict(epoch).items()}
            for epoch in self.history
        ]
        best_loss = self.best_loss if math.isfinite(self.best_loss) else None
        return asdict(self) | {"history": history, "best_loss": best_loss}

    def after(self, metrics: Metrics, seconds: float) -> Progress:
        """The progress once a further step is done, which took so many seconds."""
        return replace(
            self,
            step=self.step + 1,
            loss_sum=self.loss_sum + metrics.loss * metrics.reviews,
            reviews=self.reviews + metrics.reviews,
            tokens=self.tokens + metrics.tokens,
            seconds=self.seconds + seconds,
        )


def train(
    model: nn.Module,
    data: Encoded,
    validation: Encoded,
    settings: Hyperparameters,
    context: Context,
    worker: Worker,
) -> tuple[dict[str, np.ndarray], tuple[Epoch, ...]]:
    """Fit `model` to `data`; return the weights of the epoch with the least validation loss, and the history.

    Without validation reviews the last epoch's weights are returned. Raises `Stopped` after SIGTERM, once the
    checkpoint is saved.
    """
    model.to(worker.device)
    optimizer = torch.optim.AdamW(_groups(model, settings), lr=settings.learning_rate, fused=True)
    scaler = torch.amp.GradScaler(worker.device.type, enabled=worker.dtype == torch.float16)
    progress, best = _resume(model, optimizer, scaler, context)
    parallel = nn.parallel.DistributedDataParallel(model) if worker.world_size > 1 else model
    steps = -(-len(data) // settings.batch_size)
    saved = time.monotonic()
    with _sigterm() as stop:
        while not progress.done:
            batches = _order(data, settings, progress.epoch)
            title = f"epoch {progress.epoch + 1}/{settings.epochs}"
            for rows in log.progress(batches[progress.step :], title, len(batches) - progress.step):
                begun = time.monotonic()
                number = progress.epoch * steps + progress.step
                _reseed(settings.seed, number, worker)
                for group in optimizer.param_groups:
                    group["lr"] = settings.learning_rate * _rate(
                        number, steps * settings.epochs, settings.warmup
                    )
                batch = _batch(data, rows, worker)
                metrics = train_step(parallel, batch, optimizer, scaler, settings, worker)
                if not math.isfinite(metrics.loss):
                    raise Fault(
                        f"the loss is {metrics.loss} at step {number + 1}", "lower `learningRate` or `clip`"
                    )
                progress = progress.after(metrics, time.monotonic() - begun)
                stopping, due = worker.agree(
                    stop.is_set(), time.monotonic() - saved > settings.checkpoint_seconds
                )
                if stopping or due:
                    _save(model, optimizer, scaler, progress, best, context, worker)
                    saved = time.monotonic()
                if stopping:
                    raise _stopped(progress, steps)
            progress, better = _close(model, validation, settings, progress, context, worker)
            if better:
                best = {name: value.detach().cpu().clone() for name, value in model.state_dict().items()}
            _save(model, optimizer, scaler, progress, best, context, worker)
            saved = time.monotonic()
    if stop.is_set():  # during the last epoch's end
        raise _stopped(progress, steps)
    return {name: _numpy(value) for name, value in best.items()}, progress.history


def train_step(
    model: nn.Module,
    batch: Batch,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    settings: Hyperparameters,
    worker: Worker,
) -> Metrics:
    """Make one step of the optimizer on `batch`, and return what it measured."""
    model.train()
    with worker.autocast():
        logits = model(batch.ids, batch.mask)
    # Workers may have unlike numbers of reviews; their gradients are averaged. This is the mean over all.
    loss = cross_entropy(logits.float(), batch.labels, reduction="sum")
    optimizer.zero_grad()
    torch.autograd.backward(scaler.scale(loss * (worker.world_size / batch.reviews)))
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), settings.clip)
    scaler.step(optimizer)  # none where a gradient is not finite: the scale was too large, and is halved
    scaler.update()
    return Metrics(float(loss.detach()) / max(1, len(batch.labels)), batch.reviews, batch.tokens)


def _close(
    model: nn.Module,
    validation: Encoded,
    settings: Hyperparameters,
    progress: Progress,
    context: Context,
    worker: Worker,
) -> tuple[Progress, bool]:
    """End an epoch: measure, tell, decide whether it is the best so far and whether it was the last."""
    loss, accuracy = _validate(model, validation, worker)
    epoch = Epoch(
        number=progress.epoch + 1,
        train_loss=worker.total(progress.loss_sum) / max(1.0, worker.total(progress.reviews)),
        validation_loss=loss,
        validation_accuracy=accuracy,
        seconds=progress.seconds,
        tokens_per_second=progress.tokens / max(progress.seconds, 1e-9),
    )
    context.epoch_done(epoch)
    better = math.isnan(loss) or loss < progress.best_loss
    best_epoch = progress.epoch if better else progress.best_epoch
    tired = bool(settings.patience) and progress.epoch - best_epoch >= settings.patience
    closed = Progress(
        epoch=progress.epoch + 1,
        best_loss=loss if better else progress.best_loss,
        best_epoch=best_epoch,
        done=tired or progress.epoch + 1 >= settings.epochs,
        history=(*progress.history, epoch),
    )
    if tired:
        log.say("early stop", epoch=progress.epoch + 1, best=best_epoch + 1)
    return closed, better


def predictor(model: nn.Module, worker: Worker) -> Predict:
    """The model as a function of numpy arrays."""
    model.to(worker.device).eval()

    def predict(ids: Ids, mask: Ids) -> Logits:
        with (
            torch.inference_mode(),
            worker.autocast(),
        ):
            logits = model(torch.from_numpy(ids).to(worker.device), torch.from_numpy(mask).to(worker.device))
        return np.asarray(logits.float().cpu().numpy())

    return predict


def _validate(model: nn.Module, validation: Encoded, worker: Worker) -> tuple[float, float]:
    """Mean cross entropy and accuracy; every worker computes the same numbers."""
    from train.evaluate import predict

    if not len(validation):
        return math.nan, math.nan
    logits = torch.from_numpy(predict(predictor(model, worker), validation, "validate"))
    labels = torch.from_numpy(validation.labels)
    found = torch.stack([cross_entropy(logits, labels), (logits.argmax(1) == labels).float().mean()]).to(
        worker.device
    )
    if worker.world_size > 1:  # all go by the first one's numbers, or they could disagree about when to stop
        dist.broadcast(found, 0)
    return float(found[0]), float(found[1])


def _order(data: Encoded, settings: Hyperparameters, epoch: int) -> list[NDArray[np.int64]]:
    """The rows of each batch of an epoch: shuffled, sorted by length within pools, and shuffled again."""
    dice = np.random.default_rng((settings.seed, epoch))
    rows, lengths, size = dice.permutation(len(data)), data.lengths, settings.batch_size
    batches: list[NDArray[np.int64]] = []
    for start in range(0, len(rows), size * POOL):
        pool = rows[start : start + size * POOL]
        pool = pool[np.argsort(lengths[pool], kind="stable")]
        batches += [pool[at : at + size] for at in range(0, len(pool), size)]
    return [batches[index] for index in dice.permutation(len(batches))]


def _batch(data: Encoded, rows: NDArray[np.int64], worker: Worker) -> Batch:
    """This worker's share of the reviews; one at least, so that all workers take part in each step."""
    own = rows[worker.rank :: worker.world_size]
    counted = len(own) > 0
    own = own if counted else rows[:1]
    ids, mask = data.padded(own)
    labels = torch.from_numpy(data.labels[own] if counted else np.full(1, -100))
    return Batch(
        torch.from_numpy(ids).to(worker.device, non_blocking=True),
        torch.from_numpy(mask).to(worker.device, non_blocking=True),
        labels.to(worker.device, non_blocking=True),
        len(rows),
        int(data.lengths[rows].sum()),
    )


def _rate(step: int, steps: int, warmup: float) -> float:
    """The share of the peak learning rate: up in a line over the warm-up, then down in a line."""
    rising = max(1, round(steps * warmup))
    return min((step + 1) / rising, max(0.0, (steps - step) / max(1, steps - rising)))


def _groups(model: nn.Module, settings: Hyperparameters) -> list[dict[str, object]]:
    """Weights decay; biases and norms do not."""
    parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return [
        {"params": [each for each in parameters if each.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [each for each in parameters if each.ndim <= 1], "weight_decay": 0.0},
    ]


def _reseed(seed: int, step: int, worker: Worker) -> None:
    torch.manual_seed((seed * 1_000_003 + step) * worker.world_size + worker.rank)


def _resume(
    model: nn.Module, optimizer: torch.optim.Optimizer, scaler: torch.amp.GradScaler, context: Context
) -> tuple[Progress, dict[str, Tensor]]:
    """Take up the last checkpoint, if there is one."""
    checkpoint = context.checkpoints.load()
    if checkpoint is None:
        return Progress(), {}
    tensors = {name: torch.from_numpy(value) for name, value in checkpoint.tensors.items()}
    model.load_state_dict(_below(tensors, "model."))
    names = [name for name, parameter in _ordered(model)]
    state = {
        index: {key: tensors[f"optimizer.{name}.{key}"] for key in ("step", "exp_avg", "exp_avg_sq")}
        for index, name in enumerate(names)
        if f"optimizer.{name}.step" in tensors
    }
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
    if scaler.is_enabled() and checkpoint.facts.get("scaler"):
        scaler.load_state_dict(cast(dict[str, Any], checkpoint.facts["scaler"]))
    progress = Progress.of(cast(Saved, checkpoint.facts))
    log.say("resumed", epoch=_epoch(progress), step=progress.step, run=context.checkpoints.run)
    return progress, _below(tensors, "best.")


def _save(
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    scaler: torch.amp.GradScaler,
    progress: Progress,
    best: Mapping[str, Tensor],
    context: Context,
    worker: Worker,
) -> None:
    """Save a checkpoint; the workers go on together."""
    if worker.rank == 0:
        states = optimizer.state_dict()["state"]
        tensors = {f"model.{name}": _numpy(value) for name, value in model.state_dict().items()}
        tensors |= {f"best.{name}": _numpy(value) for name, value in best.items()}
        for index, (name, _) in enumerate(_ordered(model)):
            tensors |= {
                f"optimizer.{name}.{key}": _numpy(value) for key, value in states.get(index, {}).items()
            }
        context.checkpoints.save(Checkpoint(tensors, {**progress.to_json(), "scaler": scaler.state_dict()}))
    if worker.world_size > 1:
        dist.barrier()


def _ordered(model: nn.Module) -> list[tuple[str, nn.Parameter]]:
    """Parameters in the order that the optimizer numbers them in."""
    trained = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return [each for each in trained if each[1].ndim > 1] + [each for each in trained if each[1].ndim <= 1]


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}


def _numpy(value: Tensor) -> np.ndarray:
    return np.asarray(value.detach().cpu().numpy())


def _stopped(progress: Progress, steps: int) -> Stopped:
    """Tell where training stopped; the next run says "resumed" with the same numbers."""
    log.say("stopped", epoch=_epoch(progress), step=progress.step, of=steps)
    return Stopped()


def _epoch(progress: Progress) -> int:
    """The number of the epoch that training is in, or of the last one."""
    return progress.epoch + (not progress.done)


@contextlib.contextmanager
def _sigterm() -> Iterator[threading.Event]:
    """An event that SIGTERM sets, in place of what it does outside of training.

    One that came before, while `train.processes` held it back, sets it too.
    """
    event = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        event.set()

    before = signal.signal(signal.SIGTERM, told)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    try:
        yield event
    finally:
        signal.signal(signal.SIGTERM, before)
