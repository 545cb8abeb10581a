"""The way from reviews to a published model. Each stage reads what the one before left in the work folder."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import cast

import numpy as np

from train import architectures, log, report, sources, tracking
from train.architectures.base import Epoch, Fitted
from train.baseline import baseline
from train.checkpoint import Checkpoints, open_checkpoints
from train.errors import Fault
from train.evaluate import Evaluation, measure, predict
from train.export import export_onnx
from train.prepare import Prepared, cache_key, load_prepared, read_cache, tokenize, write_cache
from train.publish import publish_version
from train.settings import Settings
from train.sources.reviews import LABELS
from train.store import open_store
from train.tokens import Encoded

EPOCH_METRICS = {
    "train_loss": "TrainLoss",
    "validation_loss": "ValidationLoss",
    "validation_accuracy": "ValidationAccuracy",
    "tokens_per_second": "TokensPerSecond",
}
TEST_METRICS = {
    "accuracy": "Accuracy",
    "f1": "F1",
    "rocAuc": "RocAuc",
    "calibrationError": "CalibrationError",
}
"""What CloudWatch calls what is measured."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what it is told, and the folder where its stages leave their results."""

    settings: Settings
    work: Path

    def source(self) -> sources.Source:
        given = self.settings.hyperparameters
        return sources.find(given.data, self.settings.raw_uri, given.synthetic_train, given.synthetic_test)


def fetch(run: Run) -> None:
    """Read the reviews, clean and split them; nothing is read if they were prepared before."""
    source = run.source()
    key = cache_key(source.fingerprint(), run.settings.hyperparameters)
    uri = run.settings.processed_uri
    if uri and read_cache(open_store(f"{uri}{run.settings.name}/"), run.work / "prepared", key):
        return
    reviews = source.read()
    log.say("fetched", source=source.name, train=len(reviews.train), test=len(reviews.test))
    sources.save(reviews, source.name, key, run.work / "fetched")


def prepare(run: Run) -> None:
    """Make the tokenizer and the token ids, and keep them in PROCESSED_URI."""
    folder = run.work / "prepared"
    if not (run.work / "fetched").exists() and folder.exists():
        return
    reviews, source, key = sources.load(run.work / "fetched")
    tokenize(reviews, source, key, run.settings.hyperparameters, folder)
    if uri := run.settings.processed_uri:
        write_cache(open_store(f"{uri}{run.settings.name}/"), folder, key)


@dataclass(frozen=True, slots=True)
class _Callbacks:
    """What fitting calls: it logs each epoch, and says where the checkpoints are."""

    settings: Settings
    checkpoints: Checkpoints

    def epoch_done(self, epoch: Epoch) -> None:
        told: dict[str, int | float] = {
            key: value for key, value in asdict(epoch).items() if not math.isnan(value)
        }
        log.say("epoch", level="info", **told)
        values = {EPOCH_METRICS[key]: value for key, value in told.items() if key in EPOCH_METRICS}
        log.metrics(self.settings.namespace, self.settings.name, values, {"TokensPerSecond": "Count/Second"})


def fit(run: Run) -> None:
    """Train the model, from its last checkpoint if there is one."""
    from safetensors.numpy import save_file

    prepared = load_prepared(run.work / "prepared")
    given = run.settings.hyperparameters
    train, validation = _split(prepared, given.validation, given.seed)
    callbacks = _Callbacks(run.settings, open_checkpoints(run.settings, prepared.key))
    architecture = architectures.load(given.architecture)
    fitted = architecture.fit(train, validation, prepared.tokenizer, given, callbacks)
    if os.environ.get("RANK", "0") != "0":  # all processes have the same model; the first one writes it
        return
    folder = run.work / "fitted"
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: np.ascontiguousarray(value) for name, value in fitted.tensors.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    facts = {"config": dict(fitted.config), "history": [_finite(asdict(epoch)) for epoch in fitted.history]}
    (folder / "fitted.json").write_text(json.dumps(facts, indent=2) + "\n")


