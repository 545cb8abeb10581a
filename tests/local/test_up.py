"""The whole pipeline on one machine: real processes, real HTTP, and every API of an embedded AWS."""

from __future__ import annotations

import http.client
import json
import os
import resource
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from tests.local.running import (
    COMMAND,
    PATIENCE,
    Load,
    Up,
    local,
    predict,
    processes,
    project,
    status,
    tasks,
    until,
)

pytestmark = pytest.mark.xdist_group("local")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One run that most tests share."""
    running = Up(project(tmp_path_factory.mktemp("up")), "--port", "0", "--data", "reviews.txt")
    try:
        running.says("Ctrl-C stops all of it.")
        yield running
    finally:
        running.end()


def url(up: Up) -> str:
    """The load balancer's."""
    return str(status(up.folder)["urls"]["public"])


def test_up_deploys_trains_promotes_and_serves(up: Up) -> None:
    """One command leads from a pipeline to a first answer, and says where to go on."""
    said = up.output
    for each in (
        "foundation ... done",
        "1 file",
        "accuracy 0.9",
        "serving-adder ... done",
        "starting 2 tasks of adder: done",
        '"known": 0',
        "service   http://127.0.0.1:",
    ):
        assert each in said


def test_the_model_was_trained_on_the_uploaded_data(up: Up) -> None:
    """What was put into raw/ is what the served model knows."""
    code, answer = predict(url(up), "good film")
    assert (code, answer["known"]) == (200, 3)


def test_predict_asks_the_service(up: Up) -> None:
    """`local predict` prints the service's answer to a text, to JSON, and to the service's own examples."""
    assert '"known": 2' in local(up.folder, "predict", "good").stdout
    assert '"known": 1' in local(up.folder, "predict", "--json", '{"text": "cast"}').stdout
    assert "two words" in local(up.folder, "predict").stdout
    assert '"known": 1' in local(up.folder, "predict", '{"text": "cast"}').stdout
    for words in (["--json", "{"], ["{"]):
        broken = local(up.folder, "predict", *words)
        assert broken.returncode == 1
        assert f"{words[0]}: " in broken.stderr


def test_status_shows_tasks_model_and_metrics(up: Up) -> None:
    """As many tasks as `replicas.min`, the current version, and the metrics that came by the log."""
    found = status(up.folder)
    [service] = found["services"]
    assert [task["state"] for task in service["tasks"]] == ["healthy", "healthy"]
    [model] = found["models"]
    assert model["current"] in model["versions"]
    until(lambda: "Accuracy" in status(up.folder)["metrics"], "the metric has arrived")
    said = local(up.folder, "status").stdout
    assert "service       adder: 2 of 2 healthy" in said
    assert f"  {model['current']}  accuracy 0.9\n" in said


def test_logs_shows_what_tasks_printed(up: Up) -> None:
    """`local logs` shows the tasks' lines without their metrics, of one task if it is named."""
    everything = local(up.folder, "logs").stdout
    assert "listening" in everything
    assert '"event": "started"' in everything
    assert "_aws" not in everything
    assert "listening" not in local(up.folder, "logs", "counter").stdout
    wrong = local(up.folder, "logs", "nobody")
    assert wrong.returncode == 1
    assert "adder" in wrong.stderr


def test_logs_reach_cloudwatch_under_the_names_that_ecs_gives(up: Up) -> None:
    """The log group is the stack's, the stream is PREFIX/CONTAINER/TASK."""
    import boto3

    client = boto3.client(
        "logs",
        endpoint_url=status(up.folder)["aws"],
        region_name="eu-central-1",
        aws_access_key_id="x",
        aws_secret_access_key="x",
    )
    streams = client.describe_log_streams(logGroupName="/tiny-dev/counter")["logStreams"]
    name = streams[0]["logStreamName"]
    assert name.startswith("counter/counter/")
    events = client.get_log_events(logGroupName="/tiny-dev/counter", logStreamName=name)["events"]
    assert '"event": "started"' in events[0]["message"]


def test_a_task_works_in_the_role_of_its_task_definition(up: Up) -> None:
    """Each task gets its own role's credentials, the way ECS hands them out, and none of the caller's."""
    said = local(up.folder, "logs", "adder").stdout
    assert "assumed-role/tiny-dev-serving-adder-TaskRole" in said


