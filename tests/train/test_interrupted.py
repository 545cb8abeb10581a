"""Killed, stopped, resumed and in several processes: the same model comes out."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.train.conftest import SMALL, Ended, environment, parse, run, start, versions

LSTM = {**SMALL["lstm"], "syntheticTrain": 200, "syntheticTest": 60, "epochs": 2, "dropout": 0.5}
pytestmark = pytest.mark.xdist_group("interrupted")


FIT = ("fetch", "prepare", "fit")


def fitted(folder: Path) -> tuple[bytes, list[dict[str, Any]]]:
    """The weights of a work folder's model, and what its epochs measured, without times."""
    work = folder / "work" / "fitted"
    history = json.loads((work / "fitted.json").read_text())["history"]
    for epoch in history:
        del epoch["seconds"], epoch["tokens_per_second"]
    return (work / "model.safetensors").read_bytes(), history


def fit(folder: Path, hyperparameters: dict[str, Any]) -> Ended:
    """Run the stages up to the model."""
    ended = run(environment(folder, hyperparameters), *FIT, f"--work={folder}/work")
    assert ended.code == 0, ended.lines[-1]
    return ended


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[dict[str, Any]]]:
    """What comes out of a run that nobody interrupts."""
    folder = tmp_path_factory.mktemp("whole")
    fit(folder, LSTM)
    return fitted(folder)


def interrupt(folder: Path, how: signal.Signals, hyperparameters: dict[str, Any]) -> Ended:
    """Start a run, and send it the signal as soon as a checkpoint exists."""
    given = {**hyperparameters, "checkpointSeconds": 0.1}
    process = start(environment(folder, given))
    kept = folder / "models" / "sentiment" / "checkpoints"
    while process.poll() is None and not list(kept.glob("*/checkpoint.safetensors")):
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(how)
    text, _ = process.communicate(timeout=600)
    assert "Traceback" not in text, text
    return Ended(process.returncode, parse(text))


def stop_at(folder: Path, line: str, hyperparameters: dict[str, Any], *options: str, **more: str) -> Ended:
    """Start a run, and send it SIGTERM as soon as it says a line with these words."""
    process = start(environment(folder, hyperparameters, **more), *options)
    assert process.stdout is not None
    said: list[str] = []
    while not said or (said[-1] and line not in said[-1]):
        said.append(process.stdout.readline())
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=600)
    text = "".join(said) + rest
    assert "Traceback" not in text, text
    return Ended(process.returncode, parse(text))


def test_two_runs_are_equal(whole: Any, tmp_path: Path) -> None:
    """The same data and settings give the same numbers and the same weights, bit for bit."""
    fit(tmp_path, LSTM)
    assert fitted(tmp_path) == whole


def test_sigterm_saves_and_the_next_run_resumes(whole: Any, tmp_path: Path) -> None:
    """SIGTERM ends with 143 and publishes nothing; the next run goes on and ends with the same numbers."""
    stopped = interrupt(tmp_path, signal.SIGTERM, LSTM)
    assert stopped.code == 143
    assert "stopped" in stopped.events()
    assert versions(tmp_path / "models" / "sentiment") == []
    resumed = run(environment(tmp_path, LSTM))
    assert resumed.code == 0
    (version,) = versions(tmp_path / "models" / "sentiment")
    assert (version / "model.safetensors").read_bytes() == whole[0]
    at = resumed.said("resumed")
    assert (at["epoch"], at["step"]) == (stopped.said("stopped")["epoch"], stopped.said("stopped")["step"])


def test_a_killed_run_resumes_from_its_last_checkpoint(whole: Any, tmp_path: Path) -> None:
    """Even without a warning only the steps since the last checkpoint are lost, and no number changes."""
    assert interrupt(tmp_path, signal.SIGKILL, LSTM).code == -signal.SIGKILL
    assert "resumed" in fit(tmp_path, LSTM).events()
    assert fitted(tmp_path) == whole


