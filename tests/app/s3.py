"""A bucket on moto's server, and a proxy before it that can be slow, broken or cut off."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.embedded import empty_aws

BUCKET = "imdb-data"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing", "AWS_REGION": "eu-west-1"}


@dataclass
class Weather:
    """What the proxy does to an answer from S3."""

    clear: threading.Event = field(default_factory=threading.Event)
    """While this is not set it does not answer."""
    status: int | None = None
    """Answered instead."""
    cut: int | None = None
    """Bytes of the body after which the connection ends."""
    only: str = ""
    """Paths that this befalls end so."""
    seen: list[str] = field(default_factory=list)
    """The paths that were asked for."""
    signed: set[str] = field(default_factory=set)
    """The regions that reads were signed for."""


@dataclass(frozen=True)
class Bucket:
    """A bucket behind a proxy."""

    endpoint: str
    weather: Weather

    def upload(self, folder: Path, prefix: str = "models/sentiment/") -> None:
        """Put all files of a folder below a prefix; manifests last, as a trainer does."""
        files = sorted((path for path in folder.rglob("*") if path.is_file()), key=_order)
        for path in files:
            self.put(prefix + str(path.relative_to(folder)), path.read_bytes())

    def put(self, key: str, body: bytes) -> None:
        """Write one object."""
        self._client().put_object(Bucket=BUCKET, Key=key, Body=body)

    def delete(self, key: str) -> None:
        """Delete one object."""
        self._client().delete_object(Bucket=BUCKET, Key=key)

    def variables(self) -> dict[str, str]:
        """What a service needs to read it."""
        return CREDENTIALS | {"AWS_ENDPOINT_URL": self.endpoint}

    def _client(self):  # type: ignore[no-untyped-def]
        import boto3

        return boto3.client(
            "s3", endpoint_url=self.endpoint, aws_access_key_id="testing", aws_secret_access_key="testing",
            region_name="eu-west-1",
        )  # fmt: skip


def _order(path: Path) -> tuple[int, str]:
    return {"manifest.json": 1, "current.json": 2}.get(path.name, 0), str(path)


@contextmanager
def bucket() -> Iterator[Bucket]:
    """An empty bucket on a server of its own."""
    weather = Weather()
    weather.clear.set()
    with empty_aws() as endpoint:
        proxy = ThreadingHTTPServer(("127.0.0.1", 0), _proxy(endpoint.removeprefix("http://"), weather))
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        try:
            made = Bucket(f"http://127.0.0.1:{proxy.server_port}", weather)
            made._client().create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
            )
            yield made
        finally:
            proxy.shutdown()
            proxy.server_close()


def _proxy(behind: str, weather: Weather) -> type[BaseHTTPRequestHandler]:
    class Proxy(BaseHTTPRequestHandler):
        # boto3 waits a second for `100 Continue` before it sends, and HTTP/1.0 knows none.
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            weather.seen.append(self.path)
            if self.command == "GET":
                weather.signed.add(self.headers["Authorization"].split("/")[2])
            hit = self.command == "GET" and self.path.split("?")[0].endswith(weather.only)
            if hit:
                weather.clear.wait()
            if hit and weather.status:
                self.send_response(weather.status)
                self.send_header("Content-Length", "0")
                self.send_header("Connection", "close")
                self.end_headers()
                return
            connection = http.client.HTTPConnection(behind)
            connection.request(self.command, self.path, body, dict(self.headers))
            answer = connection.getresponse()
            content = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in (
                    "connection",
                    "server",
                    "date",
                    "content-length",
                    "transfer-encoding",
                ):
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content[: weather.cut] if hit and weather.cut else content)

        do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

        def log_message(self, *args: object) -> None:
            pass

    return Proxy
