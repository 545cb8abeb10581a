"""How fast the service answers, beside what one would write or take instead, in one run.

    python benchmarks/serve/model.py /tmp/models
    python benchmarks/serve/run.py /tmp/models --peers PEERS/bin/python --out results.json

Needs wrk. Servers and load share this machine's cores. Each server is started anew in each round; of the
rounds the one with the highest throughput counts, since whatever else runs here only ever takes away. The
CPU time for one request hardly depends on that.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Server:
    """What is measured: a command, and the variables that it needs."""

    name: str
    command: tuple[str, ...]
    variables: dict[str, str] = field(default_factory=dict)
    folder: Path = ROOT


def servers(models: Path, store: str, peers: str, ours: str) -> Iterator[Server]:
    """Ours and the others, for the model in `store`."""
    version = models / store / json.loads((models / store / "current.json").read_text())["version"]
    manifest = json.loads((version / "manifest.json").read_text())
    name = {"MODEL_NAME": manifest["name"], "MODEL_URI": str(models / store)}
    # As many requests as the load has connections must wait: a refusal is no answer here.
    name |= {"QUEUE_SECONDS": "60", "REQUEST_TIMEOUT_SECONDS": "120", "PYTHONPATH": str(ROOT)}
    for precision in ("int8", "fp32") if "onnxInt8" in manifest["runtime"] else ("fp32",):
        yield Server(f"ours, {precision}", (ours, "-m", "app"), name | {"PRECISION": precision})
    # The same, but that a lone text gets one core like all others.
    single = name | {"LONE_THREADS": "1"}
    yield Server("ours, one core for a lone text", (ours, "-m", "app"), single)
    hub = models / "hub"
    if store == "store" and hub.exists():
        yield Server(
            "FastAPI + transformers pipeline", (peers, "plain.py"), {"MODEL": str(hub)}, HERE / "peers"
        )
        yield Server(
            "LitServe + transformers pipeline", (peers, "lit.py"), {"MODEL": str(hub)}, HERE / "peers"
        )
        bento = (peers, "-m", "bentoml", "serve", "bento:Classifier", "--host", "127.0.0.1", "--port", "PORT")
        yield Server("BentoML + transformers pipeline", bento, {"MODEL": str(hub)}, HERE / "peers")
    onnx = {"MODEL": str(version)}
    precision = "int8" if "onnxInt8" in manifest["runtime"] else "fp32"
    yield Server(f"FastAPI + ONNX Runtime, {precision}", (peers, "plain.py"), onnx, HERE / "peers")
    yield Server(f"LitServe + ONNX Runtime, {precision}", (peers, "lit.py"), onnx, HERE / "peers")
    bento = (peers, "-m", "bentoml", "serve", "bento:Classifier", "--host", "127.0.0.1", "--port", "PORT")
    yield Server(f"BentoML + ONNX Runtime, {precision}", bento, onnx, HERE / "peers")


@contextmanager
def started(server: Server, log: Path) -> Iterator[tuple[subprocess.Popen, int, float]]:
    """The server's process, its port, and the seconds until its first answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    variables = {"PORT": str(port), "HOST": "127.0.0.1", "TOKENIZERS_PARALLELISM": "false"} | server.variables
    keep = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = [str(port) if word == "PORT" else word for word in server.command]
    begun = time.perf_counter()
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=server.folder,
            env=keep | variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        while not answers(port):
            if process.poll() is not None or time.perf_counter() - begun > 120:
                raise SystemExit(f"{server.name} does not start: see {log}")
            time.sleep(0.01)
        yield process, port, time.perf_counter() - begun
    finally:
        for each in family(process):
            with suppress(ProcessLookupError):
                os.kill(int(each.name), signal.SIGKILL)
        process.wait()


