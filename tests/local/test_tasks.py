"""Task definitions as commands: words, variables, ports and folders."""

from __future__ import annotations

import json
import socket
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mlopsgen.local.blueprint import LocalTask
from mlopsgen.local.containers import Containers, Mixed
from mlopsgen.local.tasks import Processes, Started, TaskContext, Unprepared, gates_of
from mlopsgen.promotion import Gate

MODELS = "s3://data-${AWS_ACCOUNT_ID}/models/words/"


@pytest.fixture
def place(tmp_path: Path) -> TaskContext:
    """Where the tasks run."""
    (tmp_path / "tmp").mkdir()
    return TaskContext(
        endpoint="http://127.0.0.1:1",
        region="eu-west-1",
        account="123456789012",
        credentials="http://127.0.0.1:2/credentials",
        token="token",
        mark="mark",
        scratch=tmp_path / "tmp",
        volumes=tmp_path / "volumes",
    )


def task(kind: str = "service", **container: Any) -> LocalTask:
    """A task of an image that is built with `python`, whose container has these properties."""
    mounts = container.pop("mountPoints", [])
    volumes = container.pop("volumes", [])
    own = {
        "name": "api",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/demo/app",
        "environment": [],
        "mountPoints": [{"sourceVolume": "tmp", "containerPath": "/tmp"}, *mounts],
    }
    opener = {"name": "mlopsgen-open", "image": "busybox", "command": ["chmod"]}
    definition = {
        "cpu": "1024",
        "memory": "2048",
        "containerDefinitions": [opener, own | container],
        "volumes": [{"name": "tmp"}, *volumes],
    }
    here = Path(__file__).parent
    return LocalTask(
        name="api",
        kind=kind,
        stack="serving-api",
        definition=definition,
        context=here,
        image="app",
        image_command=("python", "-m", "app"),
        folder=here.parent,
    )


def foreign(**container: Any) -> LocalTask:
    """A task of an image that is not built here."""
    found = task(image="redis:7", **container)
    return replace(found, context=None, image=None, image_command=(), folder=None)


def variables(started: Started) -> dict[str, str]:
    """What the program finds in its environment."""
    return dict(started.command.environment)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({}, ("python", "-m", "app")),
        ({"command": ["--fast"]}, ("--fast",)),
        ({"entryPoint": ["gunicorn"]}, ("gunicorn",)),
        ({"entryPoint": ["gunicorn"], "command": ["app:app"]}, ("gunicorn", "app:app")),
    ],
)
def test_what_runs_is_what_a_container_engine_would_run(
    given: dict[str, Any], words: tuple[str, ...], place: TaskContext
) -> None:
    """The task definition's words; the image's own command where there are none."""
    assert Processes().prepare(task(**given), place).command.argv == words


def test_the_main_port_is_moved_wherever_it_is_named(place: TaskContext) -> None:
    """In `PORT`, in variables of frameworks, in words of the command, and in the health check."""
    words = ["--port", "8000", "--bind=0.0.0.0:8000", "--batch=18000", "sleep 8000"]
    named = {"PORT": "8000", "GRADIO_SERVER_PORT": "8000", "BATCH": "8000"}
    started = Processes().prepare(
        task(
            portMappings=[{"containerPort": 8000}],
            command=words,
            environment=[{"name": name, "value": value} for name, value in named.items()],
            healthCheck={"command": ["CMD", "curl", "http://127.0.0.1:8000/ready"]},
        ),
        place,
    )
    port = str(started.port)
    found = variables(started)
    assert port != "8000"
    assert started.command.argv == ("--port", port, f"--bind=0.0.0.0:{port}", "--batch=18000", "sleep 8000")
    assert {name: found[name] for name in named} == {
        "PORT": port,
        "GRADIO_SERVER_PORT": port,
        "BATCH": "8000",
    }
    assert started.health
    assert started.health.command == ("curl", f"http://127.0.0.1:{port}/ready")


