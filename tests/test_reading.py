"""Reading a pipeline: how much is read, what is waited for, and how long it takes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from mlopsgen import regular
from mlopsgen.cli import main
from mlopsgen.language.load import load
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.source.node import Mapping
from mlopsgen.source.parse import MAX_BYTES, parse
from tests.cases import ROOT

HEAD = (
    "apiVersion: mlopsgen.io/v1\nkind: Pipeline\nmetadata: {name: demo}\nspec:\n  aws: {region: eu-west-1}\n"
)


def test_a_file_that_is_too_large_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Refused for its size, and shown, without ever having been in memory."""
    path = tmp_path / "pipeline.yaml"
    with path.open("wb") as file:
        file.truncate(1 << 33)
    asked = []

    def read(path: Any, most: int = regular.MOST) -> tuple[bytes, os.stat_result]:
        content, found = real(path, most)
        asked.append(len(content))
        return content, found

    real = regular.read
    monkeypatch.setattr(regular, "read", read)
    assert main(["validate", str(path)]) == 1
    assert "[E002]" in capsys.readouterr().out
    assert max(asked) == MAX_BYTES + 1


@pytest.mark.parametrize("name", ["requirements.txt", "Dockerfile"])
def test_what_the_pipeline_names_is_not_read_to_its_end_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    """A file of dependencies, or a Dockerfile, as large as a disk is looked at from its beginning alone."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "__main__.py").touch()
    with (tmp_path / "app" / name).open("wb") as file:
        file.write(b"FROM alpine:3\n" if name == "Dockerfile" else b"numpy==2.0.0\n")
        file.truncate(1 << 33)
    way = "dockerfile: {}" if name == "Dockerfile" else "python: {}"
    job = "jobs: [{name: trainer, image: app, command: [x]}]"
    path = tmp_path / "pipeline.yaml"
    path.write_text(f"{HEAD}  images: [{{name: app, {way}}}]\n  {job}\n")
    asked = []

    def read(path: Any, most: int = regular.MOST) -> tuple[bytes, os.stat_result]:
        content, found = real(path, most)
        asked.append(len(content))
        return content, found

    real = regular.read
    monkeypatch.setattr(regular, "read", read)
    assert main(["validate", str(path)]) == 0
    assert max(asked) == regular.TEXT + 1


def test_a_file_that_is_cut_is_cut_at_a_line(tmp_path: Path):
    """No half a line is taken for a whole one, nor half a character for a fault."""
    path = tmp_path / "requirements.txt"
    path.write_text("numpy==2.0.0\nünicode==1.0\n", "utf-8")
    assert regular.text(path) == "numpy==2.0.0\nünicode==1.0\n"
    assert regular.text(path, 14) == "numpy==2.0.0"


@pytest.mark.parametrize("command", ["validate", "build", "render"])
@pytest.mark.parametrize("device", ["/dev/zero", "/dev/full", "/dev/null", "/dev/tty", "pipe", "socket"])
def test_what_is_no_file_is_named_at_once(tmp_path: Path, command: str, device: str):
    """Devices without an end, and pipes without a writer, are not read at all."""
    if device == "pipe":
        os.mkfifo(tmp_path / device)
    if device == "socket":
        import socket

        socket.socket(socket.AF_UNIX).bind(str(tmp_path / device))
    run = subprocess.run(
        [sys.executable, "-m", "mlopsgen", command, device],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        start_new_session=True,
    )
    assert run.returncode == 1
    assert "[E010]" in run.stdout + run.stderr
    assert not [path for path in tmp_path.iterdir() if path.is_dir()]


def test_a_pipeline_on_standard_input_is_read_if_it_is_a_file(tmp_path: Path):
    """`< FILE` gives the file itself; what comes through a pipe is gone once it is read."""
    path = tmp_path / "pipeline.yaml"
    path.write_text(HEAD)
    command = [sys.executable, "-m", "mlopsgen", "validate", "/dev/stdin"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with path.open() as file:
        good = subprocess.run(command, stdin=file, capture_output=True, text=True, env=environment)
    assert (good.returncode, good.stdout) == (0, "/dev/stdin: nothing is wrong\n")
    piped = subprocess.run(command, input=HEAD, capture_output=True, text=True, env=environment)
    assert piped.returncode == 1
    assert "error[E010]: this is a pipe" in piped.stdout


def looked_at(count: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """How many keys are looked at to say that so many are unknown."""
    seen = 0

    class Counted(tuple[Any, ...]):
        def __iter__(self) -> Any:
            nonlocal seen
            seen += len(self)
            return super().__iter__()

    def made(cls: type[Mapping], items: tuple[Any, ...], span: Any) -> Mapping:
        return tuple.__new__(cls, (Counted(items), span))

    monkeypatch.setattr(Mapping, "__new__", made)
    root = parse(HEAD + "".join(f"  k{number}: v\n" for number in range(count)), "pipeline.yaml")
    with pytest.raises(Exception, match="E101"):
        load(root, Pipeline)
    monkeypatch.undo()
    return seen


def test_twice_the_keys_are_twice_the_work(monkeypatch: pytest.MonkeyPatch):
    """No key is looked for among all others."""
    assert looked_at(2000, monkeypatch) < 2.1 * looked_at(1000, monkeypatch)
