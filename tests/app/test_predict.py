"""What the service answers when all is well."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from app.settings import Misconfigured, Settings
from tests.app.conftest import FIRST
from tests.app.models import finish, promote, publish
from tests.app.service import Running, serving, until


def test_one_text(shared: Running) -> None:
    """One text gets its label, the label's probability and the version that answered."""
    answer = shared.predict("A wonderful film")
    assert (answer.status_code, answer.json()) == (
        200,
        {
            "label": "positive",
            "labels": ["positive"],
            "probability": pytest.approx(0.952574),
            "probabilities": {
                "negative": pytest.approx(0.047426), "positive": pytest.approx(0.952574),
            },
            "truncated": False,
            "unknown": pytest.approx(0.6667),
            "model": FIRST,
        },
    )  # fmt: skip


def test_several_texts(shared: Running) -> None:
    """Several texts are answered in their order, however their lengths differ."""
    long = "dull " * 40
    answer = shared.predict("good", long, "awful", "A film.", "wonderful, wonderful").json()
    assert [each["label"] for each in answer["predictions"]] == [
        "positive", "negative", "negative", "negative", "positive",
    ]  # fmt: skip
    assert answer["model"] == FIRST


def test_any_number_of_labels(tmp_path: Path) -> None:
    """A model of three labels answers with the probability of each; the highest is the verdict."""
    publish(tmp_path / "store", FIRST, labels=("negative", "positive", "mixed"))
    with serving(tmp_path / "store", tmp_path) as running:
        found = running.predict("wonderful").json()
        assert found["probabilities"] == {
            "negative": pytest.approx(0.039, abs=1e-3),
            "positive": pytest.approx(0.786, abs=1e-3),
            "mixed": pytest.approx(0.175, abs=1e-3),
        }
        assert (found["label"], found["probability"]) == ("positive", found["probabilities"]["positive"])
        assert 'predictions_total{label="positive"} 1.0' in running.client.get("/metrics").text


def test_labels_that_exclude_no_other(tmp_path: Path) -> None:
    """With `activation: sigmoid` a text gets every label that is likelier than not: one, several or none."""
    labels = ("short", "funny", "sad")
    folder = publish(tmp_path / "store", FIRST, labels=labels)
    finish(folder, labels=labels, activation="sigmoid")
    promote(tmp_path / "store", FIRST)
    with serving(tmp_path / "store", tmp_path) as running:
        several, one = running.predict("wonderful", "awful").json()["predictions"]
        # Of the third label the logit is 0, and its probability even.
        assert (several["label"], several["labels"]) == ("funny", ["funny", "sad"])
        assert several["probabilities"] == {
            "short": pytest.approx(0.182, abs=1e-3), "funny": pytest.approx(0.818, abs=1e-3), "sad": 0.5,
        }  # fmt: skip
        assert one["labels"] == ["short", "sad"]
        counts = running.client.get("/metrics").text
        assert 'predictions_total{label="sad"} 2.0' in counts
        assert 'predictions_total{label="short"} 1.0' in counts


@pytest.mark.parametrize(
    ("text", "unknown"), [("good", 0), ("good dull nonsense words", 0.5), ("素晴らしい映画", 1), ("🎬🎬", 1)]
)
def test_words_that_the_model_does_not_know(shared: Running, text: str, unknown: float) -> None:
    """Their share is in the answer, so that a guess can be told from a verdict."""
    assert shared.predict(text).json()["unknown"] == unknown


def test_beneath_a_path(tmp_path: Path) -> None:
    """With `BASE_PATH`, the service answers beneath it and its document says so; checks ask without it."""
    publish(tmp_path / "store", FIRST)
    with serving(tmp_path / "store", tmp_path, BASE_PATH="/predict/") as running:
        for path in ("/predict/predict", "/predict"):
            answer = running.client.post(path, json={"text": "good"})
            assert (answer.status_code, answer.json()["label"]) == (200, "positive")
        assert running.client.get("/predict/ready").json() == running.client.get("/ready").json()
        assert "How does this review feel?" in running.client.get("/predict/").text
        bare = running.client.get("/predict", headers={"Host": "elsewhere.example"})
        # A path alone: the scheme and the host stay those of the caller.
        assert (bare.status_code, bare.headers["location"]) == (307, "/predict/")
        assert running.client.get("/predict/openapi.json").json()["servers"] == [{"url": "/predict"}]
        assert running.client.get("/predictor").status_code == 404


@pytest.mark.parametrize("path", ["reviews", "//evil.example", "/a/../b", "/a?b", "/a b"])
def test_no_path(path: str) -> None:
    """What is no plain path is refused at the start."""
    environ = {"MODEL_NAME": "sentiment", "MODEL_URI": "/tmp/models/", "BASE_PATH": path}
    with pytest.raises(Misconfigured, match="BASE_PATH is"):
        Settings.read(environ)


def test_alone_or_together(shared: Running) -> None:
    """A text gets the same probability alone and among others."""
    texts = ["good", "good film", "dull and awful", "wonderful " * 9]
    together = [each["probability"] for each in shared.predict(*texts).json()["predictions"]]
    assert together == pytest.approx([shared.predict(text).json()["probability"] for text in texts], abs=1e-6)


