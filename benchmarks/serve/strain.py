"""The service under strain: twice the load that it can bear, a swap of models, a rolling restart.

    python benchmarks/serve/strain.py /tmp/models overload
    python benchmarks/serve/strain.py /tmp/models swap
    python benchmarks/serve/strain.py /tmp/models restart      # needs haproxy

Requests are sent at a given rate with random gaps, as many people send them (a Poisson process, the same in
each run), whether or not earlier ones were answered, and each is timed from when it was due. Servers and load
share this machine's cores.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from run import ROOT, Server, answers, bodies, load, started

HEAD = b"POST /predict HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"


@dataclass(frozen=True)
class Answer:
    """What became of one request: its status, or 0 if the connection failed; and the seconds it took."""

    status: int
    seconds: float


class Client:
    """Sends requests to one port and keeps connections."""

    def __init__(self, port: int) -> None:
        lines = Path(os.environ["BODIES"]).read_bytes().splitlines()
        self._port = port
        self._bodies = itertools.cycle(lines)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def ask(self, due: float) -> Answer:
        """Send the next review."""
        try:
            status = await asyncio.wait_for(self._exchange(next(self._bodies)), 60)
        except (OSError, EOFError, TimeoutError):
            status = 0
        return Answer(status, time.perf_counter() - due)

    async def _exchange(self, body: bytes) -> int:
        fresh = not self._idle
        reader, writer = self._idle.pop() if self._idle else await self._connect()
        try:
            writer.write(HEAD % len(body) + body)
            answer = await reader.readuntil(b"\r\n\r\n")
        except (OSError, EOFError):
            writer.close()
            if fresh:
                raise
            # A kept connection that the other side has closed: every client asks again on a new one.
            return await self._exchange(body)
        headers = answer.lower()
        length = int(headers.split(b"content-length:")[1].split(b"\r\n")[0])
        await reader.readexactly(length)
        if b"connection: close" in headers:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(answer[9:12])

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)


async def flow(
    port: int, rate: float, seconds: float, meanwhile: Callable[[], Awaitable[None]] | None = None
) -> list[Answer]:
    """Send `rate` requests a second for `seconds`, or until `meanwhile` is done."""
    client, gaps = Client(port), random.Random(0)
    due = begun = time.perf_counter()
    other = asyncio.ensure_future(meanwhile()) if meanwhile else None
    tasks: list[asyncio.Task[Answer]] = []
    while True:
        due += gaps.expovariate(rate)
        if due - begun > seconds or (other and other.done()):
            break
        await asyncio.sleep(max(0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(client.ask(due)))
    answered = await asyncio.gather(*tasks)
    if other:
        await other
    return answered


def summary(what: str, found: list[Answer]) -> str:
    """One line."""
    counts = Counter(each.status for each in found)
    parts = [f"{what}: {len(found)} sent"]
    for status, count in sorted(counts.items()):
        times = sorted(each.seconds for each in found if each.status == status)
        p50, p99 = (1000 * times[int(share * (len(times) - 1))] for share in (0.5, 0.99))
        parts.append(f"{count} x {status or 'lost'} (p50 {p50:.0f} ms, p99 {p99:.0f} ms)")
    return ", ".join(parts)


def ours(python: str, store: Path, **variables: str) -> Server:
    """The service, as it is deployed."""
    name = json.loads(next(store.glob("*/manifest.json")).read_text())["name"]
    given = {"MODEL_NAME": name, "MODEL_URI": str(store), "PYTHONPATH": str(ROOT), "POLL_SECONDS": "0.5"}
    return Server("ours", (python, "-m", "app"), given | variables)


def overload(python: str, store: Path, seconds: float, log: Path, shares: Sequence[float]) -> None:
    """Less than it can bear, nearly as much, and twice that, for a minute each."""
    with started(ours(python, store), log) as (_, port, _):
        load(port, 2, 2)
        sustainable = load(port, 16, 8)["rps"]
        print(f"sustainable: {sustainable:.1f} requests/s")
        for share in shares:
            found = asyncio.run(flow(port, share * sustainable, seconds))
            print(summary(f"at {share:g} times that, for {seconds:g} s", found), flush=True)
        assert answers(port)


def swap(python: str, store: Path, seconds: float, log: Path) -> None:
    """Another version becomes current every three seconds."""
    with twice(store) as (copy, versions), started(ours(python, copy), log) as (_, port, _):
        rate = 0.6 * load(port, 8, 5)["rps"]

        async def change() -> None:
            end = time.perf_counter() + seconds
            for version in itertools.cycle(reversed(versions)):
                if time.perf_counter() > end:
                    return
                (copy / "next.json").write_text(pointer(copy, version))
                (copy / "next.json").replace(copy / "current.json")
                await asyncio.sleep(3)

        print(summary(f"without a swap, {rate:.1f}/s", asyncio.run(flow(port, rate, seconds))), flush=True)
        print(summary("while versions change", asyncio.run(flow(port, rate, 1e9, change))))
        changed = log.read_text().count('"event":"model loaded"') - 1
        print(f"swaps: {changed}")


def pointer(store: Path, version: str) -> str:
    """What `current.json` holds for a version."""
    digest = hashlib.sha256((store / version / "manifest.json").read_bytes()).hexdigest()
    return json.dumps({"version": version, "manifestSha256": digest})


@contextmanager
def twice(store: Path) -> Iterator[tuple[Path, list[str]]]:
    """A copy of the store with its version under two names."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "store"
        original = next(store.glob("*/manifest.json")).parent
        manifest = json.loads((original / "manifest.json").read_text())
        versions = [f"{original.name}-{letter}" for letter in "ab"]
        for version in versions:
            shutil.copytree(original, copy / version)
            (copy / version / "manifest.json").write_text(json.dumps(manifest | {"version": version}))
        (copy / "current.json").write_text(pointer(copy, versions[0]))
        yield copy, versions


