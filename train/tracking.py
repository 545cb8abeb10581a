"""TensorBoard and MLflow, for those who ask for them with a hyperparameter."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path

from train import log
from train.architectures.base import Epoch
from train.errors import Fault
from train.settings import Settings
from train.store import open_store


def check(settings: Settings) -> None:
    """Raise `Fault` before any work if what is asked for cannot be had."""
    given = settings.hyperparameters
    if given.tensorboard and not settings.logs_uri:
        raise Fault(
            "there is no place for TensorBoard's files", "set LOGS_URI to s3://BUCKET/PREFIX/ or a folder"
        )
    if given.mlflow and not os.environ.get("MLFLOW_TRACKING_URI"):
        raise Fault("there is no MLflow server named", "set MLFLOW_TRACKING_URI")
    for wanted, module, package in (
        (given.tensorboard, "tensorboard", "tensorboard"),
        (given.mlflow, "mlflow", "mlflow-skinny"),
    ):
        if wanted and find_spec(module) is None:
            raise Fault(f"`{module}` is asked for and not installed", f"pip install {package}")


def track(settings: Settings, history: tuple[Epoch, ...], metrics: Mapping[str, object], run: str) -> None:
    """Tell what each epoch and the evaluation measured to whoever `settings` names."""
    points = [(epoch.number, _numbers(asdict(epoch))) for epoch in history]
    final = _numbers(metrics)
    if settings.hyperparameters.tensorboard:
        _tensorboard(settings, points, final, run)
    if settings.hyperparameters.mlflow:
        _mlflow(settings, points, final)


def _tensorboard(
    settings: Settings, points: list[tuple[int, dict[str, float]]], final: dict[str, float], run: str
) -> None:
    from torch.utils.tensorboard import SummaryWriter

    store = open_store(f"{settings.logs_uri}tensorboard/{settings.name}/{run}/")
    with tempfile.TemporaryDirectory() as folder:
        with SummaryWriter(folder) as writer:
            for step, values in points:
                for name, value in values.items():
                    writer.add_scalar(f"train/{name}", value, step)
            for name, value in final.items():
                writer.add_scalar(f"test/{name}", value, len(points))
        for path in sorted(Path(folder).iterdir()):
            store.write(path.name, path)


def _mlflow(settings: Settings, points: list[tuple[int, dict[str, float]]], final: dict[str, float]) -> None:
    import mlflow

    try:
        mlflow.set_experiment(settings.name)
        with mlflow.start_run():
            mlflow.log_params(settings.hyperparameters.to_json())
            for step, values in points:
                mlflow.log_metrics(values, step=step)
            mlflow.log_metrics({f"test_{name}": value for name, value in final.items()})
    except mlflow.exceptions.MlflowException as error:  # no reason to lose a trained model
        log.warn("mlflow", message=f"MLflow does not take the run: {error}"[:500])


def _numbers(values: Mapping[str, object]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in values.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and not math.isnan(value)
    }
