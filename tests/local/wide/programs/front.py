"""A service with two ports: each answers with its own name, the request's path and the newest note."""

import os
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
note = Path(os.environ["NOTES"]) / "note.txt"


def server(name: str, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            words = [name, self.path, note.read_text() if note.exists() else "no note"]
            body = " ".join(words).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


servers = [server("main", int(os.environ["PORT"])), server("admin", int(os.environ["ADMIN"]))]
for each in servers:
    threading.Thread(target=each.serve_forever, daemon=True).start()
signal.sigwait({signal.SIGTERM})
