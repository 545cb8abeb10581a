"""Fine-tuning with torch and transformers, the export to ONNX, and the measurement of what was exported."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort
import torch
from safetensors.torch import save_model
from torch import Tensor, nn
from transformers import AutoModelForSequenceClassification, AutoTokenizer
from transformers.utils import logging

from .contract import STOPPED, Checkpoint, Failed, location, log
from .data import Data, Settings
from .resume import keep, resume


class Classifier(nn.Module):
    """The interface of every text model in the store: token ids and their mask to logits."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        logits: Tensor = self.encoder(input_ids=input_ids, attention_mask=attention_mask).logits
        return logits


def start(settings: Settings, labels: Sequence[str], folder: Path) -> tuple[Any, Classifier]:
    """The checkpoint's tokenizer, and its encoder under a new head. Loads no pickle and no foreign code."""
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    raw, source = location("RAW_URI"), settings.checkpoint
    own = [raw.get(name, folder / name) for name in raw.names("") if name.startswith(f"{source}/")]
    where = str(folder / source) if own else source
    torch.manual_seed(settings.seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(where, revision=settings.revision)
        encoder = AutoModelForSequenceClassification.from_pretrained(
            where,
            revision=settings.revision,
            num_labels=len(labels),
            use_safetensors=True,
            ignore_mismatched_sizes=True,  # a head that was trained for other labels is replaced
            attn_implementation="eager",  # as the ONNX exporter reads it
            dtype=torch.float32,
        )
    # The parser of tokenizer.json raises no narrower class.
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".partition("\n")[0]
        advice = "see that its files are whole" if own else "if the hub is out of reach, put its files there"
        raise Failed(f"cannot load checkpoint {source!r}: {reason}; {advice}: {raw.uri}{source}/") from error
    if not tokenizer.is_fast:
        raise Failed(f"checkpoint {source!r} has no tokenizer.json, which the service reads")
    return tokenizer, Classifier(encoder)


def encode(tokenizer: Any, texts: Sequence[str], settings: Settings) -> tuple[Tensor, Tensor]:
    """Token ids and mask of one batch, no wider than its longest text."""
    limit = {"truncation": True, "max_length": settings.max_tokens}
    tokens = tokenizer(list(texts), padding=True, return_tensors="pt", **limit)
    return tokens["input_ids"], tokens["attention_mask"]


def fit(model: Classifier, tokenizer: Any, data: Data, settings: Settings, checkpoint: Checkpoint) -> None:
    """Train in place, from the checkpoint if there is one. SIGTERM saves one after the batch in hand."""
    stop: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate)
    per_epoch = -(-len(data.train) // settings.batch_size)
    steps = per_epoch * settings.epochs
    model.train()
    for step in range(resume(checkpoint, model, optimizer), steps):
        # Order and dropout follow from the step alone: a resumed run equals one that was never stopped.
        order = np.random.default_rng([settings.seed, step // per_epoch]).permutation(len(data.train))
        torch.manual_seed(settings.seed + step)
        texts, labels = zip(*(data.train[n] for n in order[step % per_epoch :: per_epoch]), strict=True)
        optimizer.param_groups[0]["lr"] = settings.learning_rate * (1 - step / steps)
        logits = model(*encode(tokenizer, texts, settings))
        loss = nn.functional.cross_entropy(logits, torch.tensor(labels))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        done, ended = divmod(step + 1, per_epoch)
        if not ended:
            log("epoch", done=done, of=settings.epochs, loss=round(loss.item(), 4))
        if stop or not ended:
            keep(checkpoint, model, optimizer, step + 1)
        if stop:
            sys.exit(STOPPED)
    signal.signal(signal.SIGTERM, before)


def export(model: Classifier, tokenizer: Any, settings: Settings, folder: Path) -> None:
    """Write the files of a version, as docs/contracts.md lists them."""
    model.eval()
    save_model(model.encoder, str(folder / "model.safetensors"))
    tokenizer.backend_tokenizer.no_padding()
    tokenizer.backend_tokenizer.enable_truncation(settings.max_tokens)
    tokenizer.backend_tokenizer.save(str(folder / "tokenizer.json"))
    with warnings.catch_warnings():
        # The exporter warns of what it fixes while tracing; `evaluate` measures its result on other shapes.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            model,
            tuple(torch.ones(2, 2, 8, dtype=torch.long)),
            str(folder / "model.onnx"),
            input_names=["input_ids", "attention_mask"],
            output_names=["logits"],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in ("input_ids", "attention_mask")},
            opset_version=17,
            dynamo=False,
        )


def evaluate(folder: Path, tokenizer: Any, data: Data, settings: Settings) -> dict[str, float]:
    """Accuracy and macro F1 of the exported model on the texts that were held out."""
    session = ort.InferenceSession(folder / "model.onnx", providers=["CPUExecutionProvider"])
    guesses: list[int] = []
    for begin in range(0, len(data.test), settings.batch_size):
        texts = [text for text, _ in data.test[begin : begin + settings.batch_size]]
        ids, mask = encode(tokenizer, texts, settings)
        logits = session.run(["logits"], {"input_ids": ids.numpy(), "attention_mask": mask.numpy()})[0]
        guesses += logits.argmax(axis=1).tolist()
    guess, truth = np.array(guesses), np.array([label for _, label in data.test])
    scores = []
    for label in np.unique(truth):
        right = np.sum((guess == label) & (truth == label))
        scores.append(2 * right / (np.sum(guess == label) + np.sum(truth == label)))
    return {"accuracy": float(np.mean(guess == truth)), "f1": float(np.mean(scores))}
