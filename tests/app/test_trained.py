"""What train/ publishes is what app/ serves, with either runtime."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.service import ROOT, Running, serving, until
from tests.tools import needs_extra

TEXTS = (
    "A wonderful film with a great cast.",
    "Dull.",
    "I loved the first half, and hated all the rest. " * 12,
    "It was terrible, boring and far too long, but the music is good.",
)
SMALL = ("--data=synthetic", "--synthetic-train=200", "--synthetic-test=60", "--epochs=1", "--hidden=32")
ARCHITECTURES = {
    "bow": (),
    "lstm": ("--embedding=16",),
    "transformer": ("--layers=2", "--heads=2", "--model=scratch", "--max-tokens=64", "--vocabulary=600"),
}


@pytest.fixture(scope="module", params=ARCHITECTURES)
def trained(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A model store in which the trainer has published a version."""
    folder = tmp_path_factory.mktemp(request.param)
    store = folder / "store"
    command = [
        sys.executable,
        "-m",
        "train",
        "--name=sentiment",
        f"--output={store}/",
        f"--architecture={request.param}",
    ]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)}
    needs_extra("train")
    done = subprocess.run(
        [*command, *SMALL, *ARCHITECTURES[request.param]],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    yield store


def version(store: Path) -> str:
    """The version that was published."""
    return next(each.parent.name for each in store.glob("*/manifest.json"))


def answers(running: Running) -> list[float]:
    """The probability that each text is positive, asked one by one."""
    found = [running.predict(text).json() for text in TEXTS]
    return [each["probability"] if each["label"] == "positive" else 1 - each["probability"] for each in found]


def test_both_runtimes(trained: Path, tmp_path: Path) -> None:
    """ONNX Runtime answers; torch gives the same answers, or says which architectures it runs."""
    variables = {"MODEL_VERSION": version(trained), "PRECISION": "fp32"}
    with serving(trained, tmp_path, **variables) as running:
        expected = answers(running)
        together = running.predict(*TEXTS).json()["predictions"]
        assert [each["probability"] for each in together] == pytest.approx(
            [max(each, 1 - each) for each in expected], abs=1e-4
        )
    with serving(trained, tmp_path, ready=False, RUNTIME="torch", **variables) as running:
        until(lambda: running.lines("model loaded") or running.lines("model refused"))
        if "bow" in str(trained):
            reason = running.lines("model refused")[0]["reason"]
            assert reason == (
                "RUNTIME torch runs lstm and transformer, and this model is a bow: set RUNTIME to onnx"
            )
        else:
            assert running.lines("model refused") == []
            assert answers(running) == pytest.approx(expected, abs=1e-4)
