"""The process under strain, at its end, and what it writes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
import uvicorn

from app.reload import ModelReloader
from app.server import serve
from app.settings import Settings
from tests.app.conftest import FIRST
from tests.app.models import publish
from tests.app.service import PATIENCE, ROOT, Running, serving, until

LONG = "good " * 120
"""So long that hardly two such texts make a batch."""


def together(count: int, ask: Callable[[int], httpx.Response]) -> Sequence[httpx.Response]:
    """Ask `count` times at once."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(ask, range(count)))


def test_overload(tmp_path: Path) -> None:
    """Under more load than it can bear, some are answered, the others told when to return; none is lost."""
    publish(tmp_path / "store", FIRST, slow=50)
    with serving(tmp_path / "store", tmp_path, QUEUE_SECONDS="0.5", REQUEST_TIMEOUT_SECONDS="60") as running:
        answers = together(40, lambda number: running.predict(LONG))
        counts = Counter(answer.status_code for answer in answers)
        assert set(counts) == {200, 503}
        refused = [answer for answer in answers if answer.status_code == 503]
        assert {answer.json()["code"] for answer in refused} == {"overloaded"}
        assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
        assert f"refused_total {counts[503]}.0" in running.client.get("/metrics").text
        assert running.predict("good").status_code == 200


def test_answer_that_takes_too_long(tmp_path: Path) -> None:
    """A request whose turn does not come in time gets 503, and the service goes on."""
    publish(tmp_path / "store", FIRST, slow=100)
    with serving(tmp_path / "store", tmp_path, QUEUE_SECONDS="60", REQUEST_TIMEOUT_SECONDS="0.2") as running:
        answer = running.predict(*[LONG] * 8)
        assert (answer.status_code, answer.json()["code"]) == (503, "timeout")
        assert int(answer.headers["retry-after"]) >= 1
        assert running.client.get("/ready").status_code == 200


def test_callers_that_leave(tmp_path: Path) -> None:
    """What nobody waits for any more is not computed."""
    publish(tmp_path / "store", FIRST, slow=50)
    with serving(tmp_path / "store", tmp_path, QUEUE_SECONDS="600", REQUEST_TIMEOUT_SECONDS="600") as running:

        def leave(number: int) -> httpx.Response:
            try:
                impatient = httpx.Timeout(PATIENCE, read=0.3)
                return httpx.post(f"{running.url}/predict", json={"texts": [LONG] * 64}, timeout=impatient)
            except httpx.ReadTimeout:
                return httpx.Response(499)

        assert {answer.status_code for answer in together(4, leave)} == {499}
        until(lambda: [line["status"] for line in running.lines("request")].count(499) == 4)
        assert running.predict("good").status_code == 200
        done = next(
            float(line.split()[1])
            for line in running.client.get("/metrics").text.splitlines()
            if line.startswith("batch_texts_sum")
        )
        assert done < 4 * 64


def test_end_without_loss(tmp_path: Path) -> None:
    """After SIGTERM what runs is finished, new requests are still taken for a while, then it ends with 0."""
    publish(tmp_path / "store", FIRST, slow=100)
    # However busy this machine is, nothing is refused for that.
    patient = {"QUEUE_SECONDS": "60", "REQUEST_TIMEOUT_SECONDS": "60", "STOP_TIMEOUT_SECONDS": "60"}
    settings = patient | {"DRAIN_SECONDS": "4", "METRICS_NAMESPACE": "imdb/dev"}
    with serving(tmp_path / "store", tmp_path, **settings) as running:
        found: list[httpx.Response] = []
        slow = threading.Thread(target=lambda: found.append(running.predict(*[LONG] * 8)))
        slow.start()
        until(lambda: "queue_depth 0.0" not in running.client.get("/metrics").text)
        with httpx.Client(base_url=running.url, timeout=PATIENCE) as late:
            running.process.send_signal(signal.SIGTERM)
            until(lambda: running.lines("stopping"))
            assert late.get("/ready").status_code == 503
            answer = late.get("/model")
            assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        slow.join()
        assert (found[0].status_code, len(found[0].json()["predictions"])) == (200, 8)
        assert running.process.wait(timeout=PATIENCE) == 0
        assert running.lines()[-1]["event"] == "stopped"


def test_end_that_will_not_come(tmp_path: Path) -> None:
    """What is not finished by the stop timeout is given up, so that the process ends before it is killed."""
    publish(tmp_path / "store", FIRST, slow=100)
    variables = {"STOP_TIMEOUT_SECONDS": "1", "QUEUE_SECONDS": "600", "REQUEST_TIMEOUT_SECONDS": "600"}
    with serving(tmp_path / "store", tmp_path, **variables) as running:

        def ask(number: int) -> httpx.Response:
            try:
                return httpx.post(f"{running.url}/predict", json={"texts": [LONG] * 64}, timeout=PATIENCE)
            except httpx.TransportError:
                return httpx.Response(499)

        with ThreadPoolExecutor(1) as pool:
            lost = pool.submit(ask, 0)
            until(lambda: "queue_depth 0.0" not in running.client.get("/metrics").text)
            assert running.stop() == 0
            assert lost.result().status_code >= 499