BALANCER = """
defaults
  mode http
  timeout connect 2s
  timeout client 90s
  timeout server 90s
  # Nothing is sent twice: what a task loses is seen.
  retries 0
frontend in
  bind 127.0.0.1:{port}
  default_backend tasks
backend tasks
  balance roundrobin
  option httpchk GET /ready
  default-server check inter 300ms fall 1 rise 1
{servers}
"""


def restart(python: str, store: Path, seconds: float, log: Path) -> None:
    """Two tasks behind a balancer, each replaced in turn, as a rolling deployment does."""
    ports = [19081, 19082]
    with tempfile.TemporaryDirectory() as folder:
        servers = "\n".join(f"  server task{port} 127.0.0.1:{port}" for port in ports)
        config = Path(folder) / "haproxy.cfg"
        config.write_text(BALANCER.format(port=19080, servers=servers))
        variables = {
            str(port): ours(python, store, PORT=str(port), HOST="127.0.0.1").variables for port in ports
        }

        def begin(port: int) -> subprocess.Popen:
            keep = {"PATH": os.environ["PATH"]}
            with log.open("ab") as output:
                return subprocess.Popen(
                    [python, "-m", "app"],
                    cwd=ROOT,
                    env=keep | variables[str(port)],
                    stdout=output,
                    stderr=output,
                )

        tasks = {port: begin(port) for port in ports}
        balancer = subprocess.Popen(["haproxy", "-f", str(config)], stderr=subprocess.DEVNULL)
        try:
            for port in (*ports, 19080):
                while not answers(port):
                    time.sleep(0.1)
            rate = 0.4 * load(19080, 8, 5)["rps"]

            async def replace() -> None:
                for _ in range(2):
                    for port in ports:
                        tasks[port].send_signal(signal.SIGTERM)
                        code = await asyncio.to_thread(tasks[port].wait)
                        assert code == 0, code
                        tasks[port] = begin(port)
                        while not await asyncio.to_thread(answers, port):
                            await asyncio.sleep(0.1)
                        # Until the balancer has seen it.
                        await asyncio.sleep(1)

            print(
                summary(f"without a restart, {rate:.1f}/s", asyncio.run(flow(19080, rate, seconds))),
                flush=True,
            )
            print(summary("while four tasks are replaced", asyncio.run(flow(19080, rate, 1e9, replace))))
        finally:
            for process in (balancer, *tasks.values()):
                with suppress(ProcessLookupError):
                    process.kill()
                process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, help="what model.py wrote")
    parser.add_argument("strain", choices=["overload", "swap", "restart"])
    parser.add_argument("--store", default="store", help="the model store in it (store)")
    parser.add_argument("--ours", default=sys.executable, help="a Python with app/requirements.txt installed")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument(
        "--shares", type=float, nargs="+", default=[0.7, 0.9, 2], help="overload: of the sustainable rate"
    )
    given = parser.parse_args()
    strains = {"overload": partial(overload, shares=given.shares), "swap": swap, "restart": restart}
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["BODIES"] = str(Path(scratch) / "bodies")
        bodies(Path(scratch) / "bodies", 500)
        strains[given.strain](given.ours, given.models / given.store, given.seconds, Path(scratch) / "log")


if __name__ == "__main__":
    main()