def test_a_port_that_cannot_be_moved_and_is_taken_is_told(place: TaskContext) -> None:
    """Only the main port is the program's to learn; for another one that is taken the message says so."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        number = taken.getsockname()[1]
        several = task(portMappings=[{"containerPort": 8000}, {"containerPort": number}])
        with pytest.raises(Unprepared) as caught:
            Processes().prepare(several, place)
    assert str(caught.value) == (
        f"`api` listens on port {number} too, and there is no way to it here (address already in use): "
        f"only its main port can be moved. End what listens on {number}, or give `api` another number"
    )
    assert Processes().prepare(several, place).port != 8000


def test_volumes_are_folders_and_values_that_name_their_paths_lead_there(place: TaskContext) -> None:
    """In variables, words and the health check; what only looks alike stays as it is."""
    mounted = task(
        command=["--cache", "/cache", "--index=/cache/index/a.bin", "/cached", "/tmp/x", "/dev/shm/x"],
        environment=[
            {"name": "HF_HOME", "value": "/cache/index/hub"},
            {"name": "SPACE", "value": "/space"},
            {"name": "ROOT", "value": "/"},
        ],
        healthCheck={"command": ["CMD", "test", "-e", "/cache/ready"]},
        mountPoints=[
            {"sourceVolume": "cache", "containerPath": "/cache"},
            {"sourceVolume": "index", "containerPath": "/cache/index", "readOnly": True},
            {"sourceVolume": "space", "containerPath": "/space/"},
        ],
        volumes=[
            {"name": "cache", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}},
            {"name": "index", "efsVolumeConfiguration": {"fileSystemId": "fs-2"}},
            {"name": "space"},
        ],
        linuxParameters={"tmpfs": [{"containerPath": "/dev/shm", "size": 64}]},
    )
    started = Processes().prepare(mounted, place)
    own = place.scratch / f"api-{started.id}"
    cache, index = place.volumes / "cache", place.volumes / "index"
    assert started.command.argv == (
        "--cache",
        f"{cache}",
        f"--index={index}/a.bin",
        "/cached",
        f"{own}/x",
        "/dev/shm/x",
    )
    found = variables(started)
    assert (found["HF_HOME"], found["SPACE"], found["ROOT"]) == (f"{index}/hub", f"{own}/volumes/space", "/")
    assert started.health
    assert started.health.command == ("test", "-e", f"{cache}/ready")
    assert all(each.is_dir() for each in (cache, index, own / "volumes" / "space"))
    assert Processes().prepare(mounted, place).command.argv[1] == str(cache), "all tasks share it"


def test_a_job_gets_what_the_user_says_in_place_of_the_pipeline(place: TaskContext) -> None:
    """Parameters, gates and the trigger; a service does not."""
    gates = {"accuracy": {"atLeast": 0.8, "atMost": 0.99}, "loss": {"atMost": 0.4}}
    given = {
        "PARAMETERS": json.dumps({"epochs": 3, "rate": 0.1}),
        "PROMOTION": json.dumps({"metrics": gates, "policy": "manual"}),
        "MODEL_URI": MODELS,
    }
    environment = [{"name": name, "value": value} for name, value in given.items()]
    own = {"accuracy": Gate(at_least=0.5)}
    by_hand = replace(place, parameters={"epochs": 1}, gates=own, trigger="weekly")
    job = task("job", environment=environment)
    found = variables(Processes().prepare(job, by_hand))
    assert json.loads(found["PARAMETERS"]) == {"epochs": 1, "rate": 0.1}
    assert json.loads(found["PROMOTION"]) == {
        "metrics": {"accuracy": {"atLeast": 0.5, "atMost": 0.99}, "loss": {"atMost": 0.4}},
        "policy": "manual",
    }
    assert found["TRIGGER"] == "weekly"
    assert found["MODEL_URI"] == "s3://data-123456789012/models/words/"
    assert gates_of(job, own)["accuracy"] == Gate(0.5, 0.99)
    served = variables(Processes().prepare(task(environment=environment), by_hand))
    assert served["PARAMETERS"] == given["PARAMETERS"]
    assert "TRIGGER" not in served


def test_a_job_without_parameters_can_be_given_some(place: TaskContext) -> None:
    """`PARAMETERS` is then there as if the pipeline had said them."""
    found = variables(Processes().prepare(task("job"), replace(place, parameters={"epochs": 1})))
    assert found["PARAMETERS"] == '{"epochs":1}'
    assert "PARAMETERS" not in variables(Processes().prepare(task("job"), place))


def test_an_image_that_is_no_python_package_takes_an_engine(place: TaskContext) -> None:
    """Without one it says why, with one it is a container beside the processes."""
    with pytest.raises(Unprepared) as caught:
        Processes("docker is not installed").prepare(foreign(), place)
    assert str(caught.value) == (
        "`api` runs the image redis:7, which is not built here, "
        "and that takes a container engine (docker is not installed)"
    )
    own = replace(task(), dockerfile=Path("docker/Dockerfile"))
    assert Processes("x").lacks(own) == (
        "runs the image `app`, which has a Dockerfile of its own, and that takes a container engine (x)"
    )
    mixed = Mixed(Processes(), Containers("docker", "mark", "demo-dev"))
    assert mixed.lacks(own) is None
    assert mixed.prepare(task(), place).command.argv == ("python", "-m", "app")
    assert mixed.prepare(foreign(), place).command.argv[:2] == ("docker", "run")


def test_a_container_is_what_its_task_definition_says(place: TaskContext) -> None:
    """User, limits, volumes and memory are the engine's options, and only what stands there."""
    mounted = foreign(
        mountPoints=[
            {"sourceVolume": "cache", "containerPath": "/cache", "readOnly": True},
            {"sourceVolume": "space", "containerPath": "/space"},
        ],
        volumes=[{"name": "cache", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}, {"name": "space"}],
        linuxParameters={
            "tmpfs": [
                {"containerPath": "/dev/shm", "size": 64},
                {"containerPath": "/fast", "size": 128, "mountOptions": ["ro"]},
            ]
        },
        entryPoint=["redis-server", "--dir", "/space"],
        portMappings=[{"containerPort": 6379}],
        command=["--port", "6379"],
    )
    started = Containers("docker", "mark", "demo-dev").prepare(mounted, place)
    words = started.command.argv
    own = place.scratch / f"api-{started.id}"
    assert "--user" not in words
    assert "--read-only" not in words
    volumes = [words[at + 1] for at, word in enumerate(words) if word == "--volume"]
    assert volumes == ["/tmp", f"{place.volumes}/cache:/cache:ro", f"{own}/volumes/space:/space"]
    assert (own / "volumes" / "space").stat().st_mode & 0o777 == 0o777
    assert words[words.index("--shm-size") + 1] == "64m"
    assert words[words.index("--tmpfs") + 1] == "/fast:ro,mode=1777,size=128m"
    at = words.index("redis:7")
    assert words[at - 2 : at] == ("--entrypoint", "redis-server")
    assert words[at + 1 :] == ("--dir", "/space", "--port", str(started.port))


def test_a_volume_of_all_tasks_is_kept_wherever_it_is_mounted(place: TaskContext) -> None:
    """At `/tmp` too, where a task's own folder ends with the task."""
    mounted = task(
        environment=[{"name": "OUT", "value": "/tmp"}],
        volumes=[{"name": "cache", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}],
    )
    mounted.container["mountPoints"][0]["sourceVolume"] = "cache"
    started = Processes().prepare(mounted, place)
    assert started.command.environment["OUT"] == str(place.volumes / "cache")


def test_a_python_package_in_a_container_has_the_volumes_that_its_image_opens(place: TaskContext) -> None:
    """Its own user, and space of the engine's with the permissions of the image's `VOLUME`."""
    mounted = task(
        user="10001",
        readonlyRootFilesystem=True,
        mountPoints=[{"sourceVolume": "space", "containerPath": "/space"}],
        volumes=[{"name": "space"}],
    )
    words = Containers("docker", "mark", "demo-dev").prepare(mounted, place).command.argv
    assert words[words.index("--user") + 1] == "10001"
    assert "--read-only" in words
    assert [words[at + 1] for at, word in enumerate(words) if word == "--volume"] == ["/tmp", "/space"]
    assert words[-1] == "demo-dev/app:local"
