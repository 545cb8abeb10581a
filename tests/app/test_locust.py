"""The load test that comes with a pipeline, run by the real Locust against the real service."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from mlopsgen.compile import compile_file
from tests.app.service import PATIENCE, ROOT, Running
from tests.tools import needs

FILE = ROOT / "generated" / "load-tests" / "sentiment-api.py"


def locust(host: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Four users, each of which finishes what it has begun; longer if a busy machine has sent nothing."""
    for seconds in (2, 8, 32):
        run = _locust(host, seconds, variables)
        if re.search("Aggregated +[1-9]|nothing to send", run.stdout + run.stderr):
            break
    return run


def _locust(host: str, seconds: int, variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    command = [needs("locust"), "--headless", "--users=4", "--spawn-rate=4", f"--run-time={seconds}s",
               "--stop-timeout=60"]  # fmt: skip
    quiet = {"PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [*command, "--only-summary", "--host", host, "--locustfile", FILE],
        env={**os.environ, **quiet, **variables}, capture_output=True, text=True, timeout=PATIENCE,
    )  # fmt: skip


def test_it_passes_the_linter() -> None:
    """Whoever edits a copy begins with a clean file."""
    checked = subprocess.run(
        [needs("ruff"), "check", "--config", ROOT / "pyproject.toml", FILE], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_it_sends_what_the_service_documents(shared: Running) -> None:
    """Every answer is a success, and the summary counts them under the service's own path."""
    run = locust(shared.url)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "POST     /predict" in run.stderr + run.stdout


def test_it_sends_requests_of_ones_own(shared: Running, tmp_path: Path) -> None:
    """And a service that answers with anything but success makes it fail."""
    requests = tmp_path / "requests.jsonl"
    requests.write_text(json.dumps({"path": "/predict", "body": {"text": " "}}) + "\n")
    run = locust(shared.url, REQUESTS=str(requests))
    assert run.returncode == 1
    assert "422" in run.stderr + run.stdout


def test_it_says_when_there_is_nothing_to_send(shared: Running, tmp_path: Path) -> None:
    """A load test that sent nothing did not pass."""
    requests = tmp_path / "requests.jsonl"
    requests.write_text("\n")
    run = locust(shared.url, REQUESTS=str(requests))
    assert run.returncode == 1
    assert "nothing to send" in run.stdout + run.stderr


@pytest.mark.parametrize("example", ["chatbot", "medical-imaging", "recommender"])
def test_each_example_has_one_for_each_service_with_a_model(example: str) -> None:
    """Services that serve no model get none."""
    file = ROOT / "examples" / example / "pipeline.yaml"
    built = compile_file(file, file.name).artifacts
    names = sorted(Path(each.path).stem for each in built if each.path.startswith("load-tests/"))
    assert names == {"chatbot": ["intents-api"], "medical-imaging": ["segmentation-api"]}.get(
        example, ["items-api"]
    )
