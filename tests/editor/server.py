"""The YAML language server, as an editor speaks to it."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any


class Server:
    """A server that checks one document after the other against one schema."""

    def __init__(self, command: Sequence[str | Path], schema: Path) -> None:
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._numbers = itertools.count(1)
        self._settings = {
            "yaml": {"schemas": {schema.as_uri(): "*"}, "validate": True, "schemaStore": {"enable": False}}
        }
        completion = {"completionItem": {"snippetSupport": True, "documentationFormat": ["markdown"]}}
        document = {"completion": completion, "hover": {"contentFormat": ["markdown"]}}
        able = {"workspace": {"configuration": True}, "textDocument": document}
        self._ask("initialize", {"processId": None, "rootUri": None, "capabilities": able})
        self._send({"method": "initialized", "params": {}})
        self._send({"method": "workspace/didChangeConfiguration", "params": {"settings": self._settings}})

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self._process.communicate()

    def faults(self, text: str) -> list[str]:
        """What it says of the document, with line and column, in that order."""
        found = []
        for each in self._open(text)["diagnostics"]:
            place = each["range"]["start"]
            found.append((place["line"] + 1, place["character"] + 1, each["message"]))
        return [f"{line}:{column}: {message}" for line, column, message in sorted(found)]

    def completions(self, text: str, line: int, column: int) -> dict[str, str]:
        """What it would insert there, by what it offers. Line and column count from 1."""
        document = {"uri": self._open(text)["uri"]}
        place = {"line": line - 1, "character": column - 1}
        answer = self._ask("textDocument/completion", {"textDocument": document, "position": place})
        return {each["label"]: each.get("insertText", "") for each in answer["items"]}

    def _open(self, text: str) -> dict[str, Any]:
        """Where it keeps the document, and its faults."""
        uri = f"file:///{next(self._numbers)}/pipeline.yaml"
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self._send({"method": "textDocument/didOpen", "params": {"textDocument": document}})
        while (message := self._receive()).get("method") != "textDocument/publishDiagnostics" or (
            message["params"]["uri"] != uri
        ):
            pass
        found: dict[str, Any] = message["params"]
        return found

    def _ask(self, method: str, params: object) -> Any:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": params})
        while (message := self._receive()).get("id") != number or "method" in message:
            pass
        return message["result"]

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        assert self._process.stdin
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))
        self._process.stdin.flush()

    def _receive(self) -> dict[str, Any]:
        """The next message; what the server asks for is answered."""
        assert self._process.stdout
        length = 0
        while line := self._process.stdout.readline().strip():
            name, _, value = line.decode().partition(":")
            length = int(value) if name.lower() == "content-length" else length
        message: dict[str, Any] = json.loads(self._process.stdout.read(length))
        if "method" in message and "id" in message:
            asked = message.get("params", {}).get("items", [])
            answer = [self._settings.get(each.get("section")) for each in asked] if asked else None
            self._send({"id": message["id"], "result": answer})
        return message
