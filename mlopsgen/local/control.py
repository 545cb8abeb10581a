"""How other commands reach a run: HTTP on loopback, with a token that only its owner can read."""

from __future__ import annotations

import hmac
import http.client
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from typing import Any

import h11

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.http import Peer, Server, body_of, reply
from mlopsgen.local.state import Run

LIMIT = 1 << 20

ANSWER_TIME = 10
"""Seconds that a run gets to begin an answer: a busy one has begun by then, a suspended one never has."""

ControlDocument = Mapping[str, Any]
Action = Callable[[ControlDocument], AsyncIterator[ControlDocument]]


class Unreachable(Exception):
    """The run does not answer."""


class Control:
    """The server's side: actions by name, each a stream of JSON lines."""

    def __init__(
        self,
        token: str,
        task_token: str,
        actions: Mapping[str, Action],
        credentials: Callable[[str], Awaitable[ControlDocument]],
    ) -> None:
        """`token` is for actions; `task_token` is what tasks get, and is good for credentials alone."""
        self._token = token
        self._task_token = task_token
        self._actions = actions
        self._credentials = credentials
        self.server = Server(self._handle)

    async def _handle(self, peer: Peer, request: h11.Request) -> None:
        _, _, path = request.target.decode("ascii", "replace").partition("/")
        name, _, rest = path.partition("/")
        given = dict(request.headers).get(b"authorization", b"")
        wanted = self._task_token if name == "credentials" else self._token
        if not hmac.compare_digest(given, wanted.encode()):
            await reply(peer, 403, b"the token is missing\n")
            return
        if name == "credentials":
            await self._give(peer, rest)
        elif name in self._actions:
            body = await body_of(peer, LIMIT)
            headers = [("content-type", "application/x-ndjson")]
            await peer.send(h11.Response(status_code=200, headers=headers))
            async with aclosing(self._actions[name](json.loads(body or b"{}"))) as answers:  # type: ignore[type-var]
                async for each in answers:
                    await peer.send(h11.Data(data=json.dumps(each).encode() + b"\n"))
            await peer.send(h11.EndOfMessage())
        else:
            await reply(peer, 404, b"no such action\n")

    async def _give(self, peer: Peer, task: str) -> None:
        try:
            document = await self._credentials(task)
        except KeyError:
            await reply(peer, 404, b"no such task\n")
            return
        except UserFault as fault:
            await reply(peer, 503, f"{fault}\n".encode())
            return
        await reply(peer, 200, json.dumps(document).encode(), "application/json")


def call(run: Run, action: str, **arguments: Any) -> Iterator[ControlDocument]:
    """The client's side: what the action answers, as it comes. Raises `Unreachable`."""
    if not run.control:
        raise Unreachable("it is still starting")
    connection = http.client.HTTPConnection("127.0.0.1", run.control, timeout=ANSWER_TIME)
    try:
        connection.request("POST", f"/{action}", json.dumps(arguments), {"Authorization": run.token})
        response = connection.getresponse()
        # What it does may take long, such as a training that says nothing for an hour.
        if connection.sock is not None and action != "status":
            connection.sock.settimeout(None)
        if response.status != 200:
            raise Unreachable(response.read(1000).decode("utf-8", "replace").strip())
        for line in response:
            yield json.loads(line)
    except TimeoutError:
        raise Unreachable("is it suspended? `fg` in its terminal lets it go on") from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Unreachable(str(error)) from None
    finally:
        connection.close()
