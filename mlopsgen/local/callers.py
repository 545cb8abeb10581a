"""Who may ask the embedded AWS: programs of this machine, and no web page that a browser of it shows.

It takes any credentials and lets every call pass, so that a page that finds its port could read the data of a
run and publish a model. A browser says where a page comes from (`Origin`, `Sec-Fetch-Site`: Fetch standard,
"HTTP-network-or-cache fetch"; W3C, "Fetch Metadata Request Headers"), and `Host` tells a name that somebody
made point to this machine. No SDK sends the first two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

LOOPBACK = ("127.0.0.1", "localhost")

App = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Callers:
    """A WSGI application that lets programs through to `app`, and answers web pages with 403."""

    def __init__(self, app: App) -> None:
        self._app = app

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        """The answer to one request."""
        if why := refused(environ):
            said = f"refused: {why}\n".encode()
            start("403 Forbidden", [("Content-Type", "text/plain"), ("Content-Length", str(len(said)))])
            return [said]
        return self._app(environ, start)


def refused(environ: dict[str, Any]) -> str | None:
    """Why the request may not come through, if it may not."""
    if "HTTP_ORIGIN" in environ:
        return "a web page asks"
    if environ.get("HTTP_SEC_FETCH_SITE", "none") != "none":
        return "a web page asks"
    name, _, given = environ.get("HTTP_HOST", "").rpartition(":")
    # With some endpoints the SDK puts the bucket before the name; nobody else can own one below `localhost`
    # (RFC 6761, 6.3).
    known = name in LOOPBACK or name.endswith(".localhost")
    return (
        None if known and given == environ["SERVER_PORT"] else "it is asked under another name than its own"
    )
