"""How fast `mlopsgen build` is, beside what it cannot avoid and beside `cdk synth` of an equal app.

    .venv/bin/python benchmarks/build/run.py            # everything; npm is needed for the peer
    .venv/bin/python benchmarks/build/run.py --no-peer

Each command is a process of its own; CPU time (user + system) and wall time are the operating system's
accounting of that process and its children. The commands take turns, so that a change in the machine's
speed touches all of them; medians are shown, and ratios are taken run by run.

All of Python runs from byte code that an earlier run left, as it does for whoever uses a program twice:
it is kept in a folder of this benchmark's own, since an environment may forbid writing it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = sys.executable
MLOPSGEN = str(Path(PYTHON).with_name("mlopsgen"))
UNAVOIDABLE = "import pydantic, troposphere.ecs, yaml, jinja2; from pydantic import BaseModel"
ENVIRONMENT = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
HEAVY = ("boto3", "botocore", "torch", "transformers", "moto", "cfnlint", "cfn_flip", "numpy")


@dataclass(frozen=True, slots=True)
class Run:
    """One finished process: seconds of CPU, seconds of wall time, and peak memory in MB."""

    cpu: float
    wall: float
    memory: float


@dataclass(frozen=True, slots=True)
class Command:
    """A command, and what has to be undone before each run."""

    name: str
    argv: Sequence[str]
    cwd: Path
    before: Callable[[], None] = lambda: None


def measure(command: Command) -> Run:
    """Run it once. Raises CalledProcessError if it fails."""
    command.before()
    start = time.perf_counter()
    process = subprocess.Popen(
        command.argv, cwd=command.cwd, env=ENVIRONMENT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    stderr = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command.argv, stderr=stderr)
    return Run(usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024)


def compare(commands: Sequence[Command], runs: int) -> dict[str, list[Run]]:
    """Each command `runs` times in turn, after one run of each that does not count."""
    for command in commands:
        measure(command)
    results: dict[str, list[Run]] = {command.name: [] for command in commands}
    for _ in range(runs):
        for command in commands:
            results[command.name].append(measure(command))
    return results


def table(results: dict[str, list[Run]], base: str) -> str:
    """Medians in milliseconds, and the ratio of CPU time to `base`, run by run."""
    lines = [f"| command | CPU ms | wall ms | CPU, times `{base}` |", "|---|--:|--:|--:|"]
    for name, runs in results.items():
        cpu = statistics.median(run.cpu for run in runs) * 1000
        wall = statistics.median(run.wall for run in runs) * 1000
        ratio = statistics.median(run.cpu / other.cpu for run, other in zip(runs, results[base], strict=True))
        lines.append(f"| {name} | {cpu:.0f} | {wall:.0f} | {ratio:.2f} |")
    return "\n".join(lines)


def project(folder: Path) -> Path:
    """A copy of the project's pipeline and of the folders that it builds images from."""
    shutil.copy(ROOT / "pipeline.yaml", folder)
    for context in ("app", "train"):
        shutil.copytree(ROOT / context, folder / context, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def peer(folder: Path) -> Command:
    """`cdk synth` of the same two environments, installed by npm into `folder`."""
    shutil.copy(HERE / "package.json", folder)
    shutil.copy(HERE / "cdk" / "app.js", folder)
    subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=folder, check=True)
    synth = [
        "node_modules/.bin/cdk",
        "synth",
        "--no-validation",
        "--quiet",
        "--app",
        "node app.js",
        "-o",
        "out",
    ]
    return Command("cdk synth --no-validation", synth, folder, lambda: remove(folder / "out"))


def remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)


def single(runs: int, with_peer: bool) -> None:
    """A cold build and an unchanged one, beside the floor and the peer."""
    with tempfile.TemporaryDirectory() as name:
        cold, warm, cdk = (Path(name, each) for each in ("cold", "warm", "cdk"))
        for folder in (cold, warm, cdk):
            folder.mkdir()
        project(cold)
        project(warm)
        build = [MLOPSGEN, "build", "pipeline.yaml"]
        subprocess.run(build, cwd=warm, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
        commands = [
            Command("python -c pass", [PYTHON, "-c", "pass"], cold),
            Command("bare imports", [PYTHON, "-c", UNAVOIDABLE], cold),
            Command("mlopsgen build, cold", build, cold, lambda: remove(cold / "generated")),
            Command("mlopsgen build, unchanged", build, warm),
        ]
        if with_peer:
            commands.append(peer(cdk))
        print(table(compare(commands, runs), "mlopsgen build, cold"))


def many(counts: Sequence[int]) -> None:
    """Time and memory as the number of services grows."""
    print("\n| services | files | CPU s | wall s | peak MB | largest template, bytes |")
    print("|--:|--:|--:|--:|--:|--:|")
    for count in counts:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "pipeline.yaml").write_text(document(count))
            run = measure(Command("", [MLOPSGEN, "build", "pipeline.yaml"], folder))
            files = [path for path in (folder / "generated").rglob("*") if path.is_file()]
            largest = max(path.stat().st_size for path in files if path.parent.name == "stacks")
            cells = (
                f"{count:,}",
                f"{len(files):,}",
                f"{run.cpu:.2f}",
                f"{run.wall:.2f}",
                f"{run.memory:.0f}",
            )
            print("| " + " | ".join((*cells, f"{largest:,}")) + " |")


def document(services: int) -> str:
    """A pipeline of that many services that share one image."""
    head = (
        "apiVersion: mlopsgen.io/v1\nkind: Pipeline\nmetadata: {name: many}\nspec:\n"
        "  aws: {region: eu-west-1}\n  models: [{name: model}]\n  services:\n"
    )
    image = f"example.com/serve@sha256:{'0' * 64}"
    return head + "".join(
        f"    - name: service-{number:04}\n      image: '{image}'\n      loads: [model]\n"
        "      replicas: {min: 2, max: 4, metrics: {cpu: 70%}}\n"
        for number in range(services)
    )


def imports() -> None:
    """Which heavy packages a cold build imports: there should be none."""
    with tempfile.TemporaryDirectory() as name:
        folder = project(Path(name))
        run = subprocess.run(
            [PYTHON, "-X", "importtime", MLOPSGEN, "build", "pipeline.yaml"],
            cwd=folder, env=ENVIRONMENT, check=True, capture_output=True, text=True,
        )  # fmt: skip
    rows = [line.split("|") for line in run.stderr.splitlines() if line.startswith("import time:")]
    names = {row[2].strip() for row in rows}
    found = sorted(heavy for heavy in HEAVY if any(each.split(".")[0] == heavy for each in names))
    print(f"\n{len(names)} modules imported; heavy ones among them: {', '.join(found) or 'none'}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=11)
    parser.add_argument("--no-peer", action="store_true", help="leave `cdk synth` out")
    parser.add_argument("--services", type=int, nargs="*", default=[1, 10, 100, 1000])
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        ENVIRONMENT["PYTHONPYCACHEPREFIX"] = cache
        single(arguments.runs, not arguments.no_peer)
        many(arguments.services)
        imports()


if __name__ == "__main__":
    main()
