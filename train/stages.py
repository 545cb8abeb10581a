"""The way from reviews to a published model. Each stage reads what the one before left in the work folder."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from train import architectures, log, report, sources, tracking
from train.architectures.base import Epoch, Fitted
from train.baseline import baseline
from train.checkpoint import Checkpoints, open_checkpoints
from train.errors import Fault
from train.evaluate import Evaluation, measure, predict
from train.export import export_onnx
from train.prepare import (
    Prepared,
    cache_key,
    in_cache,
    load_prepared,
    read_cache,
    tokenize,
    used,
    write_cache,
)
from train.publish import publish_version
from train.settings import Settings
from train.sources.reviews import LABELS
from train.store import Store, open_store
from train.tokens import Encoded
from train.work import continued, differences, record, recorded, replaced, sha256

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


WEIGHTS = "model.safetensors"
OF = "of.json"
"""Says in a later stage's folder of which model it is; never published."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: what it is told, and the folder where its stages leave their results."""

    settings: Settings
    work: Path

    def source(self) -> sources.Source:
        given = self.settings.hyperparameters
        return sources.find(given.data, self.settings.raw_uri, given.synthetic_train, given.synthetic_test)


@dataclass(frozen=True, slots=True)
class Trained:
    """A fitted model with what it was fitted on, and the settings that it was fitted with."""

    settings: Settings
    prepared: Prepared
    fitted: Fitted
    digest: str
    """That of the model: of its weights, its settings and its data."""


def fetch(run: Run) -> None:
    """Read the reviews, clean and split them; nothing is read if they were prepared before."""
    source = run.source()
    key = cache_key(source.fingerprint(), run.settings.hyperparameters)
    if uri := run.settings.processed_uri:
        store = open_store(f"{uri}{run.settings.name}/")
        if in_cache(store, key) and _reused(store, run.work / "prepared", key):
            # Else the next stage would prepare what an earlier run fetched.
            shutil.rmtree(run.work / "fetched", ignore_errors=True)
            return
    reviews = source.read()
    log.say("fetched", source=source.name, train=len(reviews.train), test=len(reviews.test))
    with replaced(run.work / "fetched") as folder:
        sources.save(reviews, source.name, key, folder)


def _reused(store: Store, folder: Path, key: str) -> bool:
    """Whether the cache could be copied to `folder`."""
    try:
        with replaced(folder) as new:
            read_cache(store, new, key)
    except Fault as fault:
        log.warn("not reused", key=key, because=fault.message)
        return False
    return True


def prepare(run: Run) -> None:
    """Make the tokenizer and the token ids, and keep them in PROCESSED_URI."""
    folder = run.work / "prepared"
    if not (run.work / "fetched").exists() and folder.exists():
        return
    reviews, source, key = sources.load(run.work / "fetched")
    with replaced(folder) as new:
        tokenize(reviews, source, key, run.settings.hyperparameters, new)
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
    if different := differences(used(given), prepared.hyperparameters):
        raise Fault(
            f"the reviews in {run.work} were prepared with {different}",
            "say the same, or run the stages fetch and prepare again",
        )
    train, validation = _split(prepared, given.validation, given.seed)
    callbacks = _Callbacks(run.settings, open_checkpoints(run.settings, prepared.key))
    architecture = architectures.load(given.architecture)
    fitted = architecture.fit(train, validation, prepared.tokenizer, given, callbacks)
    if os.environ.get("RANK", "0") != "0":  # all processes have the same model; the first one writes it
        return
    tensors = {name: np.ascontiguousarray(value) for name, value in fitted.tensors.items()}
    with replaced(run.work / "fitted") as folder:
        save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
        facts = {
            "prepared": prepared.key,
            "hyperparameters": given.to_json(),
            "weights": sha256(folder / WEIGHTS),
            "config": dict(fitted.config),
            "history": [_finite(asdict(epoch)) for epoch in fitted.history],
        }
        record(folder / "fitted.json", facts)