def evaluate(run: Run) -> None:
    """Predict the test reviews, and write metrics and report."""
    prepared, fitted = load_prepared(run.work / "prepared"), _fitted(run)
    given = run.settings.hyperparameters
    predictor = architectures.load(given.architecture).predictor(fitted, given)
    logits = predict(predictor, prepared.test, "evaluate")
    scores = measure(logits, prepared.test)
    folder = run.work / "evaluated"
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "logits.npy", logits)
    metrics: Evaluation = {**scores, "history": [_finite(asdict(epoch)) for epoch in fitted.history]}
    spread = baseline(logits, prepared.test, prepared.tokenizer, LABELS)
    _write(folder / "metrics.json", {**metrics, "baseline": spread})
    report.write(metrics, _facts(run, prepared), folder)
    tracking.track(run.settings, fitted.history, scores, prepared.key)
    shown = {key: value for key, value in scores.items() if isinstance(value, float)}
    log.say("evaluated", level="info", reviews=len(prepared.test), **shown)
    values = {name: shown[key] for key, name in TEST_METRICS.items()}
    log.metrics(run.settings.namespace, run.settings.name, values, {})


def export(run: Run) -> None:
    """Write the files of the version."""
    prepared, fitted = load_prepared(run.work / "prepared"), _fitted(run)
    metrics, logits = _metrics(run), np.load(run.work / "evaluated" / "logits.npy", allow_pickle=False)
    folder = run.work / "exported"
    checked = export_onnx(fitted, logits, prepared.test, run.settings.hyperparameters, folder)
    shutil.copyfile(run.work / "fitted" / "model.safetensors", folder / "model.safetensors")
    _write(folder / "model.json", fitted.config)
    prepared.tokenizer.save(str(folder / "tokenizer.json"))
    _write(folder / "metrics.json", {**metrics, "onnx": checked})
    shutil.copyfile(run.work / "evaluated" / "report.html", folder / "report.html")


def publish(run: Run) -> None:
    """Publish the version, and promote it if it may be."""
    folder = run.work / "exported"
    if not (folder / "metrics.json").exists():
        raise Fault(f"there is no exported model in {run.work}", "run the stage export first")
    metrics: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    version = publish_version(run.settings, load_prepared(run.work / "prepared"), metrics, folder)
    if uri := run.settings.logs_uri:
        store = open_store(f"{uri}{run.settings.name}/{version}/")
        for path in sorted((run.work / "evaluated").glob("*.png")):
            store.write(path.name, path)


STAGES: Mapping[str, Callable[[Run], None]] = {
    "fetch": fetch,
    "prepare": prepare,
    "fit": fit,
    "evaluate": evaluate,
    "export": export,
    "publish": publish,
}


def _split(prepared: Prepared, share: float, seed: int) -> tuple[Encoded, Encoded]:
    """Training and validation reviews; the same ones for the same seed."""
    order = np.random.default_rng(seed).permutation(len(prepared.train))
    held = round(share * len(order))
    return prepared.train.take(np.sort(order[held:])), prepared.train.take(np.sort(order[:held]))


def _fitted(run: Run) -> Fitted:
    from safetensors.numpy import load_file

    folder = run.work / "fitted"
    if not (folder / "fitted.json").exists():
        raise Fault(f"there is no fitted model in {run.work}", "run the stage fit first")
    facts = json.loads((folder / "fitted.json").read_text())
    history = tuple(Epoch.of(epoch) for epoch in facts["history"])
    return Fitted(load_file(folder / "model.safetensors"), facts["config"], history)


def _facts(run: Run, prepared: Prepared) -> dict[str, str]:
    """What the report says about the run."""
    return {
        "model": run.settings.name,
        "architecture": run.settings.hyperparameters.architecture,
        "reviews": f"{len(prepared.train):,} to train on, {len(prepared.test):,} to test on",
        "source": prepared.source,
        "data": prepared.digest,
    }


def _metrics(run: Run) -> Evaluation:
    path = run.work / "evaluated" / "metrics.json"
    if not path.exists():
        raise Fault(f"there is no evaluation in {run.work}", "run the stage evaluate first")
    return cast(Evaluation, json.loads(path.read_text()))


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """The values with None in place of NaN, which JSON cannot say."""
    return {key: None if math.isnan(value) else value for key, value in values.items()}


def _write(path: Path, value: Mapping[str, object]) -> None:
    path.write_text(json.dumps(value, indent=2, allow_nan=False) + "\n")
