"""HTTP/1.1 on asyncio streams, as far as a load balancer on loopback needs it. h11 speaks the protocol."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import h11

CHUNK = 64 * 1024
MAX_HEADERS = 64 * 1024

Headers = list[tuple[bytes, bytes]]

# RFC 9110, 7.6.1: what concerns one connection only, and is not passed on.
HOP_BY_HOP = frozenset(
    (b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection",
     b"te", b"trailer", b"transfer-encoding", b"upgrade")
)  # fmt: skip


class MalformedMessage(Exception):
    """The other side closed the connection, or spoke no HTTP."""


class Peer:
    """One connection with its protocol state."""

    def __init__(self, role: Any, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.http = h11.Connection(role, max_incomplete_event_size=MAX_HEADERS)
        self.reader = reader
        self.writer = writer

    async def receive(self) -> Any:
        """The next event. Raises `Broken`."""
        try:
            while True:
                event = self.http.next_event()
                if event is h11.NEED_DATA:
                    if self.http.they_are_waiting_for_100_continue:
                        await self.send(h11.InformationalResponse(status_code=100, headers=[]))
                    self.http.receive_data(await self.reader.read(CHUNK))
                    continue
                return event
        except (h11.ProtocolError, OSError) as error:
            raise MalformedMessage(str(error)) from error

    async def send(self, event: Any) -> None:
        """Send an event. Raises `Broken`."""
        try:
            data = self.http.send(event)
            if data:
                self.writer.write(data)
                await self.writer.drain()
        except (h11.ProtocolError, OSError) as error:
            raise MalformedMessage(str(error)) from error

    @property
    def reusable(self) -> bool:
        """Whether both sides are done with one exchange and agree to another."""
        return self.http.our_state is h11.DONE and self.http.their_state is h11.DONE

    async def close(self) -> None:
        """Close the connection, and wait until it is."""
        self.writer.close()
        with contextlib.suppress(OSError, asyncio.TimeoutError):
            await asyncio.wait_for(self.writer.wait_closed(), 1)


async def connect(host: str, port: int) -> Peer:
    """Connect to a server. Raises `OSError`."""
    reader, writer = await asyncio.open_connection(host, port)
    return Peer(h11.CLIENT, reader, writer)


async def reply(peer: Peer, status: int, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
    """Answer at once, and in full."""
    headers = [("content-type", kind), ("content-length", str(len(body)))]
    await peer.send(h11.Response(status_code=status, headers=headers))
    await peer.send(h11.Data(data=body))
    await peer.send(h11.EndOfMessage())


async def body_of(peer: Peer, limit: int) -> bytes:
    """The rest of the message. Raises `Broken`, also if it is longer than `limit` bytes."""
    body = bytearray()
    while True:
        event = await peer.receive()
        if isinstance(event, h11.Data):
            body += event.data
            if len(body) > limit:
                raise MalformedMessage(f"more than {limit} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise MalformedMessage("closed in the middle of a message")


@dataclass(frozen=True, slots=True)
class Answer:
    """A response that was read in full."""

    status: int
    body: bytes


async def ask(
    host: str, port: int, path: str, *, method: str = "GET", limit: int = 1 << 20, timeout: float
) -> Answer:
    """One request on a connection of its own. Raises `Broken`, `OSError`, `TimeoutError`."""
    async with asyncio.timeout(timeout):
        peer = await connect(host, port)
        try:
            headers = [
                ("host", f"{host}:{port}"),
                ("user-agent", "ELB-HealthChecker/2.0"),
                ("connection", "close"),
            ]
            await peer.send(h11.Request(method=method, target=path, headers=headers))
            await peer.send(h11.EndOfMessage())
            while True:
                event = await peer.receive()
                if isinstance(event, h11.Response):
                    return Answer(event.status_code, await body_of(peer, limit))
                if isinstance(event, h11.ConnectionClosed):
                    raise MalformedMessage("closed without an answer")
        finally:
            peer.writer.close()


Handler = Callable[[Peer, h11.Request], Awaitable[None]]


class Server:
    """Listens on loopback and gives each request to a handler, which answers it in full."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._server: asyncio.Server | None = None
        self._busy: dict[asyncio.Task[None], Peer] = {}
        self._closing = False
        self.port = 0

    async def open(self, port: int) -> int:
        """Listen on `port`, any free one if 0, and return it. Raises `OSError` if it is taken."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self.port

    async def close(self) -> None:
        """Take no more connections; those with a request in hand get a second to end it."""
        self._closing = True
        if self._server is not None:
            self._server.close()
        for task, peer in list(self._busy.items()):
            if peer.http.our_state is h11.IDLE:
                task.cancel()
        if self._busy:
            await asyncio.wait(list(self._busy), timeout=1)
        for task in list(self._busy):
            task.cancel()
        if self._busy:
            await asyncio.wait(list(self._busy), timeout=1)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        peer = Peer(h11.SERVER, reader, writer)
        self._busy[task] = peer
        try:
            while not self._closing:
                request = await peer.receive()
                if not isinstance(request, h11.Request):
                    break
                await self._handler(peer, request)
                while peer.http.their_state is h11.SEND_BODY:
                    await peer.receive()
                if not peer.reusable:
                    break
                peer.http.start_next_cycle()
        except MalformedMessage as error:
            with contextlib.suppress(Exception):
                if peer.http.our_state in (h11.IDLE, h11.SEND_RESPONSE) and str(error):
                    await reply(peer, 400, b"bad request\n")
        except asyncio.CancelledError:
            pass
        finally:
            self._busy.pop(task, None)
            await peer.close()