def test_only_the_owner_reaches_the_control_port(up: Up) -> None:
    """Without the token nothing is answered, and the token is in a file for the owner alone."""
    path = up.folder / ".mlopsgen" / "local" / "run.json"
    assert path.stat().st_mode & 0o077 == 0
    port = json.loads(path.read_text())["control"]
    for action in ("stop", "status", "credentials/adder"):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("POST", f"/{action}", "{}", {"Authorization": "guess"})
        assert connection.getresponse().status == 403
        connection.close()
    assert predict(url(up), "good")[0] == 200


def test_a_second_run_is_refused(up: Up) -> None:
    """One run at a time in one folder."""
    second = local(up.folder, "up")
    assert second.returncode == 1
    assert "it runs already" in second.stderr
    assert "mlopsgen local down" in second.stderr


def test_a_new_version_takes_over_without_a_failed_request(up: Up) -> None:
    """`local train` replaces the tasks in turn, under load."""
    before = status(up.folder)["models"][0]["current"]
    old = {task["id"] for task in status(up.folder)["services"][0]["tasks"]}
    with Load(url(up)) as load:
        trained = local(up.folder, "train")
        assert trained.returncode == 0, trained.stderr
        after = status(up.folder)["models"][0]["current"]
        until(lambda: load.versions[after] > 10, "the new version answers")
    assert after != before
    assert f"adder serves {after}" in trained.stdout
    assert set(load.statuses) == {200}, load.statuses
    assert set(load.versions) == {before, after}
    assert old.isdisjoint(task["id"] for task in status(up.folder)["services"][0]["tasks"])


def test_training_takes_the_pipeline_as_it_is_now(up: Up) -> None:
    """Its jobs and gates; what else has changed is told, and one that is no longer in order stops it."""
    pipeline = up.folder / "pipeline.yaml"
    before = pipeline.read_text()
    try:
        pipeline.write_text(
            before.replace("accuracy: 0.9,", "accuracy: 0.95,").replace("{min: 2}", "{min: 3}")
        )
        trained = local(up.folder, "train")
        assert "started  accuracy=0.95" in trained.stdout
        assert "spec.services[adder].replicas.min: 2 -> 3\n" in trained.stdout
        assert "`mlopsgen local down` and `up`" in trained.stdout
        pipeline.write_text(before.replace("atLeast: 0.8", "atLeast: 0.99"))
        assert "has to be at least 0.99" in local(up.folder, "train").stderr
        pipeline.write_text(before.replace("timeout: 1h", "timeout: 1 hour"))
        refused = local(up.folder, "train")
        assert refused.returncode == 1
        assert "--> pipeline.yaml:" in refused.stderr
        pipeline.write_text(before.replace("- name: counter", "- name: teller"))
        assert "job teller is new since the run was started" in local(up.folder, "train").stderr
    finally:
        pipeline.write_text(before)


def test_restart_replaces_the_tasks_without_a_failed_request(up: Up) -> None:
    """As after an edit of the program; of one service, or of all."""
    old = {task["id"] for task in status(up.folder)["services"][0]["tasks"]}
    with Load(url(up)) as load:
        done = local(up.folder, "restart", "adder")
    assert (done.returncode, done.stderr) == (0, "")
    assert "adder is restarted" in done.stdout
    assert set(load.statuses) == {200}, load.statuses
    assert old.isdisjoint(task["id"] for task in status(up.folder)["services"][0]["tasks"])
    unknown = local(up.folder, "restart", "nobody")
    assert unknown.stderr == "mlopsgen: there is no service or worker `nobody` that runs; there are: adder\n"


def by_hand(up: Up, name: str) -> str:
    """Who one is at AWS in a shell that has taken over what `local env NAME` prints."""
    line = (
        f'eval "$({shlex.join(COMMAND)} env {name})" && '
        f"{shlex.quote(sys.executable)} -m awscli sts get-caller-identity --query Arn --output text"
    )
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=up.folder,
        env={**os.environ, "AWS_PROFILE": "missing", "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE"},
        capture_output=True,
        text=True,
    )
    return done.stdout + done.stderr


def test_env_leads_a_shell_to_the_run(up: Up) -> None:
    """The command line client is at home in the embedded AWS, and a program by hand in its task's role."""
    assert by_hand(up, "") == "arn:aws:sts::123456789012:user/moto\n"
    assert "assumed-role/tiny-dev-serving-adder-TaskRole" in by_hand(up, "adder")
    found = json.loads(local(up.folder, "env", "counter", "-o", "json").stdout)
    assert found["command"][-3:] == ["python", "-m", "train"]
    assert found["folder"] == str(up.folder)
    assert json.loads(found["variables"]["PARAMETERS"]) == {"accuracy": 0.9, "seconds": 0}
    unknown = local(up.folder, "env", "nobody")
    assert unknown.stderr == "mlopsgen: there is no workload `nobody`; there are: counter, adder\n"


