"""The load balancer on loopback, with targets that are real servers."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

from mlopsgen.local import balancer as balancing
from mlopsgen.local.balancer import Group, ReverseProxy, Target
from mlopsgen.local.blueprint import LocalListenerRule, TargetGroup
from mlopsgen.local.http import Peer, Server, body_of, reply

QUICK = TargetGroup(path="/health", interval=0.05, timeout=60, healthy=2, unhealthy=2, drain=60)
EVERYTHING = LocalListenerRule("internal", 1, ("/*",), (), "api")

Answer = tuple[int, dict[str, str], bytes]


async def healthy(peer: Peer, request: Any) -> None:
    """Says who it was that asked, and what it sent."""
    body = await body_of(peer, 1 << 30)
    words = [f"{name.decode()}: {value.decode()}" for name, value in request.headers]
    await reply(peer, 200, "\n".join([request.method.decode(), str(len(body)), *words]).encode())


def slow(go: asyncio.Event) -> Callable[[Peer, Any], Awaitable[None]]:
    """The same, but `/slow` is answered only once `go` is set."""

    async def handler(peer: Peer, request: Any) -> None:
        if request.target == b"/slow":
            await go.wait()
        await healthy(peer, request)

    return handler


class Site:
    """A load balancer with its targets."""

    def __init__(self, balancer: ReverseProxy, group: Group, notes: list[str]) -> None:
        self.balancer = balancer
        self.group = group
        self.notes = notes
        self.servers: list[Server] = []

    async def add(self, handler: Callable[[Peer, Any], Awaitable[None]] = healthy) -> Target:
        """One more target."""
        server = Server(handler)
        target = Target(f"task-{len(self.servers)}", await server.open(0))
        self.servers.append(server)
        self.group.register(target)
        return target

    async def ask(self, path: str = "/", method: str = "GET", body: Any = None, **headers: str) -> Answer:
        """A request by the standard library's client."""

        def work() -> Answer:
            connection = http.client.HTTPConnection("127.0.0.1", self.balancer.port, timeout=60)
            connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
            response = connection.getresponse()
            answer = response.status, dict(response.getheaders()), response.read()
            connection.close()
            return answer

        return await asyncio.to_thread(work)


async def becomes(target: Target, state: str) -> None:
    """Wait until the target is in that state."""
    async with asyncio.timeout(60):
        while target.state != state:
            await asyncio.sleep(0.01)


@asynccontextmanager
async def site(settings: TargetGroup = QUICK, *rules: LocalListenerRule) -> AsyncIterator[Site]:
    """A load balancer without targets."""
    group, notes = Group(settings), []
    made = Site(ReverseProxy(rules or (EVERYTHING,), {"api": group}, notes.append), group, notes)
    await made.balancer.open(0)
    try:
        yield made
    finally:
        await made.balancer.close()
        for target in list(group.targets):
            await group.forget(target)
        for server in made.servers:
            await server.close()


def test_a_target_that_says_nothing_is_answered_for_in_time() -> None:
    """A task that is suspended takes connections and no more: its caller gets 504 after the idle timeout."""
    never = asyncio.Event()

    async def steps() -> None:
        group, notes = Group(QUICK), []
        made = Site(ReverseProxy((EVERYTHING,), {"api": group}, notes.append, 0.2), group, notes)
        await made.balancer.open(0)
        target = await made.add(slow(never))
        await becomes(target, "healthy")
        status, _, body = await made.ask("/slow")
        assert (status, body) == (504, b"504 Gateway Timeout\n")
        never.set()
        await made.balancer.close()
        await group.forget(target)
        for server in made.servers:
            await server.close()

    asyncio.run(steps())


