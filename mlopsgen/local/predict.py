"""Ask a service: what its own OpenAPI document gives as examples, or a text of the user's."""

from __future__ import annotations

import contextlib
import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mlopsgen.diagnostics.fault import UserFault

PATH = "/predict"
TIMEOUT = 30


class Unpredictable(UserFault):
    """The service gave no answer to show; the text says why."""


class NotYet(Unpredictable):
    """It may give one later: 503."""


@dataclass(frozen=True, slots=True)
class Example:
    """A request."""

    body: Any

    @property
    def text(self) -> str:
        """The request for people."""
        body = self.body
        if isinstance(body, dict) and len(body) == 1 and isinstance(next(iter(body.values())), str):
            return str(next(iter(body.values())))
        return json.dumps(body, ensure_ascii=False)


def predict(url: str, example: Example, path: str = PATH) -> str:
    """The service's answer, as compact JSON. Raises `Unpredictable`."""
    body = json.dumps(example.body).encode()
    request = urllib.request.Request(
        url + path, data=body, headers={"Content-Type": "application/json"}, method="POST"
    )
    return json.dumps(_ask(request), ensure_ascii=False)


def examples(urls: Sequence[str], path: str | None = None, most: int = 3) -> tuple[str, tuple[Example, ...]]:
    """The requests that the service's OpenAPI document gives as examples, and the path that they go to.

    The document is asked for at each of `urls` in turn: a load balancer may not lead to it. Without `path`,
    that is `/predict` or else the first that has examples. Raises `Unpredictable`.
    """
    contents = _contents(_document(urls))
    first = PATH if path is None else path
    for name in sorted(contents, key=lambda each: each != first):
        if path is not None and name != path:
            continue
        if found := list(_examples(*contents[name]))[:most]:
            return name, tuple(Example(each) for each in found)
    example = json.dumps(_outline(*contents[first]), ensure_ascii=False) if first in contents else "{…}"
    raise Unpredictable(
        "the service's OpenAPI document gives no example to ask with: give it yourself, "
        f"`mlopsgen local predict --json '{example}'`"
    )


def _document(urls: Sequence[str]) -> Any:
    for url in urls[:-1]:
        with contextlib.suppress(Unpredictable):
            return _ask(urllib.request.Request(url + "/openapi.json"))
    return _ask(urllib.request.Request(urls[-1] + "/openapi.json"))


def _contents(document: Any) -> dict[str, tuple[Any, Any]]:
    """Each path that takes JSON by POST, with the document and the description of that JSON."""
    found = {}
    for path, operations in document.get("paths", {}).items():
        content = operations.get("post", {}).get("requestBody", {}).get("content", {})
        if "application/json" in content:
            found[path] = (document, content["application/json"])
    return found


def _examples(document: Any, content: Any) -> Iterator[Any]:
    for each in content.get("examples", {}).values():
        if "value" in each:
            yield each["value"]
    if "example" in content:
        yield content["example"]
    yield from _of_schema(document, content.get("schema", {}))


def _of_schema(document: Any, schema: Any) -> Iterator[Any]:
    while "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
    yield from schema.get("examples", ())
    for each in schema.get("anyOf", ()):
        yield from _of_schema(document, each)
    parts = {
        name: (each.get("examples") or [each.get("example")])
        for name, each in schema.get("properties", {}).items()
        if name in schema.get("required", ())
    }
    if parts and all(values and values[0] is not None for values in parts.values()):
        for values in zip(*parts.values(), strict=False):
            yield dict(zip(parts, values, strict=True))


def _outline(document: Any, content: Any) -> Any:
    """What a body looks like by its schema, with `…` for each value that has to be there."""
    schema = content.get("schema", {})
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return dict.fromkeys(schema.get("required", ()), "…")


def _ask(request: urllib.request.Request) -> Any:
    # Never through a proxy: it is this machine that is asked.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=TIMEOUT) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        said = _complaint(error.read(20_000).decode("utf-8", "replace").strip())
        kind = NotYet if error.code == 503 else Unpredictable
        raise kind(f"the service answered with {error.code}: {said}") from None
    except (OSError, ValueError) as error:
        raise Unpredictable(f"the service does not answer: {error}") from None


def _complaint(said: str) -> str:
    """What a service says is wrong; where it lists fields, as FastAPI does, one after the other."""
    try:
        detail = json.loads(said)["detail"]
        if isinstance(detail, str):  # As in RFC 9457.
            return detail[:2000]
        fields = [f"`{'.'.join(map(str, each['loc'][1:]))}`: {each['msg']}" for each in detail]
    except (ValueError, KeyError, TypeError):
        return said[:2000]
    return "; ".join(fields)
