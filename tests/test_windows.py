"""Compiling where Python has none of Unix's modules, and where Git checks text out with other line ends."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mlopsgen import artifacts
from tests.tools import ROOT

WINDOWS = """
import os, runpy, signal, sys, types

for name in ("fcntl", "grp", "pwd", "resource", "termios"):
    sys.modules[name] = None
for name in ("SIGHUP", "pthread_sigmask", "sigwait", "alarm"):
    delattr(signal, name)
for name in ("O_DIRECTORY", "O_NOFOLLOW", "fork", "geteuid", "getuid", "uname"):
    delattr(os, name)

msvcrt = types.ModuleType("msvcrt")
msvcrt.LK_LOCK = 1
msvcrt.locking = lambda handle, mode, length: os.lockf(handle, os.F_LOCK, length)
sys.modules["msvcrt"] = msvcrt

sys.argv[0] = "mlopsgen"
runpy.run_module("mlopsgen", run_name="__main__")
"""
"""What the command sees there: the modules are missing, and files are locked by `msvcrt`."""


def start(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start the command as on Windows, with a temporary folder and a cache of its own."""
    (folder / "tmp").mkdir(exist_ok=True)
    own = {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder / "tmp"), "XDG_CACHE_HOME": str(folder / "cache")}
    return subprocess.Popen(
        [sys.executable, "-c", WINDOWS, *words],
        cwd=folder, env=os.environ | own, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def run(folder: Path, *words: str) -> str:
    """What it says, once it has ended well."""
    process = start(folder, *words)
    out, err = process.communicate()
    assert (process.returncode, err) == (0, "")
    return out


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """What `init` starts there."""
    assert "demo" in run(tmp_path, "init", "demo")
    return tmp_path / "demo"


def test_everything_but_local_works(project: Path):
    """Each command that only reads and compiles."""
    assert run(project, "validate") == "pipeline.yaml: nothing is wrong\n"
    assert "written" in run(project, "build")
    assert run(project, "build", "--check") == "generated: up to date\n"
    assert not (project / "generated" / ".mlopsgen-build").exists()
    assert "kind: Pipeline" in run(project, "render", "--env", "prod")
    assert json.loads(run(project, "schema"))["title"]
    assert "E201" in run(project, "explain", "E201")


def test_local_says_where_it_runs(project: Path):
    """One line, not the tracker's address."""
    process = start(project, "local", "up")
    assert process.communicate() == (
        "",
        "mlopsgen: `local` needs Linux; on Windows, run it within WSL\n",
    )
    assert process.returncode == 1


def tree(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_built_is_the_same(project: Path):
    """Byte for byte."""
    run(project, "build")
    there = tree(project / "generated")
    shutil.rmtree(project / "generated")
    command = [sys.executable, "-m", "mlopsgen", "build"]
    subprocess.run(command, cwd=project, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    assert tree(project / "generated") == there


def test_builds_at_the_same_time_end_in_the_same_place(project: Path):
    """They wait for each other."""
    builds = [start(project, "build") for _ in range(4)]
    ended = [(build.communicate()[1], build.returncode) for build in builds]
    assert ended == [("", 0)] * 4
    assert run(project, "build", "--check") == "generated: up to date\n"


def test_where_nothing_can_be_executed_nothing_is_stale_for_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
):
    """A file's permission to be executed counts only where there is one."""
    run(project, "build")
    script = project / "generated" / "dev" / "deploy.sh"
    script.chmod(0o644)
    built = (
        artifacts.Artifact("dev/deploy.sh", script.read_text(), executable=True),
        artifacts.Artifact("manifest.json", (project / "generated" / "manifest.json").read_text()),
    )
    stale = artifacts.Change("stale", "dev/deploy.sh")
    assert artifacts.compare(built, project / "generated") == (stale,)
    monkeypatch.setattr(artifacts, "_MODES", False)
    assert artifacts.compare(built, project / "generated") == ()


def crlf(folder: Path) -> None:
    """Check every file out as Git does with `core.autocrlf`."""
    for path in (folder / "pipeline.yaml", *(folder / "generated").rglob("*")):
        if path.is_file():
            path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))


@pytest.mark.parametrize("remembered", [True, False])
def test_line_ends_are_no_change(project: Path, remembered: bool):
    """Neither those of the pipeline nor those of what was built: nothing is stale or written again."""
    run(project, "build")
    built = tree(project / "generated")
    crlf(project)
    if not remembered:
        (project / "cache" / "mlopsgen" / "built").unlink()
    assert run(project, "build", "--check") == "generated: up to date\n"
    assert run(project, "build") == "generated: unchanged\n"
    shutil.rmtree(project / "generated")
    run(project, "build")
    assert tree(project / "generated") == built
