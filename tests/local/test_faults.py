"""What can go wrong before, while and after it comes up; each test has a run of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.local.running import PATIENCE, Up, local, predict, processes, project, status, tasks, until


def test_a_port_that_is_taken_is_told_at_once(tmp_path: Path) -> None:
    """A port that the user asked for is not exchanged for another."""
    folder = project(tmp_path)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = local(folder, "up", "--port", port)
    assert result.returncode == 1
    assert f"port {port} is taken: choose another with --port" in result.stderr
    assert processes(folder) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("up", "--data", "nowhere.csv"), "--data nowhere.csv: there is no such file or folder"),
        (("up", "--env", "moon"), "there is no environment `moon`: choose one with --env from dev"),
        (("up", "--minimum", "accuracy=high"), "--minimum accuracy=high: the value has to be a number"),
        (("up", "--maximum", "loss=true"), "--maximum loss=True: the value has to be a number"),
        (("status",), "nothing runs here: start it with `mlopsgen local up`"),
        (("train", "nobody"), "there is no job `nobody`; there are: counter"),
        (("trigger", "nightly"), "there is no trigger `nightly`; there are: weekly"),
        (("predict", "x"), "nothing runs here"),
        (("logs",), "nothing runs here"),
    ],
)
def test_what_cannot_be_done_is_explained(tmp_path: Path, options: tuple[str, ...], said: str) -> None:
    """Exit code 1 and one sentence."""
    result = local(project(tmp_path), *options)
    assert result.returncode == 1
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_down_without_a_run_is_no_fault(tmp_path: Path) -> None:
    """It can be called to be sure."""
    result = local(project(tmp_path), "down")
    assert (result.returncode, result.stdout) == (0, "nothing runs here\n")


@pytest.mark.parametrize(
    "moment", ["starting the embedded AWS ...", "foundation ... done", "started  accuracy"]
)
def test_ctrl_c_stops_all_of_it(tmp_path: Path, moment: str) -> None:
    """At whatever moment: exit code 130, no process left, and nothing in the way of the next run."""
    folder = project(tmp_path)
    up = Up(folder, "--port", "0", "--parameter", "seconds=60", "--parameter", "child=true")
    try:
        up.says(moment)
        assert up.interrupt() == 130, up.output
        assert "Traceback" not in up.output
        assert processes(folder) == []
        assert sorted(each.name for each in (folder / ".mlopsgen" / "local").iterdir()) == ["lock", "logs"]
        assert "cleared what the last run left" in local(folder, "down").stdout
        assert not (folder / ".mlopsgen").exists()
    finally:
        up.end()


def test_without_its_aws_a_run_that_does_not_serve_yet_ends(tmp_path: Path) -> None:
    """It says what happened and what to do, and leaves no process."""
    folder = project(tmp_path)
    up = Up(folder, "--port", "0", "--parameter", "seconds=10")
    try:
        up.says("started  accuracy")
        [server] = tasks(folder, "generated/dev")
        os.kill(server, signal.SIGKILL)
        assert up.process.wait(PATIENCE) == 1
        assert "the embedded AWS ended unexpectedly; start again" in up.output
        assert processes(folder) == []
    finally:
        up.end()


def test_an_aws_that_dies_while_the_account_is_made_is_no_bug_of_ours(tmp_path: Path) -> None:
    """Whatever is asked of it at that moment: it is said that it has ended, and what to do."""
    folder = project(tmp_path)
    up = Up(folder, "--port", "0")
    try:
        log = folder / ".mlopsgen" / "local" / "logs" / "embedded-aws-first.log"
        until(lambda: log.exists() and "listening" in log.read_text(), "it listens")
        [server] = tasks(folder, "generated/dev")
        os.kill(server, signal.SIGKILL)
        assert up.process.wait(PATIENCE) == 1
        assert up.output.endswith("mlopsgen: the embedded AWS ended unexpectedly; start again\n"), up.output
        assert processes(folder) == []
        assert "embedded-aws-first | listening" in local(folder, "logs").stdout
    finally:
        up.end()


def test_a_company_s_shell_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Proxies, a profile that is not there, and endpoints of another account."""
    for name, value in {
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
        "AWS_PROFILE": "missing",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
    }.items():
        monkeypatch.setenv(name, value)
    done = local(project(tmp_path), "up", "--once", "--port", "0")
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"known": 0' in done.stdout


