"""Stages that run apart leave folders of one run each: nothing of another run is published."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.train.conftest import SMALL, Ended, environment, run

BOW = {**SMALL["bow"], "syntheticTrain": 60, "syntheticTest": 20, "tensorboard": False}
LSTM = {**SMALL["lstm"], "syntheticTrain": 60, "syntheticTest": 20, "epochs": 1}
MADE = ("fit", "evaluate", "export")


def stages(folder: Path, told: dict[str, Any], *names: str, **more: str) -> Ended:
    """Run some stages in the one work folder."""
    return run(environment(folder, told, **{"PROCESSED_URI": "", "CHECKPOINT_URI": "", **more}), *names,
               "--work", str(folder / "work"))  # fmt: skip


def manifest(folder: Path) -> dict[str, Any]:
    """That of the newest version."""
    found = sorted(folder.glob("models/sentiment/*/manifest.json"), key=lambda path: path.stat().st_mtime_ns)
    read: dict[str, Any] = json.loads(found[-1].read_text())
    return read


def test_a_work_folder_used_twice_holds_one_model(tmp_path: Path) -> None:
    """What another architecture left there, such as an int8 file, is not published with the second model."""
    assert stages(tmp_path, {**LSTM, "int8Loss": 1}, "fetch", "prepare", *MADE).code == 0
    assert (tmp_path / "work" / "exported" / "model.int8.onnx").exists()
    assert stages(tmp_path, BOW).code == 0
    published = manifest(tmp_path)
    assert published["architecture"] == "bow"
    assert "onnxInt8" not in published["runtime"]
    assert "model.int8.onnx" not in published["files"]


def test_reused_data_takes_the_place_of_what_was_fetched(tmp_path: Path) -> None:
    """Data prepared by an earlier run is trained on, and not what a run in between fetched."""
    cache = {"PROCESSED_URI": f"{tmp_path}/processed/"}
    for count in (60, 40, 60):
        ended = stages(tmp_path, {**BOW, "syntheticTrain": count}, "fetch", "prepare", **cache)
        assert ended.code == 0
    assert "reused" in ended.events()
    assert "prepared" not in ended.events()
    assert stages(tmp_path, BOW, "fit", "evaluate", "export", "publish").code == 0
    assert manifest(tmp_path)["data"]["train"] == 60


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A work folder with a small model that was trained with settings of its own."""
    folder = tmp_path_factory.mktemp("trained")
    assert (
        stages(folder, {**BOW, "regularization": 0.5, "maxTokens": 100}, "fetch", "prepare", *MADE).code == 0
    )
    return folder


def test_later_stages_go_on_with_the_settings_of_the_training(trained: Path) -> None:
    """Whoever does not repeat them publishes what the model was trained with, architecture and all."""
    assert stages(trained, {}, "evaluate", "export", "publish").code == 0
    published = manifest(trained)
    assert published["architecture"] == "bow"
    assert published["maxTokens"] == 100
    assert published["hyperparameters"]["regularization"] == 0.5


@pytest.mark.parametrize(
    ("told", "names", "reason"),
    [
        ({"maxTokens": 200}, ("evaluate",), "--max-tokens 100 (now 200)"),
        ({"architecture": "lstm"}, ("publish",), "--architecture bow (now lstm)"),
        ({"architecture": "bow", "maxTokens": 200}, ("fit",), "--max-tokens 100 (now 200)"),
    ],
)
def test_other_settings_are_refused(
    trained: Path, told: dict[str, Any], names: tuple[str, ...], reason: str
) -> None:
    """They would stand in the manifest beside a model that was trained and tested otherwise."""
    ended = stages(trained, told, *names)
    assert ended.code == 1
    assert reason in ended.said("failed")["message"]


def test_stages_of_different_runs_do_not_go_together(tmp_path: Path) -> None:
    """A model with another one's evaluation, other data, or damaged weights is not published."""
    assert stages(tmp_path, BOW, "fetch", "prepare", "fit").code == 0
    assert stages(tmp_path, {}, "export").said("failed")["help"] == "run the stage evaluate first"
    assert stages(tmp_path, {}, "publish").said("failed")["help"] == "run the stage export first"
    assert stages(tmp_path, {}, "evaluate", "export").code == 0
    assert stages(tmp_path, {**BOW, "regularization": 2}, "fit").code == 0
    assert "another model" in stages(tmp_path, {}, "export").said("failed")["message"]
    assert "another model" in stages(tmp_path, {}, "publish").said("failed")["message"]
    weights = tmp_path / "work" / "fitted" / "model.safetensors"
    *kept, last = weights.read_bytes()
    weights.write_bytes(bytes((*kept, last ^ 1)))
    assert "damaged" in stages(tmp_path, {}, "evaluate").said("failed")["message"]
    assert stages(tmp_path, {**BOW, "syntheticTrain": 40}, "fetch", "prepare").code == 0
    assert "other reviews" in stages(tmp_path, {}, "evaluate").said("failed")["message"]


@pytest.mark.parametrize("text", ["", "{", "[]", "{}"])
def test_a_damaged_record_is_told(trained: Path, tmp_path: Path, text: str) -> None:
    """With the stage that makes it anew, and never as a traceback."""
    path = tmp_path / "work" / "fitted" / "fitted.json"
    path.parent.mkdir(parents=True)
    (tmp_path / "work" / "prepared").symlink_to(trained / "work" / "prepared")
    path.write_text(text)
    failed = stages(tmp_path, {}, "evaluate").said("failed")
    assert "damaged" in failed["message"]
    assert failed["help"] == "run the stage fit again"


@pytest.mark.parametrize("damage", ["gone", "short", "flipped", "tokenizer", "no object"])
def test_a_damaged_cache_is_made_anew(tmp_path: Path, damage: str) -> None:
    """With a warning, and neither a traceback nor a model of what was damaged."""
    cache = {"PROCESSED_URI": f"{tmp_path}/processed/"}
    assert stages(tmp_path, BOW, "fetch", "prepare", **cache).code == 0
    (data,) = tmp_path.glob("processed/sentiment/*/data.safetensors")
    content = data.read_bytes()
    match damage:
        case "gone":
            data.unlink()
        case "short":
            data.write_bytes(content[:500])
        case "flipped":
            data.write_bytes(bytes((*content[:-1], content[-1] ^ 1)))
        case "tokenizer":
            data.with_name("tokenizer.json").write_text("{")
        case _:
            data.with_name("prepared.json").write_text("[]")
    ended = stages(tmp_path, BOW, "fetch", "prepare", **cache)
    assert ended.code == 0
    assert ended.said("not reused")["level"] == "warning"
    assert data.read_bytes() == content
    again = stages(tmp_path, BOW, "fetch", "prepare", **cache)
    assert "reused" in again.events()