def evaluate(run: Run) -> None:
    """Predict the test reviews, and write metrics and report."""
    trained = _trained(run)
    prepared, fitted, settings = trained.prepared, trained.fitted, trained.settings
    given = settings.hyperparameters
    predictor = architectures.load(given.architecture).predictor(fitted, given)
    logits = predict(predictor, prepared.test, "evaluate")
    scores = measure(logits, prepared.test)
    metrics: Evaluation = {**scores, "history": [_finite(asdict(epoch)) for epoch in fitted.history]}
    spread = baseline(logits, prepared.test, prepared.tokenizer, LABELS)
    with replaced(run.work / "evaluated") as folder:
        np.save(folder / "logits.npy", logits)
        record(folder / "metrics.json", {**metrics, "baseline": spread})
        report.write(metrics, _facts(settings, prepared), folder)
        record(folder / OF, {"fitted": trained.digest})
    tracking.track(settings, fitted.history, scores, prepared.key)
    shown = {key: value for key, value in scores.items() if isinstance(value, float)}
    log.say("evaluated", level="info", reviews=len(prepared.test), **shown)
    values = {name: shown[key] for key, name in TEST_METRICS.items()}
    log.metrics(settings.namespace, settings.name, values, {})


def export(run: Run) -> None:
    """Write the files of the version."""
    trained = _trained(run)
    prepared, fitted, evaluated = trained.prepared, trained.fitted, run.work / "evaluated"
    _of_the_same(evaluated, trained, "evaluation", "evaluate")
    metrics = cast(Evaluation, json.loads((evaluated / "metrics.json").read_text()))
    logits = np.load(evaluated / "logits.npy", allow_pickle=False)
    with replaced(run.work / "exported") as folder:
        checked = export_onnx(fitted, logits, prepared.test, trained.settings.hyperparameters, folder)
        shutil.copyfile(run.work / "fitted" / WEIGHTS, folder / WEIGHTS)
        record(folder / "model.json", fitted.config)
        prepared.tokenizer.save(str(folder / "tokenizer.json"))
        record(folder / "metrics.json", {**metrics, "onnx": checked})
        shutil.copyfile(evaluated / "report.html", folder / "report.html")
        files = sorted(each.relative_to(folder).as_posix() for each in folder.rglob("*") if each.is_file())
        record(folder / OF, {"fitted": trained.digest, "files": files})


def publish(run: Run) -> None:
    """Publish the version, and promote it if it may be."""
    trained, folder = _trained(run), run.work / "exported"
    files = _of_the_same(folder, trained, "exported model", "export", "files")["files"]
    metrics: dict[str, object] = json.loads((folder / "metrics.json").read_text())
    version = publish_version(trained.settings, trained.prepared, metrics, folder, files)
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


def _trained(run: Run) -> Trained:
    """What was trained in the work folder. Raises `Fault` if it was on other than is prepared there."""
    from safetensors.numpy import load_file

    prepared, path = load_prepared(run.work / "prepared"), run.work / "fitted" / "fitted.json"
    keys = ("prepared", "hyperparameters", "weights", "config", "history")
    facts = recorded(path, keys, "fitted model", "fit")
    weights = path.with_name(WEIGHTS)
    if facts["prepared"] != prepared.key or not weights.exists() or facts["weights"] != sha256(weights):
        raise Fault(
            f"the model in {run.work} is damaged, or was trained on other reviews than are prepared there",
            "run the stage fit again",
        )
    history = tuple(Epoch.of(epoch) for epoch in facts["history"])
    settings = continued(run.settings, facts["hyperparameters"])
    return Trained(settings, prepared, Fitted(load_file(weights), facts["config"], history), sha256(path))


def _of_the_same(folder: Path, trained: Trained, what: str, stage: str, *keys: str) -> dict[str, Any]:
    """What is recorded of a later stage's folder. Raises `Fault` if another model was the one."""
    facts = recorded(folder / OF, ("fitted", *keys), what, stage)
    if facts["fitted"] != trained.digest:
        raise Fault(f"the {what} in {folder.parent} is another model's", f"run the stage {stage} again")
    return facts


def _facts(settings: Settings, prepared: Prepared) -> dict[str, str]:
    """What the report says about the run."""
    return {
        "model": settings.name,
        "architecture": settings.hyperparameters.architecture,
        "reviews": f"{len(prepared.train):,} to train on, {len(prepared.test):,} to test on",
        "source": prepared.source,
        "data": prepared.digest,
    }


def _finite(values: Mapping[str, float]) -> dict[str, float | None]:
    """The values with None in place of NaN, which JSON cannot say."""
    return {key: None if math.isnan(value) else value for key, value in values.items()}
