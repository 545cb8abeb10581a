"""What every serving image does alike: load one verified version, log, and listen until SIGTERM.

Each service of the examples that serves a model holds an equal copy of this file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import boto3
import uvicorn
from boto3.exceptions import Boto3Error
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

S3 = Config(connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 4})
KEEP_ALIVE_MARGIN = 15
"""Seconds that an idle connection outlives the load balancer's: who closes first must not be the server."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
"""Versions and files: plain names, which cannot lead out of their folder."""

FETCHED = "fetched.json"
"""Where a JSON document lies while it is read."""


class Unusable(Exception):
    """Why this model cannot be served; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Version:
    """A verified version: its manifest, and where its files lie."""

    manifest: dict[str, Any]
    folder: Path

    @property
    def name(self) -> str:
        return str(self.manifest["version"])


def load(folder: Path, task: str) -> Version:
    """Fetch what MODEL_VERSION names at MODEL_URI into `folder` and check each digest. Raises `Unusable`."""
    uri = _variable("MODEL_URI").rstrip("/") + "/"
    version = os.environ.get("MODEL_VERSION", "current")
    promoted = None
    if version == "current":
        pointer = _json(uri, "current.json", folder, "promote a version first")
        version, promoted = str(pointer.get("version")), str(pointer.get("manifestSha256"))
    if not NAME.fullmatch(version):
        raise Unusable(f"{version!r} is no version of {uri}")
    manifest = _json(uri, f"{version}/manifest.json", folder, "this version does not exist or is not whole")
    if promoted not in (None, _sha256(folder / FETCHED)):
        raise Unusable(f"{uri}{version}/manifest.json is not what was promoted: promote a version again")
    wanted = {
        "schema": "mlopsgen.io/model/v1", "name": _variable("MODEL_NAME"), "version": version, "task": task
    }  # fmt: skip
    files = manifest.get("files")
    if not isinstance(files, dict) or any(manifest.get(key) != value for key, value in wanted.items()):
        raise Unusable(f"{uri}{version}/manifest.json is not the manifest of {wanted}")
    for name, about in files.items():
        if not NAME.fullmatch(name):
            raise Unusable(f"{uri}{version}/manifest.json names {name!r}, which is no plain file name")
        path = _fetch(uri, f"{version}/{name}", folder / name, "the version is not whole: train it again")
        if _sha256(path) != dict(about).get("sha256"):
            raise Unusable(f"{uri}{version}/{name} is not what was published: its digest differs")
    return Version(manifest, folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _variable(name: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise Unusable(f"{name} is not set; docs/contracts.md lists what a service is given")
    return value


def _json(uri: str, name: str, folder: Path, advice: str) -> dict[str, Any]:
    try:
        value = json.loads(_fetch(uri, name, folder / FETCHED, advice).read_bytes())
    except ValueError as error:
        raise Unusable(f"{uri}{name} is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Unusable(f"{uri}{name} is not a JSON object")
    return value


def _fetch(uri: str, name: str, target: Path, advice: str) -> Path:
    parts = urlsplit(uri)
    try:
        if parts.scheme == "s3":
            s3 = boto3.client("s3", region_name=os.environ.get("AWS_REGION"), config=S3)
            s3.download_file(parts.netloc, parts.path.lstrip("/") + name, str(target))
        else:
            folder = Path(unquote(parts.path) if parts.scheme == "file" else uri)
            shutil.copyfile(folder / name, target)
    except (OSError, BotoCoreError, Boto3Error, ClientError) as error:
        raise Unusable(f"cannot read {uri}{name}: {error}; {advice}") from error
    return target


def log(message: str, **values: Any) -> None:
    """One JSON object a line; never what a user sent."""
    print(json.dumps({"time": datetime.now(UTC).isoformat(), "message": message, **values}), flush=True)


class Meter:
    """Metrics for CloudWatch, gathered: one log line in embedded metric format holds 100 values."""

    def __init__(self) -> None:
        self._values: dict[str, list[float]] = {}
        self._since = time.monotonic()
        self._lock = threading.Lock()

    def add(self, **values: float) -> None:
        """Note one value of each; every 100 requests or 10 seconds they are printed."""
        with self._lock:
            for name, value in values.items():
                self._values.setdefault(name, []).append(value)
            if max(map(len, self._values.values())) >= 100 or time.monotonic() - self._since > 10:
                self._print()

    def _print(self) -> None:
        if space := os.environ.get("METRICS_NAMESPACE"):
            names = [{"Name": name} for name in self._values]
            rule = {"Namespace": space, "Dimensions": [["Model"]], "Metrics": names}
            head = {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [rule]}
            print(json.dumps({"_aws": head, "Model": os.environ["MODEL_NAME"], **self._values}), flush=True)
        self._values, self._since = {}, time.monotonic()


def guard(app: FastAPI, most: int) -> None:
    """Refuse a body of more than `most` bytes before it is read, and repeat no user's words in an error."""

    @app.middleware("http")
    async def limit(request: Request, answer: Callable[[Request], Any]) -> Response:
        length = request.headers.get("content-length", "")
        if request.method == "POST" and not length.isdecimal():
            return JSONResponse({"detail": "send Content-Length"}, 411)
        if length.isdecimal() and int(length) > most:
            return JSONResponse({"detail": f"send at most {most} bytes"}, 413)
        response: Response = await answer(request)
        return response

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        faults = [{"loc": fault["loc"], "msg": fault["msg"]} for fault in error.errors()]
        return JSONResponse({"detail": faults}, 422)


def serve(build: Callable[[Version], FastAPI], task: str, drain: int = 25) -> int:
    """Load a model of this `task`, then listen on PORT; the result is the exit status.

    After SIGTERM, requests in flight have `drain` seconds: less than the task's `stopTimeout`.
    """
    # uvicorn drains, then hands the signal on to this handler.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        port = _variable("PORT")
        idle = os.environ.get("KEEP_ALIVE_SECONDS", "60")
        for name, value in (("PORT", port), ("KEEP_ALIVE_SECONDS", idle)):
            if not value.isdecimal():
                raise Unusable(f"{name} is {value!r}, which is no number")
        with tempfile.TemporaryDirectory() as folder:
            version = load(Path(folder), task)
            app = build(version)
            log("serving", model=version.manifest["name"], version=version.name)
            uvicorn.run(
                app,
                host=os.environ.get("HOST") or "0.0.0.0",
                port=int(port),
                access_log=False,
                log_level="warning",
                timeout_keep_alive=int(idle) + KEEP_ALIVE_MARGIN,
                timeout_graceful_shutdown=drain,
            )
    except Unusable as error:
        log("cannot serve", reason=str(error))
        return 1
    return 0
