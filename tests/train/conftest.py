"""What the trainer's tests share: small runs, and an S3 that they may fill."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Two test processes on two cores: more threads would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest

from tests.embedded import empty_aws
from tests.tools import needs_extra

ROOT = Path(__file__).parent.parent.parent
SMALL = {
    "bow": {"architecture": "bow", "syntheticTrain": 400, "syntheticTest": 100, "tensorboard": True},
    "lstm": {
        "architecture": "lstm", "syntheticTrain": 400, "syntheticTest": 100, "epochs": 3, "batchSize": 20,
        "embedding": 32, "hidden": 16, "dropout": 0.2, "precision": "fp32", "learningRate": 0.02,
    },
    "transformer": {
        "architecture": "transformer", "model": "scratch", "syntheticTrain": 200, "syntheticTest": 60,
        "epochs": 1, "batchSize": 20, "hidden": 32, "heads": 2, "layers": 2, "vocabulary": 500,
        "precision": "fp32", "learningRate": 0.005, "int8Loss": 1, "maxTokens": 64,
    },
}  # fmt: skip
"""Hyperparameters that finish in seconds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A run of the trainer that has ended: its exit code and what it said."""

    code: int
    lines: tuple[dict[str, Any], ...]

    def said(self, event: str) -> dict[str, Any]:
        """The first thing it said of this name."""
        return next(line for line in self.lines if line.get("event") == event)

    def events(self) -> list[str]:
        """The names of all that it said."""
        return [line["event"] for line in self.lines if "event" in line]


def parse(text: str) -> tuple[dict[str, Any], ...]:
    """The lines that are JSON objects."""
    return tuple(json.loads(line) for line in text.splitlines() if line.startswith("{"))


def environment(folder: Path, hyperparameters: dict[str, Any], **more: str) -> dict[str, str]:
    """What ECS would tell the trainer, with folders in place of S3."""
    return {
        "MODEL_NAME": "sentiment",
        "MODEL_URI": f"{folder}/models/sentiment/",
        "CHECKPOINT_URI": f"{folder}/models/sentiment/checkpoints/",
        "RAW_URI": f"{folder}/raw/",
        "PROCESSED_URI": f"{folder}/processed/",
        "PARAMETERS": json.dumps(hyperparameters),
        **more,
    }


def start(variables: dict[str, str], *options: str, **popen: Any) -> subprocess.Popen[str]:
    """Start the trainer as its image does."""
    needs_extra("train")
    command = [sys.executable, "-m", "train", *options]
    kept = {
        key: value
        for key, value in os.environ.items()
        if key in ("PATH", "HOME", "OMP_NUM_THREADS", "TMPDIR")
    }
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env=kept | variables,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        **popen,
    )


def run(variables: dict[str, str], *options: str) -> Ended:
    """Run the trainer as its image does, and wait."""
    process = start(variables, *options)
    text, _ = process.communicate(timeout=600)
    assert "Traceback" not in text, text
    return Ended(process.returncode, parse(text))


def versions(store: Path) -> list[Path]:
    """The published versions in a model's folder, the oldest first."""
    return sorted(path.parent for path in store.glob("*/manifest.json"))


@dataclass(frozen=True, slots=True)
class Published:
    """A finished run, and where everything lies."""

    ended: Ended
    folder: Path
    version: Path
    manifest: dict[str, Any]


@pytest.fixture(scope="session", params=sorted(SMALL))
def published(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Published:
    """A small model of each architecture, published to a folder."""
    folder = tmp_path_factory.mktemp(request.param)
    given = environment(
        folder, SMALL[request.param], METRICS_NAMESPACE="imdb/dev", LOGS_URI=f"{folder}/logs/"
    )
    ended = run(given)
    assert ended.code == 0, ended.lines[-1]
    (version,) = versions(folder / "models" / "sentiment")
    return Published(ended, folder, version, json.loads((version / "manifest.json").read_text()))


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of an S3 that accepts anybody."""
    with empty_aws() as endpoint:
        yield endpoint


@pytest.fixture
def client(s3: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of that S3; the process's environment points to it as well."""
    import boto3

    for name, value in aws(s3).items():
        monkeypatch.setenv(name, value)
    return boto3.client("s3")


def aws(endpoint: str) -> dict[str, str]:
    """What makes an AWS SDK use this endpoint."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": "ap-southeast-1",
        "AWS_DEFAULT_REGION": "ap-southeast-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
    }