def test_a_target_that_takes_no_connection_is_answered_for_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that was suspended for long has no room for another connection: nobody waits for it for ever."""
    monkeypatch.setattr(balancing, "CONNECT_TIMEOUT", 0.2)

    async def steps() -> None:
        async with site() as made:
            target = await made.add()
            await becomes(target, "healthy")

            async def stuck(host: str, port: int) -> Peer:
                await asyncio.Event().wait()
                raise AssertionError

            monkeypatch.setattr(balancing, "connect", stuck)
            status, _, body = await made.ask("/")
            assert (status, body) == (504, b"504 Gateway Timeout: the target takes no connection\n")

    asyncio.run(steps())


def test_only_healthy_targets_get_requests() -> None:
    """A target is asked until it answers; one that stops answering well gets nothing more, until it does."""
    states = {"sick": False}

    async def moody(peer: Peer, request: Any) -> None:
        await reply(peer, 500 if states["sick"] else 200, b"moody")

    async def steps() -> None:
        async with site() as made:
            first, second = await made.add(moody), await made.add()
            await becomes(first, "healthy")
            await becomes(second, "healthy")
            assert {(await made.ask())[2][:5] for _ in range(4)} == {b"moody", b"GET\n0"}
            states["sick"] = True
            await becomes(first, "unhealthy")
            assert first.reason == "GET /health was answered with 500"
            assert {(await made.ask())[2][:5] for _ in range(4)} == {b"GET\n0"}
            states["sick"] = False
            await becomes(first, "healthy")

    asyncio.run(steps())


def test_a_target_that_is_let_go_finishes_what_it_has_in_hand() -> None:
    """It gets no new request, and the one that it has is answered."""

    async def steps() -> None:
        async with site() as made:
            go = asyncio.Event()
            target = await made.add(slow(go))
            await becomes(target, "healthy")
            asked = asyncio.create_task(made.ask("/slow"))
            while not target.outstanding:
                await asyncio.sleep(0.01)
            draining = asyncio.create_task(made.group.drain(target))
            await becomes(target, "draining")
            assert (await made.ask())[0] == 503
            assert not draining.done()
            go.set()
            assert (await asked)[0] == 200
            await draining
            assert made.group.targets == []

    asyncio.run(steps())


def test_a_request_that_fails_is_not_tried_again() -> None:
    """The client gets 502, and the other target never hears of it."""
    asked: list[str] = []

    async def broken(peer: Peer, request: Any) -> None:
        if request.target == b"/health":
            await reply(peer, 200, b"")
            return
        asked.append("broken")
        peer.writer.transport.abort()

    async def well(peer: Peer, request: Any) -> None:
        if request.target != b"/health":
            asked.append("well")
        await reply(peer, 200, b"")

    async def steps() -> None:
        async with site() as made:
            for each in (await made.add(broken), await made.add(well)):
                await becomes(each, "healthy")
            statuses = sorted([(await made.ask("/", "POST", b"x"))[0] for _ in range(4)])
            assert statuses == [200, 200, 502, 502]
            assert sorted(asked) == ["broken", "broken", "well", "well"]

    asyncio.run(steps())


def test_with_no_healthy_target_the_unhealthy_ones_are_tried() -> None:
    """As on AWS: a wrong health check takes no service away."""

    async def steps() -> None:
        async with site(
            TargetGroup(path="/health", interval=0.05, timeout=60, unhealthy=2, codes="200")
        ) as made:
            target = await made.add()
            await becomes(target, "healthy")
            target.become("unhealthy")
            target.good = -1000
            assert (await made.ask())[0] == 200

    asyncio.run(steps())


def test_rules_lead_by_path_and_host_in_order_of_priority() -> None:
    """The first rule that fits wins; what fits none is answered with 404."""
    rules = (
        LocalListenerRule("internal", 20, ("/api/*",), (), "api"),
        LocalListenerRule("internal", 10, ("/api/closed*",), (), "nobody"),
        LocalListenerRule("internal", 30, ("/?",), ("*.example.com",), "api"),
    )

    async def steps() -> None:
        async with site(QUICK, *rules) as made:
            await becomes(await made.add(), "healthy")
            assert (await made.ask("/api/x?y=1"))[0] == 200
            assert (await made.ask("/api/closed/x"))[0] == 404
            assert (await made.ask("/a", Host="A.Example.com:80"))[0] == 200
            assert (await made.ask("/ab", Host="a.example.com"))[0] == 404
            assert (await made.ask("/a", Host="example.org"))[0] == 404

    asyncio.run(steps())


def test_the_target_learns_who_asked() -> None:
    """X-Forwarded-For is added to, and headers of one connection are not passed on."""

    async def steps() -> None:
        async with site() as made:
            await becomes(await made.add(), "healthy")
            _, headers, body = await made.ask(
                X_Forwarded_For="203.0.113.9", Connection="X-Secret", X_Secret="1", Keep="2"
            )
            words = body.decode().split("\n")
            assert "x-forwarded-for: 203.0.113.9, 127.0.0.1" in words
            assert "x-forwarded-proto: http" in words
            assert "keep: 2" in words
            assert not any(each.startswith("x-secret") for each in words)
            assert any(each.startswith("x-amzn-trace-id: Root=1-") for each in words)
            assert headers["content-type"] == "text/plain; charset=utf-8"

    asyncio.run(steps())


@pytest.mark.parametrize("chunked", [False, True])
def test_large_bodies_pass_in_both_directions(chunked: bool) -> None:
    """Ten megabytes there and back, with a length or in chunks."""
    size = 10_000_000

    async def echo(peer: Peer, request: Any) -> None:
        await reply(peer, 200, await body_of(peer, 1 << 30))

    async def steps() -> None:
        async with site() as made:
            await becomes(await made.add(echo), "healthy")
            body = (b"x" * 1_000_000 for _ in range(10)) if chunked else b"x" * size
            status, _, answer = await made.ask("/", "POST", body)
            assert (status, len(answer)) == (200, size)

    asyncio.run(steps())


def test_the_least_busy_target_gets_the_next_request() -> None:
    """`least_outstanding_requests`: whoever has a slow request in hand gets no other."""

    async def steps() -> None:
        settings = replace(QUICK, algorithm="least_outstanding_requests")
        async with site(settings) as made:
            go = asyncio.Event()
            for each in (await made.add(slow(go)), await made.add(slow(go))):
                await becomes(each, "healthy")
            asked = asyncio.create_task(made.ask("/slow"))
            while not any(each.outstanding for each in made.group.targets):
                await asyncio.sleep(0.01)
            busy = next(each.name for each in made.group.targets if each.outstanding)
            for _ in range(5):
                assert (await made.ask())[0] == 200
            go.set()
            await asked
            assert len(made.notes) == 6
            assert sum(note.endswith(busy) for note in made.notes) == 1

    asyncio.run(steps())


def test_what_is_no_http_is_refused() -> None:
    """The connection ends with 400, and the next one is served."""

    async def steps() -> None:
        async with site() as made:
            await becomes(await made.add(), "healthy")
            reader, writer = await asyncio.open_connection("127.0.0.1", made.balancer.port)
            writer.write(b"\x16\x03\x01 hello\r\n\r\n")
            assert (await reader.readline()).startswith(b"HTTP/1.1 400 ")
            writer.close()
            assert (await made.ask())[0] == 200

    asyncio.run(steps())


def test_a_client_that_leaves_takes_nothing_with_it() -> None:
    """Half a request, then gone: the target is let go of, and serves the next."""

    async def steps() -> None:
        async with site() as made:
            target = await made.add()
            await becomes(target, "healthy")
            _, writer = await asyncio.open_connection("127.0.0.1", made.balancer.port)
            writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            while not target.outstanding:
                await asyncio.sleep(0.01)
            writer.close()
            async with asyncio.timeout(60):
                while target.outstanding:
                    await asyncio.sleep(0.01)
            assert (await made.ask())[0] == 200

    asyncio.run(steps())


def test_many_clients_at_once() -> None:
    """Two hundred requests from forty connections at a time are each answered once."""

    async def steps() -> None:
        async with site() as made:
            for each in (await made.add(), await made.add()):
                await becomes(each, "healthy")
            limit = asyncio.Semaphore(40)

            async def one() -> int:
                async with limit:
                    return (await made.ask("/", "POST", b"y" * 1000))[0]

            statuses = await asyncio.gather(*(one() for _ in range(200)))
            assert set(statuses) == {200}
            assert len(made.notes) == 200

    asyncio.run(steps())
