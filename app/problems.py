"""What is answered when there is no success, in the form that the path's callers know."""

from __future__ import annotations

import json
from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote

if TYPE_CHECKING:
    from starlette.types import Scope

PROTOCOL = "/v2"
"""Where the Open Inference Protocol is spoken."""

TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
"""RFC 9110's names where older versions of Python have those of an older RFC."""


class Refused(Exception):
    """The request is answered with a status, a code and a message.

    `reason` says more, to those who ask from within the network: it may name buckets.
    """

    def __init__(
        self, status: int, code: str, message: str, retry_after: int | None = None, reason: str = ""
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.retry_after = retry_after
        self.reason = reason

    def says(self, *, forwarded: bool) -> str:
        """The message, for a request that came directly, or that a load balancer has forwarded."""
        return str(self) if forwarded or not self.reason else f"{self}: {self.reason}"


class Flaw(NamedTuple):
    """One thing that is wrong with a body, and where."""

    at: Sequence[object]
    """Keys and indexes from the body's root."""
    message: str

    def says(self) -> str:
        """The place and what is wrong with it, for people."""
        at = ".".join(map(str, self.at))[:100]
        return f"{at}: {self.message}" if at else self.message

    def pointer(self) -> str:
        """The place as a JSON Pointer in a URI's fragment (RFC 6901, section 6)."""
        steps = (str(each)[:100].replace("~", "~0").replace("/", "~1") for each in self.at)
        return "#" + "".join(f"/{quote(each, safe='', errors='replace')}" for each in steps)


def problem(scope: Scope, refused: Refused, flaws: Sequence[Flaw] = ()) -> tuple[str, bytes]:
    """The media type and the body of an answer."""
    detail = refused.says(forwarded=scope["state"]["forwarded"])
    if scope["path"] == PROTOCOL or scope["path"].startswith(f"{PROTOCOL}/"):
        # "$inference_error_response = {"error": <error message string>}" (Open Inference Protocol, REST).
        return "application/json", json.dumps({"error": detail}).encode()
    title = TITLES.get(refused.status) or HTTPStatus(refused.status).phrase
    body: dict[str, object] = {
        # "about:blank": no more than the status says (RFC 9457, section 4.2.1); `code` says more.
        "type": "about:blank",
        "title": title,
        "status": refused.status,
        "detail": detail,
        "code": refused.code,
        "requestId": scope["state"]["request_id"],
    }
    if flaws:
        body["errors"] = [{"pointer": each.pointer(), "detail": each.message} for each in flaws]
    # In ASCII: a key of the user's may hold half a surrogate pair, which UTF-8 cannot say.
    return "application/problem+json", json.dumps(body).encode()
