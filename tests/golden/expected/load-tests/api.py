"""Load test of api. Compiled by mlopsgen; edit a copy, not this file.

    pip install locust
    locust --headless --host http://LOAD_BALANCER --users 32 --spawn-rate 8 --run-time 60s --locustfile FILE

It sends the examples that the service's own OpenAPI document gives for /predict, or for all that it offers if
there is no such path. For requests of your own let REQUESTS name a file with one JSON object a line, such as
{"path": "/predict", "body": {"text": "A quiet film."}}; without a body it is a GET.

A 503 with Retry-After is how a service says that it is full: it is counted under a name of its own.
Exit code 1: something else than success was answered, or there was nothing to send.
"""

import json
import os
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from locust import HttpUser, between, events, task

SENT: list[dict[str, Any]] = []


def from_file(path: str) -> Iterator[dict[str, Any]]:
    """One request a line."""
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if line.strip():
            yield json.loads(line)


def from_document(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The examples of an OpenAPI document."""
    paths = document.get("paths", {})
    for path in ["/predict"] if "/predict" in paths else sorted(paths):
        post = paths[path].get("post", {}).get("requestBody", {}).get("content", {}).get("application/json")
        for body in examples(document, post or {}):
            yield {"path": path, "body": body}
        get = paths[path].get("get")
        if get and "{" in path:
            parts = {each["name"]: next(examples(document, each), None) for each in get.get("parameters", ())}
            if None not in parts.values():
                yield {"path": path.format(**parts)}


def examples(document: dict[str, Any], part: dict[str, Any]) -> Iterator[Any]:
    """The values that a parameter, a body or a schema gives as examples."""
    if "$ref" in part:
        part = document["components"]["schemas"][part["$ref"].rpartition("/")[2]]
    given = part.get("examples", [])
    yield from (each["value"] for each in given.values()) if isinstance(given, dict) else given
    if "example" in part:
        yield part["example"]
    if "schema" in part:
        yield from examples(document, part["schema"])
    fields = {
        name: next(examples(document, each), None)
        for name, each in part.get("properties", {}).items()
        if name in part.get("required", ())
    }
    if fields and None not in fields.values():
        yield fields


@events.test_start.add_listener
def prepare(environment: Any, **_: object) -> None:
    """Find out what to send."""
    own = os.environ.get("REQUESTS")
    if own:
        SENT.extend(from_file(own))
    else:
        with urlopen(f"{environment.host}/openapi.json", timeout=30) as answer:
            SENT.extend(from_document(json.load(answer)))
    if not SENT:
        print("nothing to send: the service's OpenAPI document has no examples; name a file in REQUESTS")
        environment.runner.quit()


class Caller(HttpUser):
    """Somebody who sends one request after the other."""

    wait_time = between(0.0, 0.1)

    @task
    def ask(self) -> None:
        """Send one, and count what comes back."""
        if not SENT:
            return
        chosen = random.choice(SENT)
        method = "POST" if "body" in chosen else "GET"
        body = chosen.get("body")
        with self.client.request(method, chosen["path"], json=body, catch_response=True) as answer:
            if answer.status_code == 503 and "Retry-After" in answer.headers:
                answer.request_meta["name"] = "full (503)"
                answer.success()


@events.quitting.add_listener
def judge(environment: Any, **_: object) -> None:
    """Fail if any request failed, or none was sent."""
    total = environment.stats.total
    environment.process_exit_code = 1 if total.num_failures or not total.num_requests else 0
