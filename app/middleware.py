"""ASGI middleware around every request: ids, limits, timeouts, headers, metrics and log lines."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from typing import TYPE_CHECKING

from app.logs import log, where
from app.metrics import Metrics
from app.problems import PROTOCOL, Refused, problem

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BODY = 1 << 20
"""Bytes that a request may carry."""

MAX_RUNNING = 1024
"""Requests in progress at a time: while there are more, one with a body gets 503 before that is read."""

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = ("DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
READY = ("/ready", "/ping", f"{PROTOCOL}/health/ready")
QUIET = ("/health", "/metrics", f"{PROTOCOL}/health/live", *READY)

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
)


class Middleware:
    """Wraps the application: request ids, limits, timeouts, log lines, metrics, headers, draining."""

    def __init__(self, application: ASGIApp, metrics: Metrics, timeout: float, base_path: str = "") -> None:
        """`timeout`: seconds that a request may take to arrive. `base_path`: what paths may begin with."""
        self._application = application
        self._metrics = metrics
        self._timeout = timeout
        self._base_path = base_path
        self._running = 0
        self.draining = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._application(scope, receive, send)
            return
        begun, headers = time.perf_counter(), dict(scope["headers"])
        bare = bool(self._base_path) and scope["path"] == self._base_path
        # Health checks, and balancers that take the prefix away, ask without it.
        if scope["path"].startswith(self._base_path + "/"):
            scope["path"] = scope["path"][len(self._base_path) :]
        request_id = _request_id(headers)
        # Load balancers say for whom they ask (Elastic Load Balancing, user guide of Application Load
        # Balancers, "X-Forwarded headers"); health checks and what is within the network come without.
        state = {"request_id": request_id, "forwarded": b"x-forwarded-for" in headers}
        scope.setdefault("state", {}).update(state)
        status = 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = [*HEADERS, (b"x-request-id", request_id.encode())]
                if headers.get(b"x-forwarded-proto") == b"https":
                    # By HTTPS alone from now on; by plain HTTP it would mean nothing (RFC 6797, 7.2).
                    more.append((b"strict-transport-security", b"max-age=31536000"))
                if self.draining:
                    more.append((b"connection", b"close"))
                message["headers"] = [*message.get("headers", ()), *more]
            await send(message)

        self._running += 1
        try:
            if bare and scope["method"] in ("GET", "HEAD"):
                await _redirect(answer, self._base_path + "/")
            else:
                await self._answer(scope, headers, receive, answer)
        except Refused as refused:
            await _refuse(answer, scope, refused)
        except Gone:
            status = 499
        except Exception as error:
            log("request failed", level="error", requestId=request_id, **where(error))
            if not status:
                failed = Refused(500, "internal", "the service failed")
                await _refuse(answer, scope, failed)
        finally:
            self._running -= 1
            self._note(scope, request_id, status, time.perf_counter() - begun)

    async def _answer(self, scope: Scope, headers: dict[bytes, bytes], receive: Receive, send: Send) -> None:
        if self.draining and scope["path"] in READY:
            raise Refused(503, "stopping", "the process is stopping")
        if scope["path"] in QUIET or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self._application(scope, receive, send)
            return
        if headers.get(b"content-encoding", b"identity").lower() != b"identity":
            raise Refused(415, "unsupported", "send the body as it is, without Content-Encoding")
        if self._running > MAX_RUNNING:
            self._metrics.refused()
            raise Refused(503, "overloaded", "too many requests run; try again in 1 s", retry_after=1)
        body = await self._body(headers, receive)
        work = asyncio.ensure_future(self._application(scope, once(body), send))
        leaves = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((work, leaves), return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise Gone
            work.result()
        finally:
            work.cancel()
            leaves.cancel()

    async def _body(self, headers: dict[bytes, bytes], receive: Receive) -> bytes:
        """All of the request's body, in time and within the limit."""
        too_large = Refused(413, "too_large", f"a request may carry {MAX_BODY} bytes")
        length = headers.get(b"content-length", b"0")
        if length.isdigit() and int(length) > MAX_BODY:
            raise too_large
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise Gone
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > MAX_BODY:
                        raise too_large
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError as error:
            late = f"the request did not arrive within {self._timeout:g} s"
            raise Refused(408, "slow_request", late) from error

    def _note(self, scope: Scope, request_id: str, status: int, seconds: float) -> None:
        route = getattr(scope.get("route"), "path", "other")
        self._metrics.request(route, status, seconds)
        if scope["path"] in QUIET and status < 400:
            return
        facts = scope["state"].get("facts", {})
        log(
            "request",
            requestId=request_id,
            method=scope["method"] if scope["method"] in METHODS else "other",
            route=route,
            status=status,
            ms=round(seconds * 1000, 2),
            **facts,
        )


class Gone(Exception):
    """The caller has left: nobody waits for the answer any more."""


def _request_id(headers: dict[bytes, bytes]) -> str:
    """The caller's own id if it is a harmless word, else a new one."""
    given = headers.get(b"x-request-id", b"").decode("latin-1")
    return given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def once(body: bytes) -> Receive:
    """An ASGI `receive` that gives the whole of a request's body, and then waits for ever."""
    messages = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        if messages:
            return messages.pop()
        # Whoever asks again waits for the caller to leave, which `Middleware` notices.
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    return receive


async def _redirect(send: Send, path: str) -> None:
    """To a path of this host: the page's links are relative, and no scheme is named that a balancer ended."""
    headers = [(b"location", path.encode()), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _refuse(send: Send, scope: Scope, refused: Refused) -> None:
    media_type, body = problem(scope, refused)
    headers = [(b"content-type", media_type.encode()), (b"content-length", str(len(body)).encode())]
    if refused.retry_after:
        headers.append((b"retry-after", str(refused.retry_after).encode()))
    if refused.status == 415:
        # What would have been taken (RFC 9110, section 15.5.16).
        headers.append((b"accept-encoding", b"identity"))
    if refused.status in (408, 413, 415):
        # What is left of the body would be read as the next request.
        headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": refused.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