def test_a_run_that_is_suspended_is_said_to_be(tmp_path: Path) -> None:
    """Ctrl-Z stops it answering, and not `down` ending it."""
    folder = project(tmp_path)
    up = Up(folder, "--port", "0")
    try:
        up.says("Ctrl-C stops all of it.")
        up.process.send_signal(signal.SIGSTOP)
        asked = local(folder, "status")
        assert asked.returncode == 1
        assert f"(process {up.process.pid}) does not answer: is it suspended?" in asked.stderr
        assert local(folder, "down").stdout == "stopped\n"
        assert up.process.wait(PATIENCE) == 0
        assert processes(folder) == []
    finally:
        up.end()


def test_the_answer_of_a_failing_health_check_is_shown_at_once(tmp_path: Path) -> None:
    """One sees what is wrong while the task has its time to become healthy."""
    folder = project(tmp_path)
    pipeline = folder / "pipeline.yaml"
    pipeline.write_text(pipeline.read_text().replace("path: /ready", "path: /healthz"))
    up = Up(folder, "--port", "0")
    try:
        up.says("is not healthy yet: GET /healthz was answered with 404")
        assert up.interrupt() == 130
        assert "starting another" not in up.output
    finally:
        up.end()


def test_a_trainer_that_fails_without_data_is_told_how_to_give_it_some(tmp_path: Path) -> None:
    """What it reads is empty, and nobody has said what is to be put there."""
    folder = project(tmp_path)
    hint = "Nothing was put into raw/, which it reads: `--data PATH` does that"
    assert hint in local(folder, "train", "--parameter", "fails=true").stderr
    assert hint not in local(folder, "train", "--parameter", "fails=true", "--data", "reviews.txt").stderr


def test_an_image_that_would_fail_is_told_before_anything_runs(tmp_path: Path) -> None:
    """What only this machine has is missed in the image."""
    folder = project(tmp_path)
    (folder / "app" / "requirements.txt").write_text("h11\n")
    done = local(folder, "up", "--port", "0")
    assert (done.returncode, done.stdout) == (1, "")
    assert "app/__main__.py imports `boto3`, which app/requirements.txt does not bring" in done.stderr


def test_a_second_ctrl_c_does_not_wait(tmp_path: Path) -> None:
    """A trainer that will not listen ends with the rest."""
    folder = project(tmp_path)
    up = Up(folder, "--port", "0", "--parameter", "seconds=60", "--parameter", "stubborn=true")
    try:
        up.says("started  accuracy")
        up.process.send_signal(signal.SIGINT)
        up.says("stopping; Ctrl-C once more ends it at once")
        assert up.interrupt() == 130, up.output
        assert "Traceback" not in up.output
        assert processes(folder) == []
    finally:
        up.end()


def test_a_killed_run_leaves_no_process_and_does_not_block_the_next(tmp_path: Path) -> None:
    """After `kill -9` the guards end everything, even what hid; the next run clears the rest."""
    folder = project(tmp_path)
    up = Up(folder, "--port", "0", "--parameter", "seconds=60", "--parameter", "child=true")
    try:
        up.says("started  accuracy")
        until(lambda: tasks(folder, "sleep 1000"), "the trainer's hidden child runs")
        up.process.kill()
        up.process.wait()
        until(lambda: not processes(folder), "all processes are gone")
        again = Up(folder, "--port", "0", "--once")
        assert again.process.wait(PATIENCE) == 0, again.output
        assert '"known": 0' in again.output
        assert processes(folder) == []
    finally:
        up.end()


def test_train_alone_leaves_the_model_in_a_folder(tmp_path: Path) -> None:
    """With nothing running, `local train` deploys what it needs, trains, and copies what was published."""
    folder = project(tmp_path)
    trained = local(folder, "train", "--data", "reviews.txt", "-d", "out")
    assert trained.returncode == 0, trained.stderr
    assert "promoting words" in trained.stdout
    assert "serving-adder" not in trained.stdout
    [manifest] = (folder / "out" / "models" / "words").glob("*/manifest.json")
    current = json.loads((folder / "out" / "models" / "words" / "current.json").read_text())
    assert current["version"] == manifest.parent.name
    assert processes(folder) == []


def test_a_detached_run_goes_on_until_down(tmp_path: Path) -> None:
    """`up --detach` returns when it serves, `down` ends it and leaves no file."""
    folder = project(tmp_path)
    try:
        started = local(folder, "up", "--detach", "--port", "0")
        assert started.returncode == 0, started.stderr
        assert "service   http://127.0.0.1:" in started.stdout
        assert predict(status(folder)["urls"]["public"], "good")[0] == 200
        time.sleep(0.5)
        assert local(folder, "down").stdout == "stopped\n"
        assert processes(folder) == []
        assert not (folder / ".mlopsgen").exists()
    finally:
        local(folder, "down")
