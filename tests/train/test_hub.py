"""The Hugging Face hub, as a small server that answers as it does."""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pyarrow as pa
import pyarrow.parquet
import pytest

from tests.train.conftest import ROOT
from train.sources import synthetic

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def files() -> dict[str, bytes]:
    """A data set as the hub has them."""
    reviews = synthetic.reviews(40, 10)
    found = {"README.md": b"# A data set\n"}
    for split, part in (("train", reviews.train), ("test", reviews.test)):
        buffer = io.BytesIO()
        rows = [{"text": review.text, "label": review.label} for review in part]
        pyarrow.parquet.write_table(pa.Table.from_pylist(rows), buffer)
        found[f"plain_text/{split}-00000-of-00001.parquet"] = buffer.getvalue()
    return found


class Handler(BaseHTTPRequestHandler):
    """Answers for the one data set that there is."""

    held = files()

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.path.split("?")[0]
        if path.startswith("/api/datasets/someone/reviews"):
            names = [{"rfilename": name, "size": len(data)} for name, data in self.held.items()]
            content = json.dumps({"id": "someone/reviews", "sha": COMMIT, "siblings": names}).encode()
        elif path.startswith("/datasets/someone/reviews/resolve/"):
            content = self.held.get(path.split("/", 6)[6], b"")
        else:
            self.send_response(404)
            self.send_header("X-Error-Code", "RepoNotFound")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    """The server's address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def fetch(hub: str, data: str, folder: Path) -> str:
    """What the stage fetch says of a data set."""
    command = [sys.executable, "-m", "train", "fetch", "--work", str(folder / "work"), "--data", data]
    given = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(folder / "hub"), "HF_HUB_DISABLE_XET": "1"}
    return subprocess.run(command, cwd=ROOT, env=given, text=True, capture_output=True, timeout=600).stdout


def test_a_data_set_of_the_hub_is_read(hub: str, tmp_path: Path) -> None:
    """A data set's Parquet files are read as any others, whatever else lies beside them."""
    said = fetch(hub, "hf:someone/reviews", tmp_path)
    assert '"train": 40, "test": 10' in said


@pytest.mark.parametrize("name", ["hf:someone/else", "hf:not a name"])
def test_a_missing_data_set_is_told(name: str, hub: str, tmp_path: Path) -> None:
    """A wrong id is named, with what to do."""
    said = fetch(hub, name, tmp_path)
    assert f"the hub does not give {name}" in said
    assert "Traceback" not in said


def test_a_hub_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    """Without a network the answer is short and clear."""
    said = fetch("http://127.0.0.1:9", "hf:someone/reviews", tmp_path)
    assert "the hub does not give hf:someone/reviews" in said
