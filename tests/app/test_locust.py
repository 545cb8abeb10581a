"""The load test that comes with a pipeline."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mlopsgen.compiler import examine, plan_of
from mlopsgen.emit import locust
from tests.app.service import ROOT, Running


@pytest.fixture(scope="module")
def files() -> dict[str, str]:
    """The Locust files of the project's own pipeline."""
    checked, _ = examine((ROOT / "pipeline.yaml").read_text(), "pipeline.yaml", None)
    return {each.path: each.text for each in locust.emit([plan_of(one) for one in checked])}


def test_one_for_each_service_with_a_model(files: dict[str, str]) -> None:
    """Each service that serves a model gets one, for all environments."""
    assert list(files) == ["load-tests/sentiment-api.py"]


def test_it_is_python_of_one_style(files: dict[str, str], tmp_path: Path) -> None:
    """It can be read by Python, and passes the project's own linter."""
    [text] = files.values()
    ast.parse(text)
    path = tmp_path / "locustfile.py"
    path.write_text(text)
    ruff = Path(sys.executable).parent / "ruff"
    checked = subprocess.run(
        [ruff, "check", "--config", ROOT / "pyproject.toml", path], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_it_asks_what_the_service_answers(files: dict[str, str], shared: Running, tmp_path: Path) -> None:
    """Every path and body that it sends is answered with the keys that it looks for."""
    [text] = files.values()
    # Locust itself needs gevent, which patches the process that imports it: its names stand in here.
    stub = tmp_path / "locust.py"
    stub.write_text(
        "from types import SimpleNamespace\n"
        "class HttpUser: pass\n"
        "between = lambda a, b: None\n"
        "task = lambda weight: lambda method: method\n"
        "events = SimpleNamespace(quitting=SimpleNamespace(add_listener=lambda each: each))\n"
    )
    (tmp_path / "locustfile.py").write_text(text)
    script = (
        "import json, locustfile\n"
        "sent = []\n"
        "class Reader(locustfile.Reader):\n"
        "    def ask(self, path, body, keys, name=None): sent.append((path, body, keys))\n"
        "Reader().one(); Reader().several()\n"
        "print(json.dumps(sent))\n"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    for path, body, keys in json.loads(done.stdout):
        answer = shared.client.post(path, json=body)
        assert answer.status_code == 200
        assert set(keys) <= set(answer.json())
