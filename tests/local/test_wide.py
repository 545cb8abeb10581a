"""A pipeline with several ports, routes and balancers, a volume and a worker, on one machine."""

from __future__ import annotations

import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlopsgen.local.tasks import free_port
from tests.local.running import Up, local, processes, status

pytestmark = pytest.mark.xdist_group("wide")

NOTE = Path(".mlopsgen", "volumes", "default", "notes", "today", "note.txt")

ENGINES = "docker: nobody is there; podman: nobody is there"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One run, on a machine whose container engines do not answer."""
    folder = tmp_path_factory.mktemp("wide")
    shutil.copytree(Path(__file__).with_name("wide"), folder, dirs_exist_ok=True)
    pipeline = folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("9000", str(free_port())))
    engines = folder / "bin"
    engines.mkdir()
    for name in ("docker", "podman"):
        (engines / name).write_text("#!/bin/sh\necho nobody is there >&2\nexit 1\n")
        (engines / name).chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", str(engines), prepend=":")
        running = Up(folder, "--port", "0")
    try:
        running.says("Ctrl-C stops all of it.")
        yield running
    finally:
        running.end()


def get(up: Up, balancer: str, path: str) -> str:
    """What is answered through a balancer."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{status(up.folder)['urls'][balancer]}{path}", timeout=30) as answer:
        return str(answer.read().decode())


def test_what_cannot_run_here_is_left_out_with_its_reason(up: Up) -> None:
    """The rest comes up all the same."""
    for each in (
        "  an address for each task of front: one task alone, since port ",
        "service cache is left out: it runs the image redis:7, which is not built here, "
        f"and that takes a container engine ({ENGINES})",
        "service orphan is left out: it loads `faces`, of which there is no version here: no job produces it",
        "service pinned is left out: it loads `words` at 20260101T000000Z-0a1b2c3d, "
        "which does not exist here; in an environment whose models have "
        "`{name: words, version: current}` it loads what was trained here",
    ):
        assert each in up.output
    running = {
        each["name"]: [task["state"] for task in each["tasks"]] for each in status(up.folder)["services"]
    }
    assert running == {
        "cache": [],
        "front": ["healthy"],
        "orphan": [],
        "pinned": [],
        "ticker": ["running"],
    }


def test_each_route_leads_from_its_balancer_to_its_port(up: Up) -> None:
    """By all its paths, and by no other."""
    urls = status(up.folder)["urls"]
    assert f"  service   {urls['public']}/a (public)\n" in up.output
    assert f"  service   {urls['internal']}/ (internal)\n" in up.output
    assert "/pinned" not in up.output, "nothing answers there"
    assert get(up, "public", "/a/x").startswith("main /a/x ")
    assert get(up, "public", "/b").startswith("main /b ")
    assert get(up, "internal", "/any").startswith("admin /any ")
    with pytest.raises(urllib.request.HTTPError, match="404"):
        get(up, "public", "/c")


def test_a_volume_is_one_folder_for_all_that_mount_it(up: Up) -> None:
    """A job of any kind can be run by name; the path in its words and in variables leads to the folder."""
    assert get(up, "public", "/a") == "main /a no note"
    written = local(up.folder, "train", "writer")
    assert written.stdout == "running writer\nwritten\nwriter has ended\n"
    assert get(up, "public", "/a") == "main /a remember"
    assert (up.folder / NOTE).read_text() == "remember"
    nothing = local(up.folder, "train")
    assert nothing.stderr == "mlopsgen: no job produces a model: name one of boxed, writer\n"
    refused = local(up.folder, "train", "boxed")
    assert refused.stderr == (
        "mlopsgen: `boxed` runs the image `own`, which has a Dockerfile of its own, "
        f"and that takes a container engine ({ENGINES})\n"
    )


def test_a_worker_is_kept_running(up: Up) -> None:
    """`local status` and `local logs` know it as they know services."""
    assert "worker        ticker: 1 of 1 healthy" in local(up.folder, "status").stdout
    assert local(up.folder, "logs", "ticker").stdout.endswith("| tick\n")


def test_volumes_stay_when_the_run_has_ended(up: Up) -> None:
    """Tasks end in good order, and `down` removes all but volumes."""
    assert up.interrupt() == 0, up.output
    assert local(up.folder, "logs", "ticker").stdout.endswith("| stopped well\n")
    assert processes(up.folder) == []
    local(up.folder, "down")
    assert (up.folder / NOTE).read_text() == "remember"
    assert sorted(each.name for each in (up.folder / ".mlopsgen").iterdir()) == [".gitignore", "volumes"]