def answers(port: int) -> bool:
    """Whether a prediction is answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        body = json.dumps({"text": "A quiet film."})
        connection.request("POST", "/predict", body, {"Content-Type": "application/json"})
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def family(process: subprocess.Popen) -> list[Path]:
    """The process and all that came of it."""
    parents: dict[int, int] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    found = [process.pid]
    for each in found:
        found += [child for child, parent in parents.items() if parent == each]
    return [Path("/proc") / str(each) for each in found if each in parents]


def memory(process: subprocess.Popen) -> float:
    """Megabytes resident, what processes share counted once."""
    total = 0
    for each in family(process):
        for line in (each / "smaps_rollup").read_text().splitlines():
            total += int(line.split()[1]) if line.startswith("Pss:") else 0
    return total / 1000


def cpu(process: subprocess.Popen) -> float:
    """CPU seconds used so far."""
    fields = [(each / "stat").read_text().rpartition(")")[2].split() for each in family(process)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICK


def load(port: int, connections: int, seconds: float) -> dict:
    """What wrk sees."""
    options = {"threads": 1, "connections": connections, "timeout": "120s", "duration": f"{seconds:g}s"}
    command = ["wrk", *(f"--{name}={value}" for name, value in options.items())]
    command += ["--script", str(HERE / "reviews.lua"), f"http://127.0.0.1:{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = json.loads(done.stdout.strip().splitlines()[-1])
    # A refusal is no answer.
    return seen | {"rps": (seen["requests"] - seen["errors"]) / seen["seconds"]}


def measure(server: Server, concurrencies: list[int], seconds: float, log: Path) -> dict:
    """One server, started anew: cold start, memory, and each concurrency."""
    with started(server, log) as (process, port, cold):
        result = {"cold": cold, "memory": memory(process), "load": {}}
        load(port, 2, 2)
        for connections in concurrencies:
            before = cpu(process)
            seen = load(port, connections, seconds)
            seen["cpu"] = 1000 * (cpu(process) - before) / max(1, seen["requests"])
            result["load"][connections] = seen
        result["memoryAfter"] = memory(process)
    return result


def bare(models: Path, store: str, python: str, seconds: float) -> Iterator[tuple[str, dict]]:
    """The model alone."""
    version = models / store / json.loads((models / store / "current.json").read_text())["version"]
    runtime = json.loads((version / "manifest.json").read_text())["runtime"]
    for key, name in (("onnxInt8", "int8"), ("onnx", "fp32")):
        if key in runtime:
            command = [python, str(HERE / "bare.py"), str(version), runtime[key], str(seconds)]
            seen = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
            rate = {"rps": seen["requests"] / seen["seconds"], "cpu": 1000 * seen["cpu"] / seen["requests"]}
            yield f"the bare model, {name}", rate


def merge(best: dict, seen: dict) -> None:
    """Keep the better of two rounds: highest throughput, least time and memory."""
    best.setdefault("load", {})
    best["cold"] = min(best.get("cold", 1e9), seen["cold"])
    first = min(seen["load"])
    best.setdefault("rounds", []).append(seen["load"][first]["p50"])
    for key in ("memory", "memoryAfter"):
        best[key] = min(best.get(key, 1e9), seen[key])
    for connections, each in seen["load"].items():
        if each["rps"] > best["load"].get(connections, {"rps": -1})["rps"]:
            best["load"][connections] = each


def bodies(to: Path, count: int) -> None:
    """Real reviews, spread over the test set, with short and long ones always mixed alike.

    However far a run gets, it has then seen the same lengths as every other: of reviews by length, each
    next one is a golden section of the whole further on.
    """
    from model import reviews

    texts = reviews()
    chosen = sorted(texts[:: len(texts) // count][:count], key=len)
    order = sorted(range(count), key=lambda each: each * (5**0.5 - 1) / 2 % 1)
    with to.open("w") as file:
        for each in order:
            print(json.dumps({"text": chosen[each]}), file=file)


def table(results: dict[str, dict], limits: dict[str, dict], concurrencies: list[int]) -> str:
    """As Markdown."""
    heads = [
        "",
        *(f"requests/s, p50, p99 ms at {each}" for each in concurrencies),
        "CPU ms/request",
        "cold start s",
        "MB",
    ]
    lines = ["| " + " | ".join(heads) + " |", "|---" * len(heads) + "|"]
    for name, each in limits.items():
        lines.append(
            f"| {name} |" + " |" * (len(concurrencies) - 1) + f" {each['rps']:.1f} | {each['cpu']:.1f} | | |"
        )
    for name, each in results.items():
        cells = [
            f"{one['rps']:.1f}, {one['p50']:.0f}, {one['p99']:.0f}"
            + (f", {one['errors']} errors" if one["errors"] else "")
            for one in each["load"].values()
        ]
        last = list(each["load"].values())[-1]
        cells += [
            f"{last['cpu']:.1f}",
            f"{each['cold']:.2f}",
            f"{each['memory']:.0f} to {each['memoryAfter']:.0f}",
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", type=Path, help="what model.py wrote")
    parser.add_argument("--store", default="store", help="the model store in it (store)")
    parser.add_argument("--peers", default=sys.executable, help="a Python with requirements.txt installed")
    parser.add_argument("--ours", default=sys.executable, help="a Python with app/requirements.txt installed")
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--concurrency", type=int, nargs="+", default=[1, 8, 32])
    parser.add_argument("--only", default="", help="servers whose name holds this")
    parser.add_argument("--reviews", type=int, default=500)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["BODIES"] = str(Path(scratch) / "bodies")
        bodies(Path(scratch) / "bodies", given.reviews)
        log = Path(scratch) / "log"
        results: dict[str, dict] = {}
        limits: dict[str, dict] = {}
        for _ in range(given.rounds):
            for name, seen in bare(given.models, given.store, given.ours, given.seconds):
                if seen["rps"] > limits.get(name, {"rps": 0})["rps"]:
                    limits[name] = seen
            for server in servers(given.models, given.store, given.peers, given.ours):
                if given.only not in server.name:
                    continue
                try:
                    merge(
                        results.setdefault(server.name, {}),
                        measure(server, given.concurrency, given.seconds, log),
                    )
                except SystemExit:
                    print(log.read_text()[-3000:], file=sys.stderr)
                    raise
                print(server.name, json.dumps(results[server.name]), file=sys.stderr, flush=True)
        print(table(results, limits, given.concurrency))
        print(f"\np50 ms at {min(given.concurrency)}, round by round:")
        for name, each in results.items():
            print(f"{name}: {', '.join(f'{p50:.1f}' for p50 in each['rounds'])}")
        if given.out:
            given.out.write_text(json.dumps({"limits": limits, "servers": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
