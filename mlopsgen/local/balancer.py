"""A load balancer on loopback that does what the target group and the listener rules say.

Where it stands in for an Application Load Balancer it keeps its manners: only healthy targets get requests, a
target that is let go finishes what it has in hand, and a request that fails is answered with 502, 503 or 504
and never tried again elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import h11

from mlopsgen.local.blueprint import LocalListenerRule, TargetGroup
from mlopsgen.local.http import HOP_BY_HOP, Headers, MalformedMessage, Peer, Server, ask, connect, reply

State = Literal["initial", "healthy", "unhealthy", "draining"]

IDLE_TIMEOUT = 60.0
"""Seconds for which a target may be silent, where the load balancer says nothing else."""

CONNECT_TIMEOUT = 10.0
"""Seconds in which a target has to take a connection ("HTTP 504: Gateway timeout", Elastic Load Balancing
user guide, "Troubleshoot your Application Load Balancers"). One that is suspended takes some, and no more."""

REUSE = 1.0
"""Seconds for which an idle connection to a target is used again: less than any server keeps it."""

FIRST_CHECKS = 0.25
"""Seconds between two checks of a target that has yet to answer for the first time.

A load balancer on AWS takes `interval` here too; on a laptop somebody is waiting.
"""


@dataclass(eq=False, slots=True)
class Target:
    """One task, as the load balancer sees it."""

    name: str
    port: int
    host: str = "127.0.0.1"
    state: State = "initial"
    reason: str = "no health check was answered yet"
    listens: bool = True
    """False once it has refused a connection, until it answers a check again."""
    outstanding: int = 0
    good: int = 0
    bad: int = 0
    idle: list[tuple[float, Peer]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def become(self, state: State, reason: str = "") -> None:
        """Change its state and tell whoever waits for that."""
        self.state, self.reason = state, reason
        self.changed.set()
        self.changed = asyncio.Event()


class Group:
    """A target group."""

    def __init__(self, settings: TargetGroup) -> None:
        self.settings = settings
        self.targets: list[Target] = []
        self._checks: dict[Target, asyncio.Task[None]] = {}
        self._turn = itertools.count()
        self._codes = _matcher(settings.codes)

    def register(self, target: Target) -> None:
        """Check it from now on, and send it requests once it answers."""
        self.targets.append(target)
        self._checks[target] = asyncio.create_task(self._check(target))

    async def drain(self, target: Target) -> None:
        """Send it no more, and wait for what it has in hand, at most as long as the target group says."""
        target.become("draining")
        await self._unchecked(target)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.settings.drain):
                while target.outstanding:
                    await target.changed.wait()
        await self.forget(target)

    async def forget(self, target: Target) -> None:
        """Leave it out at once."""
        await self._unchecked(target)
        if target in self.targets:
            self.targets.remove(target)
        for _, peer in target.idle:
            await peer.close()
        target.idle.clear()

    async def _unchecked(self, target: Target) -> None:
        check = self._checks.pop(target, None)
        if check is not None and check is not asyncio.current_task():
            check.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await check

    def choose(self) -> Target | None:
        """The target of the next request.

        With no healthy one, all unhealthy ones are tried, as the load balancer on AWS does ("fail open").
        """
        able = [each for each in self.targets if each.state == "healthy"]
        # A task that is gone refuses connections a moment before anybody knows, and would by its quick
        # failures seem the least busy of all.
        able = [each for each in able if each.listens] or able
        able = able or [each for each in self.targets if each.state == "unhealthy"]
        if not able:
            return None
        turn = next(self._turn)
        ring = able[turn % len(able) :] + able[: turn % len(able)]
        if self.settings.algorithm == "least_outstanding_requests":
            return min(ring, key=lambda each: each.outstanding)
        return ring[0]

    async def _check(self, target: Target) -> None:
        while True:
            started = time.monotonic()
            fault = await self._fault(target)
            if fault is None:
                target.good, target.bad, target.listens = target.good + 1, 0, True
                # A new target has to answer once ("Health checks for your target groups", Elastic Load
                # Balancing user guide), one that had failed `healthy` times in a row.
                enough = 1 if target.state == "initial" else self.settings.healthy
                if target.state != "healthy" and target.good >= enough:
                    target.become("healthy")
            else:
                target.good, target.bad = 0, target.bad + 1
                if target.state == "initial":
                    target.reason = fault
                elif target.state == "healthy" and target.bad >= self.settings.unhealthy:
                    target.become("unhealthy", fault)
            soon = target.state == "initial" or not target.listens
            pause = FIRST_CHECKS if soon else self.settings.interval
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - started)))

    async def _fault(self, target: Target) -> str | None:
        path = self.settings.path
        try:
            answer = await ask(target.host, target.port, path, timeout=self.settings.timeout)
        except TimeoutError:
            return f"GET {path} was not answered within {self.settings.timeout:g} s"
        except (MalformedMessage, OSError) as error:
            return f"GET {path} failed: {error}"
        if not self._codes(answer.status):
            return f"GET {path} was answered with {answer.status}"
        return None


def _matcher(codes: str) -> Callable[[int], bool]:
    """A target group's `HttpCode`: `200`, `200,202` or `200-299`."""
    ranges = [each.partition("-") for each in codes.split(",")]
    return lambda status: any(int(low) <= status <= int(high or low) for low, _, high in ranges)