def test_a_broken_checkpoint_is_left_aside(whole: Any, tmp_path: Path) -> None:
    """A checkpoint that cannot be read is told, and training starts anew."""
    interrupt(tmp_path, signal.SIGTERM, LSTM)
    (kept,) = (tmp_path / "models" / "sentiment" / "checkpoints").glob("*/checkpoint.safetensors")
    kept.write_bytes(kept.read_bytes()[:1000])
    ended = fit(tmp_path, LSTM)
    assert ended.said("checkpoint")["level"] == "warning"
    assert "resumed" not in ended.events()
    assert fitted(tmp_path) == whole


def test_other_settings_do_not_resume(tmp_path: Path) -> None:
    """A checkpoint belongs to its settings."""
    interrupt(tmp_path, signal.SIGTERM, LSTM)
    assert "resumed" not in fit(tmp_path, {**LSTM, "learningRate": 0.01, "epochs": 1}).events()


def test_two_processes_train_one_model(whole: Any, tmp_path: Path) -> None:
    """Two processes share each batch; the first epoch's loss is that of one process but for the dropout."""
    quiet = {**LSTM, "epochs": 1, "dropout": 0.0, "learningRate": 1e-6}
    one, two = tmp_path / "one", tmp_path / "two"
    fit(one, quiet)
    ended = fit(two, {**quiet, "processes": 2})
    assert [event for event in ended.events() if event == "epoch"] == ["epoch"]
    losses = [fitted(folder)[1][0]["validation_loss"] for folder in (one, two)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)


def test_sigterm_stops_all_processes(tmp_path: Path) -> None:
    """SIGTERM to the trainer saves one checkpoint, ends every process, and is resumed from."""
    given = {**LSTM, "processes": 2}
    assert interrupt(tmp_path, signal.SIGTERM, given).code == 143
    assert (
        len(list((tmp_path / "models" / "sentiment" / "checkpoints").glob("*/checkpoint.safetensors"))) == 1
    )
    assert "resumed" in fit(tmp_path, given).events()


@pytest.mark.parametrize("line", ['"stage": "prepare"', '"stages": "fit"'])
def test_sigterm_before_training_stops_all_processes(line: str, tmp_path: Path) -> None:
    """SIGTERM while the processes still start is not lost on any of them."""
    given = {**LSTM, "processes": 2}
    assert stop_at(tmp_path, line, given).code == 143
    assert fit(tmp_path, given).code == 0


def test_sigterm_stops_what_shares_no_training(tmp_path: Path) -> None:
    """n-grams are not shared among processes: one that torchrun started for them ends at once."""
    given, work = {**SMALL["bow"], "tensorboard": False}, f"--work={tmp_path}/work"
    assert run(environment(tmp_path, given), "fetch", "prepare", work).code == 0
    assert stop_at(tmp_path, '"started"', given, "fit", work, RANK="0", WORLD_SIZE="1").code == 143


def test_sigterm_at_the_end_of_training_stops(whole: Any, tmp_path: Path) -> None:
    """SIGTERM while the last epoch is closed publishes nothing, and the next run need not train."""
    stopped = stop_at(tmp_path, '"event": "epoch", "number": 2', LSTM)
    assert stopped.code == 143
    assert versions(tmp_path / "models" / "sentiment") == []
    assert "epoch" not in fit(tmp_path, LSTM).events()
    assert fitted(tmp_path) == whole


def test_processes_save_together(tmp_path: Path) -> None:
    """Checkpoints by the clock, whichever process's clock it is, do not part the processes."""
    longer = {"syntheticTrain": 2000, "hidden": 32, "epochs": 4, "checkpointSeconds": 0.1}
    assert fit(tmp_path, {**LSTM, **longer, "processes": 2}).events().count("epoch") == 4


def test_early_stopping_keeps_the_best_epoch(tmp_path: Path) -> None:
    """Training ends after `patience` epochs without a lower validation loss, with the best one's weights."""
    given = {**LSTM, "epochs": 12, "patience": 1, "learningRate": 0.2, "clip": 1000, "validation": 0.2}
    ended = fit(tmp_path, given)
    losses = [epoch["validation_loss"] for epoch in fitted(tmp_path)[1]]
    assert len(losses) < 12
    assert ended.said("early stop")["best"] == losses.index(min(losses)) + 1
