"""A service by the contract: loads the current version, answers, and ends what it has in hand on SIGTERM."""

import json
import os
import signal
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3

s3 = boto3.client("s3")
bucket, _, prefix = os.environ["MODEL_URI"].removeprefix("s3://").partition("/")


def read(name: str) -> dict:
    return json.loads(s3.get_object(Bucket=bucket, Key=prefix + name)["Body"].read())


version = os.environ["MODEL_VERSION"]
if version == "current":
    version = read("current.json")["version"]
counts = read(f"{version}/words.json")["counts"]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if self.path == "/openapi.json":
            schema = {
                "type": "object",
                "required": ["text"],
                "properties": {"text": {"examples": ["two words"]}},
            }
            content = {"application/json": {"schema": schema}}
            self.answer(200, {"paths": {"/predict": {"post": {"requestBody": {"content": content}}}}})
        elif self.path == "/ready":
            self.answer(200, {"version": version})
        elif self.path == "/die":
            os._exit(9)
        else:
            self.answer(404, {})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        time.sleep(asked.get("seconds", 0))
        known = sum(counts.get(word, 0) for word in asked["text"].split())
        self.answer(200, {"known": known, "version": version, "task": os.getpid()})

    def answer(self, status: int, document: dict) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 128


server = Server((os.environ.get("HOST", "0.0.0.0"), int(os.environ["PORT"])), Handler)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
print("listening as", boto3.client("sts").get_caller_identity()["Arn"], flush=True)
server.serve_forever()
