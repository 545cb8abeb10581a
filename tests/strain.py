"""What takes hours: `python -m tests.strain kill 500` and `python -m tests.strain fuzz 100000`.

Both say what failed, and end with 1 if anything did. `--seed` gives other places and other documents.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from mlopsgen.artifacts import Artifact, compare, write
from mlopsgen.compile import artifacts, compile_pipeline
from mlopsgen.manifest import STAGE
from tests import described, test_fuzz

PIPELINE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: %s}
  images: [{name: %s, context: app, python: {command: [serve]}}]
  services: [{name: %s, image: %s}]
  environments: {dev: {}, %s: {}}
"""

OPERATIONS = ("open", "os.link", "os.mkdir", "os.remove", "os.rename", "os.rmdir")
"""What of a build changes the disk, as Python's audit events call it."""


def main() -> int:
    """Kill builds or try documents, as many as are asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.strain", description=__doc__)
    parser.add_argument("what", choices=("kill", "fuzz"))
    parser.add_argument("times", type=int)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    faults: Counter[str] = Counter()
    started = time.monotonic()
    for fault in (kill if options.what == "kill" else fuzz)(options.times, options.seed):
        faults[fault] += 1
        if faults[fault] == 1:
            print(f"FAULT: {fault}", flush=True)
    for fault, count in faults.most_common():
        print(f"{count} times: {fault}")
    print(f"{options.times} tried, {faults.total()} faults, {time.monotonic() - started:.0f} s")
    return 1 if faults else 0


def kill(times: int, number: int) -> Iterator[str]:
    """Builds over another build's output, or over nothing, each killed before one of its operations."""
    chance = random.Random(number)
    before = built("eu-west-1", "app", "api", "app", "prod")
    after = built("eu-west-3", "other", "web", "other", "live")
    with tempfile.TemporaryDirectory() as name:
        first = Path(name) / "first"
        write(before, first)
        lengths = {start: killed(Path(name), start, after, 10**6)[0] for start in (first, None)}
        for turn in range(times):
            start = first if turn % 3 else None
            at = chance.randrange(1, lengths[start] + 1)
            _, output = killed(Path(name), start, after, at)
            for fault in wrong(output, before, after, back=chance.random() < 0.5):
                yield f"{fault} (killed before operation {at} of {lengths[start]})"
            shutil.rmtree(output)


def built(*words: str) -> tuple[Artifact, ...]:
    region, image, service, used, environment = words
    text = PIPELINE % (region, image, service, used, environment)
    return artifacts(compile_pipeline(text, "pipeline.yaml"), {"pipeline.yaml": str(words)})


def killed(folder: Path, start: Path | None, wanted: tuple[Artifact, ...], at: int) -> tuple[int, Path]:
    """How many operations a build did before it ended or was killed, and the folder that it leaves."""
    output = folder / "output"
    if start:
        shutil.copytree(start, output)
    stranger = output / "dev" / "NOTES.md"
    stranger.parent.mkdir(parents=True, exist_ok=True)
    stranger.write_text("precious")
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        done = 0

        def count(event: str, given: tuple[Any, ...]) -> None:
            nonlocal done
            if event in OPERATIONS:
                done += 1
                os.write(writing, b".")
                if done == at:
                    os.kill(os.getpid(), signal.SIGKILL)

        sys.addaudithook(count)
        write(wanted, output)
        os._exit(0)
    os.close(writing)
    with open(reading, "rb") as pipe:  # noqa: PTH123 - it has no path
        operations = len(pipe.read())
    os.waitpid(child, 0)
    if at == 10**6:
        shutil.rmtree(output)
    return operations, output


def wrong(
    output: Path, before: tuple[Artifact, ...], after: tuple[Artifact, ...], *, back: bool
) -> Iterator[str]:
    """What a kill broke, and what the next build, forwards or back, did not mend."""
    contents = {each.content for each in (*before, *after)}
    for path in (each for each in output.rglob("*") if each.is_file() and STAGE not in each.parts):
        ours = path.name != "NOTES.md"
        if ours and path.name != "manifest.json" and path.read_bytes() not in contents:
            yield f"{path.name} is torn"
    if strange := {each.kind for each in compare(after, output)} & {"in the way", "edited"}:
        yield f"--check says {sorted(strange)}"
    wanted = before if back else after
    write(wanted, output)
    found = {path.relative_to(output).as_posix(): path for path in output.rglob("*")}
    files = {path: at.read_bytes() for path, at in found.items() if at.is_file()}
    if files.pop("dev/NOTES.md", None) != b"precious":
        yield "a foreign file is gone"
    if files != {each.path: each.content for each in wanted}:
        yield f"the next build left {sorted(files.keys() ^ {each.path for each in wanted})[:3]}"
    if empty := [path for path, at in found.items() if at.is_dir() and not any(at.iterdir())]:
        yield f"empty folders stay: {empty[:3]}"
    if compare(wanted, output):
        yield "--check is not content after the next build"


SHARES = {"changed": 7, "any": 2, "characters": 0.5, "values": 0.5}
"""How much of all documents is of each kind."""

SLOW = 5.0
"""Seconds of CPU for one document."""


def fuzz(times: int, number: int) -> Iterator[str]:
    """Documents of every kind that the tests know, through the compiler."""
    kinds: dict[str, st.SearchStrategy[str]] = {
        "changed": test_fuzz.mutated(),
        "any": described.documents(test_fuzz.VALUES, test_fuzz.words()).map(as_text),
        "characters": test_fuzz.YAML,
        "values": test_fuzz.VALUES.map(as_text),
    }
    counted: Counter[str] = Counter()
    for kind, texts in kinds.items():
        found: list[str] = []
        # What is likely to be built goes through every room; what is not ends in the first.
        share = round(times * SHARES[kind] / sum(SHARES.values()))
        tried(kind, texts, share, number, found, counted)
        yield from found
    print(", ".join(f"{count} {word}" for word, count in sorted(counted.items())))


def tried(
    kind: str,
    texts: st.SearchStrategy[str],
    share: int,
    number: int,
    found: list[str],
    counted: Counter[str],
) -> None:
    def one(text: str) -> None:
        began = time.process_time()
        try:
            compiled = test_fuzz.survives(text)
        except Exception as error:
            found.append(f"{kind}: {type(error).__name__}: {error}: {text[:2000]!r}")
            return
        counted[f"{kind} {'built' if compiled else 'rejected'}"] += 1
        if (took := time.process_time() - began) > SLOW:
            found.append(f"{kind}: {took:.1f} s: {text[:2000]!r}")

    check = settings(
        max_examples=share, deadline=None, database=None, suppress_health_check=list(HealthCheck)
    )
    run: Callable[[], None] = seed(number)(check(given(texts)(one)))
    run()


def as_text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    sys.exit(main())
