"""`python -m tests.containers.check`: the generated Dockerfiles, built by an engine and run as ECS would.

Needs an engine that answers. Prints what was seen; ends with 1 at the first that is not as it has to be.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mlopsgen.local.containers import find_engine
from mlopsgen.local.state import LABEL
from mlopsgen.local.tasks import free_port
from tests.local.running import Up, local, predict, processes, project, status, until

ROOT = Path(__file__).parents[2]
BUILD = 900
"""Seconds that building and training may take."""

ENGINE = find_engine()


def engine(*words: str) -> subprocess.CompletedProcess[str]:
    """Ask the engine."""
    return subprocess.run([ENGINE, *words], stdin=subprocess.DEVNULL, capture_output=True, text=True)


def holds(what: str, truth: object) -> None:
    """Say what is so, or end."""
    if not truth:
        sys.exit(f"tests/containers: NOT SO: {what}")
    print(f"  {what}", flush=True)


@contextmanager
def up(folder: Path, *options: str) -> Iterator[Up]:
    """`mlopsgen local up --containers` in `folder`, serving."""
    running = Up(folder, "--containers", "--port", "0", *options)
    try:
        running.says("Ctrl-C stops all of it.", BUILD)
        yield running
    finally:
        running.end()


def containers(name: str) -> list[dict[str, Any]]:
    """What the engine knows of the running containers of task `name`."""
    ids = engine("ps", "--quiet", "--filter", f"label={LABEL}", "--filter", f"name={name}").stdout.split()
    return json.loads(engine("inspect", *ids).stdout) if ids else []


def as_defined(found: dict[str, Any], user: str, megabytes: int, health: bool) -> None:
    """The container is what its task definition says."""
    id_, host = found["Id"], found["HostConfig"]
    holds(f"the user is {user}, not root", engine("exec", id_, "id", "-u").stdout.strip() == user)
    holds("the root file system is read-only", host["ReadonlyRootfs"])
    refused = engine("exec", id_, "sh", "-c", "touch /srv/x || touch /opt/x || touch /x")
    holds("nothing can be written beside /tmp", "Read-only file system" in refused.stderr)
    holds("/tmp can be written", engine("exec", id_, "sh", "-c", "touch /tmp/x").returncode == 0)
    holds(f"the memory limit is {megabytes} MB", host["Memory"] == megabytes * 2**20)
    holds("all capabilities are dropped", "ALL" in host["CapDrop"])
    effective = engine("exec", id_, "sh", "-c", "grep CapEff /proc/self/status").stdout.split()
    holds("and none is left", effective and int(effective[1], 16) == 0)
    if health:
        state = until(
            lambda: (
                (s := containers(found["Name"].lstrip("/"))[0]["State"]["Health"]["Status"]) != "starting"
                and s
            ),
            "the engine's health check has an outcome",
            60,
        )
        holds("the health check of the task definition is good", state == "healthy")


def small(folder: Path) -> None:
    """The small project: isolation, draining, replacement, and that nothing is left."""
    where = project(folder)
    with up(where, "--data", "reviews.txt") as running:
        print("the small project, in containers:")
        for each in ("building the image train: done", "building the image app: done", "accuracy 0.9"):
            holds(each, each in running.output)
        url = status(where)["urls"]["public"]
        holds("it answers through the load balancer", predict(url, "good film")[1].get("known") == 3)
        found = containers("adder")
        holds("two containers serve", len(found) == 2)
        as_defined(found[0], "10001", 2048, health=True)
        drains(where, found[0])
        until(
            lambda: [t["state"] for t in status(where)["services"][0]["tasks"]] == ["healthy"] * 2,
            "another container took its place",
        )
        holds("another container took its place", len(containers("adder")) == 2)
        trained = local(where, "train")
        holds("training again replaces the containers in turn", "adder serves" in trained.stdout)
        running.interrupt()
        nothing_left(where)
    running = Up(where, "--containers", "--port", "0", "--parameter", "seconds=600")
    try:
        running.says("started  accuracy", BUILD)
        running.process.kill()
        running.process.wait()
        until(lambda: not containers("tiny-dev"), "all containers are gone", 30)
        holds("kill -9 of the run leaves no container", True)
    finally:
        running.end()


def drains(where: Path, found: dict[str, Any]) -> None:
    """SIGTERM lets the container finish what it has in hand."""
    port = next(
        task["port"] for task in status(where)["services"][0]["tasks"] if found["Name"].endswith(task["id"])
    )
    answers: list[tuple[int, dict[str, Any]]] = []
    asking = threading.Thread(target=lambda: answers.append(predict(f"http://127.0.0.1:{port}", "good", 3)))
    asking.start()
    time.sleep(1)
    engine("kill", "--signal", "TERM", found["Id"])
    asking.join()
    holds("SIGTERM lets a request in hand be answered", answers[0][0] == 200)


def nothing_left(where: Path) -> None:
    """No container, no process."""
    holds("Ctrl-C leaves no container", not containers("tiny-dev"))
    holds("and no process", not processes(where))


def volumes(folder: Path) -> None:
    """Volumes in containers of any user, and images with a Dockerfile of their own."""
    where = folder / "wide"
    shutil.copytree(ROOT / "tests" / "local" / "wide", where)
    pipeline = where / "pipeline.yaml"
    # No registry has to be reached for what is built here.
    lines = [each for each in pipeline.read_text().splitlines() if "redis" not in each]
    pipeline.write_text("\n".join(lines).replace("9000", str(free_port())) + "\n")
    with up(where) as running:
        print("a pipeline with volumes, in containers:")
        written = local(where, "train", "writer")
        holds("a job writes to a volume as its own user", written.returncode == 0)
        note = where / ".mlopsgen" / "volumes" / "default" / "notes" / "today" / "note.txt"
        holds("which is a folder of this machine", note.read_text() == "remember")
        url = f"{status(where)['urls']['public']}/a"
        answer = urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=30).read()
        holds("a service reads what the job wrote", answer == b"main /a remember")
        [found] = containers("front")
        refused = engine("exec", found["Id"], "touch", "/notes/x").stderr
        holds("and cannot write there, since it mounts it read-only", "Read-only file system" in refused)
        boxed = local(where, "train", "boxed").stdout
        holds("another user may write to space of the task's own", "\nnote\n1234\n" in boxed)
        running.interrupt()
        holds("Ctrl-C leaves no container", not containers("wide-default"))


def whole(folder: Path) -> None:
    """The pipeline's own images: train, publish, serve."""
    where = folder / "pipeline"
    where.mkdir()
    shutil.copy(ROOT / "pipeline.yaml", where)
    for each in ("app", "train"):
        shutil.copytree(ROOT / each, where / each, ignore=shutil.ignore_patterns("__pycache__"))
    small_data = ("architecture=bow", "syntheticTrain=400", "syntheticTest=100")
    options = [word for each in small_data for word in ("--parameter", each)]
    with up(where, *options, "--minimum", "accuracy=0.5") as running:
        print("the pipeline's own images:")
        for line in running.output.splitlines():
            if "done in" in line and "..." not in line:
                print(f"  {line}")
        url = status(where)["urls"]["public"]
        holds("it answers through the load balancer", predict(url, "a wonderful film", None)[0] == 200)
        [found] = containers("sentiment-api")
        as_defined(found, "10001", 2048, health=True)
        for each in ("sentiment-api", "sentiment-trainer"):
            size = engine(
                "image", "inspect", "--format", "{{.Size}}", f"imdb-sentiment-dev/{each}:local"
            ).stdout
            print(f"  image {each}: {int(size) / 1e6:.0f} MB")
        began = time.monotonic()
        engine("stop", found["Id"])
        holds(
            f"SIGTERM ends it within its time ({time.monotonic() - began:.1f} s)",
            time.monotonic() - began < 30,
        )


CHECKS: dict[str, tuple[Callable[[Path], None], ...]] = {
    "all": (small, volumes, whole),
    "small": (small, volumes),
    "whole": (whole,),
}


def main(which: str) -> None:
    """Run the checks of that name."""
    version = engine("version", "--format", "{{.Server.Version}}").stdout.strip()
    print(f"tests/containers: with {ENGINE} {version}")
    for check in CHECKS[which]:
        with tempfile.TemporaryDirectory() as folder:
            check(Path(folder))
    print("tests/containers: all of it holds")


if __name__ == "__main__":
    main(sys.argv[1] if sys.argv[1:] else "all")
