"""The folder of a run: what is somebody else's stays, and what somebody else wrote does no harm."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlopsgen.cli import main
from mlopsgen.local.state import RunFolder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`.mlopsgen` beside a pipeline."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").touch()
    (tmp_path / ".mlopsgen").mkdir()
    return tmp_path / ".mlopsgen"


def test_a_file_in_the_folder_s_place_is_told_and_stays(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`down` does not say that it cleared what it cannot clear."""
    (folder / "local").write_text("mine")
    assert main(["local", "down"]) == 1
    said = capsys.readouterr()
    assert (said.out, "is a file, and not the folder of a run: take it away" in said.err) == ("", True)
    assert (folder / "local").read_text() == "mine"


def test_a_link_leads_to_nothing_that_is_cleared(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a new run nor `down` removes the files of the folder that a link leads to."""
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_text("precious")
    (folder / "local").symlink_to(tmp_path / "photos")
    assert main(["local", "down"]) == 1
    assert "is a link, and not the folder of a run: take it away" in capsys.readouterr().err
    with pytest.raises(Exception, match="is a link, and not the folder of a run"):
        RunFolder(tmp_path / "pipeline.yaml").take()
    assert (tmp_path / "photos" / "cat.jpg").read_text() == "precious"
    assert (folder / "local").is_symlink()


@pytest.mark.parametrize(
    "wrong",
    [{"pid": "12"}, {"pid": True}, {"pid": 0}, {"pid": -1}, {"run": ""}, {"run": 5}, {"engine": ["x"]}, None],
    ids=str,
)
def test_what_was_written_by_hand_is_no_run(
    folder: Path, wrong: dict[str, Any] | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """`down` clears it like any other rest, and ends no process by a number that stands in it."""
    (folder / "local").mkdir()
    run = {"run": "a" * 32, "pid": 2, "token": "x", "control": 0, "environment": "", "ready": False}
    given = {**run, "engine": "", **wrong} if wrong else [run]
    (folder / "local" / "run.json").write_text(json.dumps(given))
    assert main(["local", "down"]) == 0
    assert "nothing runs here; cleared what the last run left" in capsys.readouterr().out
    assert not (folder / "local").exists()


def test_a_pipe_in_place_of_what_a_run_wrote_holds_nobody_up(folder: Path, tmp_path: Path) -> None:
    """It is not waited for until somebody writes to it."""
    (folder / "local").mkdir()
    os.mkfifo(folder / "local" / "run.json")
    run = subprocess.run(
        [sys.executable, "-m", "mlopsgen", "local", "down"], cwd=tmp_path, timeout=120, capture_output=True
    )
    assert run.returncode == 0
