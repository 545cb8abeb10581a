"""Bad requests: a clear answer each, and the service goes on."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.app.conftest import FIRST
from tests.app.models import publish
from tests.app.service import PATIENCE, Running, serving

JSON = {"Content-Type": "application/json"}


@pytest.fixture(autouse=True)
def goes_on(shared: Running) -> Iterator[None]:
    """After each test the service still answers."""
    yield
    assert shared.predict("good").status_code == 200


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"", 422, "Field required"),
        (b"{", 400, "the body is no JSON"),
        (b"\xff\xfe{\x00", 400, "the body is no JSON"),
        ('{"text": "caf\u00e9"}'.encode("latin-1"), 400, "the body is no JSON"),
        (b"[" * 100_000, 400, "the body is no JSON"),
        (b"{}", 422, "text: Field required"),
        (b"[]", 422, "give an object with `text`, or with `texts`"),
        (b"null", 422, "give an object"),
        (b'{"text": 3}', 422, "text: Input should be a valid string"),
        (b'{"text": null}', 422, "text: Input should be a valid string"),
        (b'{"text": ""}', 422, "text: String should have at least 1 character"),
        (b'{"text": " \\n\\t"}', 422, "text: the text is blank"),
        (b'{"text": "\\ud800"}', 422, "text: half of a surrogate pair is no character"),
        (b'{"text": "a", "texts": ["a"]}', 422, "text: Extra inputs are not permitted"),
        (b'{"text": "a", "\\ud800": 1}', 422, "half of a surrogate pair is no character"),
        (b'{"texts": "good"}', 422, "texts: Input should be a valid list"),
        (b'{"texts": []}', 422, "texts: List should have at least 1 item"),
        (b'{"texts": ["a", 3]}', 422, "texts.1: Input should be a valid string"),
        (json.dumps({"texts": ["a"] * 65}).encode(), 422, "texts: List should have at most 64 items"),
        (json.dumps({"text": "a" * 20_001}).encode(), 422, "text: String should have at most 20000"),
        (json.dumps({"text": "a" * (1 << 20)}).encode(), 413, "a request may carry 1048576 bytes"),
    ],
)
def test_wrong_bodies(shared: Running, body: bytes, status: int, message: str) -> None:
    """A wrong body is answered with what is wrong with it, and where."""
    answer = shared.client.post("/predict", content=body, headers=JSON)
    assert (answer.status_code, message in answer.json()["detail"]) == (status, True), answer.text
    assert answer.json()["requestId"] == answer.headers["x-request-id"]


def test_an_error_is_a_problem(shared: Running) -> None:
    """In the form of RFC 9457, with the place of each flaw as a JSON Pointer."""
    wrong = {"texts": ["good", " "], "a/b": 1}
    answer = shared.client.post("/predict", json=wrong, headers={"X-Request-Id": "mine-1"})
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Unprocessable Content",
        "status": 422,
        "detail": "texts.1: the text is blank",
        "code": "invalid",
        "requestId": "mine-1",
        "errors": [
            {"pointer": "#/texts/1", "detail": "the text is blank"},
            {"pointer": "#/a~1b", "detail": "Extra inputs are not permitted"},
        ],
    }
    operations = shared.client.get("/openapi.json").json()["paths"]["/predict"]["post"]["responses"]
    assert {status: list(each["content"]) for status, each in operations.items()} == {
        "200": ["application/json"],
        **{status: ["application/problem+json"] for status in ("400", "408", "413", "415", "422", "503")},
    }


def test_a_compressed_body_is_told_apart(shared: Running) -> None:
    """It is no broken JSON: the answer says what would be taken."""
    headers = JSON | {"Content-Encoding": "gzip"}
    answer = shared.client.post("/predict", content=gzip.compress(b'{"text": "good"}'), headers=headers)
    assert (answer.status_code, answer.headers["accept-encoding"]) == (415, "identity")
    assert answer.json()["detail"] == "send the body as it is, without Content-Encoding"


def test_not_declared_as_json(shared: Running) -> None:
    """A form or plain text is told how to be sent."""
    for kind in ("application/x-www-form-urlencoded", "text/plain", "application/octet-stream"):
        answer = shared.client.post("/predict", content=b'{"text": "a"}', headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["detail"]) == (
            415,
            "send the body as application/json",
        )


def test_unknown_paths_and_methods(shared: Running) -> None:
    """What is not there says so in the same form."""
    assert shared.client.get("/nowhere").json()["code"] == "not_found"
    wrong = shared.client.get("/predict")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert wrong.json()["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/health", "/ready", "/model", "/metrics"])
def test_head_is_get_without_a_body(shared: Running, path: str) -> None:
    """Probes and `curl -I` ask so."""
    head, get = shared.client.head(path), shared.client.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


def test_no_text_is_sent_on_to_another_address(shared: Running) -> None:
    """A slash too many is answered with 404: behind a load balancer a redirect would leave HTTPS."""
    wrong = shared.client.post("/predict/", json={"text": "good"}, follow_redirects=False)
    assert (wrong.status_code, wrong.json()["code"]) == (404, "not_found")


def test_counts_are_not_for_everybody(shared: Running) -> None:
    """What comes by a load balancer, and may be anybody, gets no metrics; Prometheus asks directly."""
    assert shared.client.get("/metrics").status_code == 200
    answer = shared.client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert shared.client.get("/ready", headers={"X-Forwarded-For": "203.0.113.9"}).status_code == 200


def test_endless_body(shared: Running) -> None:
    """A body without an announced length is cut off at the limit."""
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 1 << 26:
            sent += 1 << 16
            yield b"a" * (1 << 16)

    answer = shared.client.post("/predict", content=endless(), headers=JSON)
    assert answer.status_code == 413
    assert sent < 1 << 25


def test_body_that_never_arrives(tmp_path: Path) -> None:
    """A caller that announces a body and sends none is let go."""
    publish(tmp_path / "store", FIRST)
    with serving(tmp_path / "store", tmp_path, REQUEST_TIMEOUT_SECONDS="0.5") as running:
        host, port = running.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
            connection.sendall(b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{")
            answer = connection.recv(1 << 16)
    assert b" 408 " in answer.splitlines()[0]
    assert b"connection: close" in answer


@pytest.mark.parametrize(
    "sent",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (1 << 18) + b"\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: -3\r\n\r\n",
        b"POST /predict HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=["tls", "huge header", "two lengths", "negative length", "broken chunk"],
)
def test_no_http(shared: Running, sent: bytes) -> None:
    """What is no HTTP gets 400 and no more."""
    host, port = shared.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        connection.sendall(sent)
        answer = connection.recv(1 << 16)
    assert b" 400 " in answer.splitlines()[0]


def test_nothing_of_users_is_logged(shared: Running) -> None:
    """Neither good nor bad requests leave their text in the log."""
    secret = "Zanzibar-4711"
    shared.predict(f"good {secret}")
    shared.client.post("/explain", json={"text": f"dull {secret}"})
    shared.client.post("/predict", json={"text": {"inner": secret}, secret: 1})
    shared.client.post("/predict", content=f'{{"text": "{secret}'.encode(), headers=JSON)
    shared.client.get(f"/{secret}?q={secret}", headers={"User-Agent": secret})
    shared.client.request(secret.replace("-", ""), "/predict")
    assert secret not in shared.output.read_text()
    assert secret.replace("-", "") not in shared.output.read_text()