@pytest.mark.parametrize(
    "body", ['{"text": "A good film"}', '{"texts": ["good", "dull"]}', '{"texts": []}', "{"]
)
def test_however_json_is_declared(shared: Running, body: str) -> None:
    """What goes past the framework is answered and logged like what goes through it."""

    def post(content_type: str, encoding: str) -> tuple[httpx.Response, str, dict[str, Any]]:
        headers = {"content-type": content_type}
        answer = shared.client.post("/predict", content=body.encode(encoding), headers=headers)
        own = answer.headers["x-request-id"]
        until(lambda: own in shared.output.read_text())
        [line] = [each for each in shared.lines("request") if each["requestId"] == own]
        for varying in ("time", "ms", "requestId"):
            del line[varying]
        return answer, answer.text.replace(own, ""), line

    first, text, line = post("application/json", "utf-8")
    for content_type, encoding in (
        ("application/json; charset=utf-8", "utf-8"),
        ("application/json", "utf-16"),
    ):
        answer, *rest = post(content_type, encoding)
        assert (answer.status_code, rest) == (first.status_code, [text, line])
        assert answer.headers.keys() == first.headers.keys()


def test_longer_than_the_model_reads(shared: Running) -> None:
    """Of a long text, what the model reads decides; the answer says that the rest was not read."""
    answer = shared.predict("good " * 256 + "awful " * 999).json()
    assert (answer["label"], answer["truncated"]) == ("positive", True)
    just, over = shared.predict("good " * 256, "good " * 257).json()["predictions"]
    assert (just["truncated"], over["truncated"]) == (False, True)
    assert shared.client.post("/explain", json={"text": "good " * 257}).json()["truncated"] is True
    lines = shared.client.get("/metrics").text.splitlines()
    [count] = [line for line in lines if line.startswith("truncated_texts_total ")]
    assert float(count.split()[1]) >= 2


@pytest.mark.parametrize(
    "text", ["素晴らしい映画", "🎬🎬🎬", "فيلم جميل", "a\x00b", "e\u0301" * 400, "\u202egood"]
)
def test_any_script(shared: Running, text: str) -> None:
    """Text of any script is answered, known words or not."""
    assert shared.predict(text).status_code == 200


def test_health_and_ready(shared: Running) -> None:
    """Liveness and readiness say so."""
    assert shared.client.get("/health").json() == {"status": "ok"}
    assert shared.client.get("/ready").json() == {"status": "ready", "model": FIRST}


def test_model_facts(shared: Running) -> None:
    """`/model` tells what answers."""
    facts = shared.client.get("/model").json()
    assert (facts["version"], facts["labels"], facts["maxTokens"], facts["metrics"], facts["failure"]) == (
        FIRST, ["negative", "positive"], 256, {"accuracy": 0.9}, None,
    )  # fmt: skip


def test_words_that_mattered(shared: Running) -> None:
    """The parts of an explanation join to the text, and known words carry its weight."""
    text = " Good acting,\n but a dull  story: dull! "
    answer = shared.client.post("/explain", json={"text": text}).json()
    assert "".join(word["text"] for word in answer["words"]) == text
    weights = {word["text"].strip(): word["weight"] for word in answer["words"]}
    assert answer["label"] == "negative"
    assert weights["Good"] == pytest.approx(-1.5, abs=1e-3)
    assert weights["dull"] == pytest.approx(1.5, abs=1e-3)
    assert weights["but"] == 0


def test_words_of_a_long_text(shared: Running) -> None:
    """In a text with more words than there is time for, those that matter are still found."""
    text = "some words and more " * 45 + "one wonderful moment " + "then other words " * 10
    answer = shared.client.post("/explain", json={"text": text}).json()
    assert "".join(word["text"] for word in answer["words"]) == text
    strongest = max(answer["words"], key=lambda word: abs(word["weight"]))
    assert strongest["text"].strip() == "wonderful"


def test_request_ids(shared: Running) -> None:
    """A caller's request id comes back and is logged; a dangerous one is replaced."""
    answer = shared.client.get("/model", headers={"X-Request-Id": "abc-123"})
    assert answer.headers["x-request-id"] == "abc-123"
    until(lambda: "abc-123" in [line["requestId"] for line in shared.lines("request")])
    other = shared.client.get("/model", headers={"X-Request-Id": 'a" injected'})
    assert len(other.headers["x-request-id"]) == 32


def test_openapi_has_examples_that_work(shared: Running) -> None:
    """Each example in the API's document is answered."""
    document = shared.client.get("/openapi.json").json()
    body = document["paths"]["/predict"]["post"]["requestBody"]["content"]["application/json"]
    answers = [shared.client.post("/predict", json=each["value"]) for each in body["examples"].values()]
    assert [answer.status_code for answer in answers] == [200, 200]


def test_prometheus_counts(shared: Running) -> None:
    """`/metrics` counts requests, predictions and the model in use."""
    shared.predict("good")
    text = shared.client.get("/metrics").text
    for wanted in (
        'http_requests_total{route="/predict",status="200"}',
        'predictions_total{label="positive"}',
        f'version="{FIRST}"',
        "model_loaded 1.0",
        "queue_depth 0.0",
        "process_resident_memory_bytes",
    ):
        assert wanted in text


def test_headers_that_protect(shared: Running) -> None:
    """Every answer forbids what a page of ours never needs."""
    for path in ("/", "/model", "/nowhere"):
        headers = shared.client.get(path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert "server" not in headers


def test_browsers_stay_with_https(shared: Running) -> None:
    """Where the load balancer has a certificate, and only there."""
    said = shared.client.get("/", headers={"X-Forwarded-Proto": "https"}).headers
    assert said["strict-transport-security"] == "max-age=31536000"
    for plain in ({}, {"X-Forwarded-Proto": "http"}):
        assert "strict-transport-security" not in shared.client.get("/", headers=plain).headers


def test_connections_are_kept(shared: Running) -> None:
    """A caller may ask again on the same connection."""
    with httpx.Client(base_url=shared.url) as client:
        for _ in range(3):
            answer = client.get("/health")
            assert answer.headers.get("connection") != "close"