class ReverseProxy:
    """A load balancer: its listener, its rules, its target groups."""

    def __init__(
        self,
        rules: Iterable[LocalListenerRule],
        groups: Mapping[str, Group],
        note: Callable[[str], None],
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> None:
        self._idle_timeout = idle_timeout
        self._rules = sorted(rules, key=lambda each: each.priority)
        self._groups = groups
        self._note = note
        self._server = Server(self._handle)

    @property
    def port(self) -> int:
        """Where it listens, on loopback."""
        return self._server.port

    async def open(self, port: int) -> int:
        """Listen. Raises `OSError` if the port is taken."""
        return await self._server.open(port)

    async def close(self) -> None:
        """Take no more requests."""
        await self._server.close()

    def _route(self, request: h11.Request) -> Group | None:
        path = request.target.decode("ascii", "replace").partition("?")[0]
        host = dict(request.headers).get(b"host", b"").decode("ascii", "replace").partition(":")[0]
        for rule in self._rules:
            right_path = not rule.paths or any(_like(each, path) for each in rule.paths)
            right_host = not rule.hosts or any(_like(each.lower(), host.lower()) for each in rule.hosts)
            if right_path and right_host:
                return self._groups.get(rule.group)
        return None

    async def _handle(self, client: Peer, request: h11.Request) -> None:
        started = time.monotonic()
        group = self._route(request)
        target = group.choose() if group else None
        if group is None:
            status = 404
            await reply(client, status, b"Nothing is served here.")
        elif target is None:
            status = 503
            await reply(client, status, b"503 Service Temporarily Unavailable: no target is registered\n")
        else:
            target.outstanding += 1
            try:
                status = await self._forward(client, request, target)
            finally:
                target.outstanding -= 1
                if not target.outstanding:
                    target.changed.set()
                    target.changed = asyncio.Event()
        took = time.monotonic() - started
        line = f"{request.method.decode()} {request.target.decode('ascii', 'replace')}"
        self._note(f"{line} {status} {took * 1000:.0f} ms {target.name if target else '-'}")

    async def _forward(self, client: Peer, request: h11.Request, target: Target) -> int:
        """Pass one request on and its answer back; the status that the client got."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT):
                server = await self._connection(target)
        except TimeoutError:
            await reply(client, 504, b"504 Gateway Timeout: the target takes no connection\n")
            return 504
        except OSError:
            target.listens = False
            await reply(client, 502, b"502 Bad Gateway: the target does not listen\n")
            return 502
        sender = asyncio.create_task(_send(client, server, request, self.port))
        begun = False
        status = 502
        try:
            async with asyncio.timeout(self._idle_timeout) as limit:
                while True:
                    event = await server.receive()
                    limit.reschedule(asyncio.get_running_loop().time() + self._idle_timeout)
                    if isinstance(event, h11.Response):
                        status, begun = event.status_code, True
                        headers = _passed_on(event.headers)
                        await client.send(h11.Response(status_code=status, headers=headers))
                    elif isinstance(event, h11.Data):
                        await client.send(h11.Data(data=event.data))
                    elif isinstance(event, h11.EndOfMessage):
                        await client.send(h11.EndOfMessage())
                        break
                    elif isinstance(event, h11.ConnectionClosed):
                        raise MalformedMessage("closed without an answer")
        except (MalformedMessage, TimeoutError) as error:
            late = isinstance(error, TimeoutError)
            if begun or client.http.our_state is not h11.SEND_RESPONSE:
                # Half an answer cannot be taken back: the client sees the connection end.
                raise MalformedMessage("") from None
            status = 504 if late else 502
            words = (
                b"504 Gateway Timeout\n" if late else b"502 Bad Gateway: the target closed the connection\n"
            )
            await reply(client, status, words)
        finally:
            if not sender.done():
                sender.cancel()
            with contextlib.suppress(asyncio.CancelledError, MalformedMessage):
                await sender
            if server.reusable and target.state != "draining":
                server.http.start_next_cycle()
                target.idle.append((time.monotonic(), server))
            else:
                server.writer.close()
        return status

    async def _connection(self, target: Target) -> Peer:
        while target.idle:
            since, peer = target.idle.pop()
            if time.monotonic() - since < REUSE and not peer.reader.at_eof():
                return peer
            peer.writer.close()
        return await connect(target.host, target.port)


async def _send(client: Peer, server: Peer, request: h11.Request, port: int) -> None:
    """The request with its body, as it comes."""
    headers = _passed_on(request.headers)
    present = {name for name, _ in headers}
    if any(name == b"transfer-encoding" for name, _ in request.headers):
        headers.append((b"transfer-encoding", b"chunked"))
    address = client.writer.get_extra_info("peername")[0].encode()
    before = b", ".join(value for name, value in headers if name == b"x-forwarded-for")
    headers = [each for each in headers if each[0] not in (b"x-forwarded-for", b"expect")]
    headers.append((b"x-forwarded-for", before + b", " + address if before else address))
    headers.append((b"x-forwarded-proto", b"http"))
    headers.append((b"x-forwarded-port", str(port).encode()))
    if b"x-amzn-trace-id" not in present:
        root = f"Root=1-{int(time.time()):08x}-{os.urandom(12).hex()}"
        headers.append((b"x-amzn-trace-id", root.encode()))
    if b"host" not in present:
        headers.append((b"host", f"127.0.0.1:{port}".encode()))
    await server.send(h11.Request(method=request.method, target=request.target, headers=headers))
    while True:
        try:
            event = await client.receive()
            if isinstance(event, h11.ConnectionClosed):
                raise MalformedMessage("closed in the middle of a request")
        except MalformedMessage:
            # Whoever asked is gone: the target is not to work on, nor this side to wait for it.
            server.writer.close()
            raise
        await server.send(event)
        if isinstance(event, h11.EndOfMessage):
            return


def _passed_on(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    listed = list(headers)
    named = {
        word.strip().lower()
        for name, value in listed
        if name.lower() == b"connection"
        for word in value.split(b",")
    }
    gone = HOP_BY_HOP | named
    return [(name.lower(), value) for name, value in listed if name.lower() not in gone]


def _like(pattern: str, text: str) -> bool:
    """A condition's wildcards: `*` for any characters, `?` for exactly one."""
    parts = (".*" if each == "*" else "." if each == "?" else re.escape(each) for each in pattern)
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None