def test_a_trigger_is_pulled_by_hand(up: Up) -> None:
    """The job that has it runs and learns which one it was; services follow as after any training."""
    pulled = local(up.folder, "trigger", "weekly")
    assert pulled.returncode == 0, pulled.stderr
    assert "trigger=weekly" in pulled.stdout
    assert "adder serves" in pulled.stdout
    unknown = local(up.folder, "trigger", "nightly")
    assert unknown.stderr == "mlopsgen: there is no trigger `nightly`; there are: weekly\n"


def test_a_version_that_misses_a_gate_is_not_served(up: Up) -> None:
    """Promotion checks the gates of the pipeline, and the old version stays."""
    before = status(up.folder)["models"][0]["current"]
    trained = local(up.folder, "train", "--parameter", "accuracy=0.5")
    assert trained.returncode == 1
    assert "`accuracy` is 0.5, and has to be at least 0.8" in trained.stderr
    assert "--minimum accuracy=… lowers the bar" in trained.stderr
    assert status(up.folder)["models"][0]["current"] == before
    assert predict(url(up), "good")[1]["version"] == before


def test_a_trainer_that_fails_says_why(up: Up) -> None:
    """The message has the exit code, the last lines and the log; what is served goes on."""
    trained = local(up.folder, "train", "--parameter", "fails=true")
    assert trained.returncode == 1
    assert "counter ended with exit code 1" in trained.stderr
    assert "a language that nobody knows" in trained.stderr
    assert predict(url(up), "good")[0] == 200


def test_an_interrupted_trainer_resumes(up: Up) -> None:
    """A trainer that something ends half-way is started again, aloud, and goes on from its checkpoint."""
    said: list[str] = []
    training = threading.Thread(
        target=lambda: said.append(local(up.folder, "train", "--parameter", "seconds=60").stdout)
    )
    training.start()
    [trainer] = until(lambda: tasks(up.folder, "python -m train")[-1:], "the trainer runs")
    until(lambda: '"seconds": 60' in local(up.folder, "logs", "counter").stdout, "the trainer is at work")
    os.kill(trainer, signal.SIGTERM)
    training.join()
    assert "counter was ended by SIGTERM; starting it again (2 of 3)" in said[0]
    assert "resumed" in said[0]
    assert "adder serves" in said[0]


def test_a_killed_task_is_replaced(up: Up) -> None:
    """Only what the killed task had in hand fails; another one takes its place, and the run says so."""
    victim = tasks(up.folder, "python -m app")[0]
    old = {task["id"] for task in status(up.folder)["services"][0]["tasks"]}
    with Load(url(up)) as load:
        os.kill(victim, signal.SIGKILL)
        up.says("was ended by SIGKILL; starting another")
        until(
            lambda: [t["state"] for t in status(up.folder)["services"][0]["tasks"]] == ["healthy"] * 2,
            "both are healthy",
        )
    assert load.statuses[200] > 20
    # Each of four threads may have had one request in its hands, and tried it once more before it was missed.
    assert sum(load.statuses.values()) - load.statuses[200] <= 8, load.statuses
    assert len(old & {task["id"] for task in status(up.folder)["services"][0]["tasks"]}) == 1


def test_the_embedded_aws_comes_back_with_what_it_held(up: Up) -> None:
    """Should it end, services answer meanwhile, and stacks, data and models are put back."""
    before = status(up.folder)["models"][0]
    [server] = tasks(up.folder, "generated/dev")
    with Load(url(up)) as load:
        os.kill(server, signal.SIGKILL)
        up.says("the embedded AWS was ended by SIGKILL")
        up.says("the embedded AWS is back")
    assert set(load.statuses) == {200}, load.statuses
    assert status(up.folder)["models"][0]["current"] == before["current"]
    trained = local(up.folder, "train")
    assert trained.returncode == 0, trained.stderr
    assert predict(url(up), "good film")[1]["known"] == 3


def test_a_full_disk_ends_the_run_with_a_reason(up: Up) -> None:
    """Without its logs a run is worth nothing: it stops, says why, and leaves no process."""
    where = url(up)
    limit = 16_000
    assert len(up.output) < limit // 2
    resource.prlimit(up.process.pid, resource.RLIMIT_FSIZE, (limit, limit))
    predict(f"{where}/{'x' * limit}", "good")
    assert up.process.wait(PATIENCE) == 1
    assert "cannot write logs" in up.output
    assert "Make room" in up.output
    assert "Traceback" not in up.output
    assert processes(up.folder) == []