def test_metrics_for_cloudwatch(tmp_path: Path) -> None:
    """Every prediction is in the embedded metrics, with at most 100 values of a metric in a document."""
    publish(tmp_path / "store", FIRST)
    with serving(tmp_path / "store", tmp_path, METRICS_NAMESPACE="imdb/dev") as running:
        for _ in range(5):
            assert running.predict(*["good"] * 40, *["dull"] * 10).status_code == 200
        assert running.stop() == 0
        documents = [line for line in running.lines() if "_aws" in line]
    values: dict[tuple[str, ...], list[float]] = {}
    for document in documents:
        [directive] = document["_aws"]["CloudWatchMetrics"]
        assert directive["Namespace"] == "imdb/dev"
        [dimensions] = directive["Dimensions"]
        for metric in directive["Metrics"]:
            assert len(document[metric["Name"]]) <= 100
            key = (metric["Name"], *(document[each] for each in dimensions))
            values.setdefault(key, []).extend(document[metric["Name"]])
    assert {key: len(each) for key, each in values.items()} == {
        ("PredictionLatency", "sentiment"): 5,
        ("QueueDepth", "sentiment"): 5,
        ("Confidence", "sentiment"): 250,
        ("PredictionShare", "sentiment", "negative"): 250,
        ("PredictionShare", "sentiment", "positive"): 250,
    }
    assert sum(values["PredictionShare", "sentiment", "positive"]) == 200


def test_no_metrics_without_a_namespace(tmp_path: Path) -> None:
    """On a laptop, without a namespace, the log holds no embedded metrics."""
    publish(tmp_path / "store", FIRST)
    with serving(tmp_path / "store", tmp_path) as running:
        assert running.predict("good").status_code == 200
        assert running.stop() == 0
        assert not [line for line in running.lines() if "_aws" in line]


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({}, "MODEL_NAME is not set"),
        ({"MODEL_NAME": "../x"}, "MODEL_NAME is '../x'; it may hold letters, digits, '.', '_' and '-'"),
        ({"MODEL_NAME": "m"}, "MODEL_URI is not set; give s3://BUCKET/PREFIX/ or a folder"),
        ({"MODEL_NAME": "m", "MODEL_URI": "/m", "MODEL_VERSION": "a/b"}, "MODEL_VERSION is 'a/b'"),
        ({"MODEL_NAME": "m", "MODEL_URI": "/m", "PORT": "http"}, "PORT is 'http'; give a number from 0 to"),
        (
            {"MODEL_NAME": "m", "MODEL_URI": "/m", "RUNTIME": "tf"},
            "RUNTIME is 'tf'; choose one of onnx, torch",
        ),
        ({"MODEL_NAME": "m", "MODEL_URI": "/m", "THREADS": "nan"}, "THREADS is 'nan'"),
        (
            {"MODEL_NAME": "m", "MODEL_URI": "/m", "KEEP_ALIVE_SECONDS": "1m"},
            "KEEP_ALIVE_SECONDS is '1m'; give a number from 1 to 4000",
        ),
    ],
)
def test_wrong_settings(tmp_path: Path, variables: dict[str, str], message: str) -> None:
    """A wrong environment variable ends the process with what to do, and no traceback."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | variables
    ended = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith(f"error: {message}")
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(("idle", "seconds"), [(None, 75), ("", 75), ("300", 315)])
def test_idle_connections(idle: str | None, seconds: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server keeps an idle connection for longer than its load balancer does, which thus closes first."""
    configured: list[uvicorn.Config] = []

    async def end(server: uvicorn.Server) -> None:
        configured.append(server.config)

    monkeypatch.setattr(uvicorn.Server, "serve", end)
    monkeypatch.setattr("app.server.capture", lambda: None)  # the tests' own log stays
    variables = {"MODEL_NAME": "m", "MODEL_URI": "/m"} | (
        {} if idle is None else {"KEEP_ALIVE_SECONDS": idle}
    )
    settings = Settings.read(variables)
    assert serve(settings, ModelReloader(settings), Future()) == 0
    assert [config.timeout_keep_alive for config in configured] == [seconds]


def test_port_in_use(tmp_path: Path, shared: Running) -> None:
    """A port that another process has ends the process, and says so."""
    publish(tmp_path / "store", FIRST)
    environment = {
        "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "MODEL_NAME": "sentiment", "HOST": "127.0.0.1",
        "MODEL_URI": str(tmp_path / "store"), "PORT": shared.url.split(":")[-1],
    }  # fmt: skip
    ended = subprocess.run(
        [sys.executable, "-m", "app"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    assert ended.returncode == 3
    assert "address already in use" in ended.stdout
    assert "Traceback" not in ended.stderr
