"""A task definition as a command on this machine.

It gets the command, the entry point, the environment and the role that the task definition names, and nothing
of the caller's environment but what reaches the network. Different from ECS are: `PORT` and `HOST`, because
tasks share this machine's ports; `/tmp`, which is a folder of the task's own; and what only a container can
give: user, read-only root and limits of memory (`--containers` gives those).
"""

from __future__ import annotations

import json
import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from mlopsgen.local.blueprint import Task
from mlopsgen.local.process import Command
from mlopsgen.local.state import MARK

PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""What a program needs to reach the network from here."""

LOOPBACK = "127.0.0.1,localhost"


class Unprepared(Exception):
    """A task cannot be started here; the text says what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where tasks run: the embedded AWS, and what is given to each of them."""

    endpoint: str
    region: str
    account: str
    credentials: str
    """The URL below which each task finds its role's credentials, as on ECS."""
    token: str
    mark: str
    """Of this run."""
    scratch: Path
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    """Laid over those of the pipeline."""


@dataclass(frozen=True, slots=True)
class Health:
    """ECS's own check of a container. Times in seconds."""

    command: tuple[str, ...]
    interval: float
    timeout: float
    retries: int
    start: float


@dataclass(frozen=True, slots=True)
class Started:
    """What to run for one task, under which id."""

    id: str
    command: Command
    port: int
    health: Health | None = None


class Launcher(Protocol):
    """How tasks are run."""

    def builds(self, task: Task, built: Path) -> Iterator[tuple[str, Command]]:
        """What has to be built first, from the compiled files in `built`."""

    def prepare(self, task: Task, place: Place, version: str) -> Started:
        """What to run for one more task of `task`. Raises `Unprepared`."""


class Processes:
    """As processes of this machine."""

    def builds(self, task: Task, built: Path) -> Iterator[tuple[str, Command]]:
        """Nothing: they run from the source."""
        yield from ()

    def prepare(self, task: Task, place: Place, version: str) -> Started:
        """See `Launcher`."""
        if task.context is None:
            raise Unprepared(
                f"`{task.name}` runs the image {task.container['image']}, which is not built here: "
                "start it with --containers"
            )
        id_ = secrets.token_hex(4)
        own = place.scratch / f"{task.name}-{id_}"
        own.mkdir(mode=0o700)
        port = free_port() if "portMappings" in task.container else 0
        program = tuple(task.container.get("command") or task.image_command)
        entry = tuple(task.container.get("entryPoint") or ())
        inherited = {
            name: os.environ[name] for each in PASSED for name in (each, each.lower()) if name in os.environ
        }
        tools = Path(sys.executable).parent
        environment = {
            **inherited,
            "NO_PROXY": LOOPBACK,
            "no_proxy": LOOPBACK,
            "HF_HOME": os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface"),
            "HOME": str(own),
            "LANG": "C.UTF-8",
            "MPLCONFIGDIR": str(own / "matplotlib"),
            "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(own),
            "XDG_CACHE_HOME": str(own / "cache"),
            **variables(task, place, version, id_, port),
        }
        # The build context becomes a package below the image's working directory.
        command = Command(
            argv=entry + program,
            environment=environment,
            folder=task.context.parent,
            stop_timeout=float(task.container.get("stopTimeout", 30)),
            after=(("rm", "-rf", "--", str(own)),),
        )
        return Started(id_, command, port, health(task, port))


def variables(task: Task, place: Place, version: str, id_: str, port: int) -> dict[str, str]:
    """What the task finds in its environment on ECS, with the embedded AWS in AWS's place."""
    known = {"${AWS_ACCOUNT_ID}": place.account, "${MODEL_VERSION}": version}
    named = {each["name"]: each["value"] for each in task.container.get("environment", ())}
    for name, value in named.items():
        for placeholder, real in known.items():
            value = value.replace(placeholder, real)
        named[name] = value
    for each in task.container.get("secrets", ()):
        name = each["name"]
        if name not in os.environ:
            raise Unprepared(
                f"`{task.name}` needs the secret {name}, which only AWS holds: "
                f"set the variable {name} for this command"
            )
        named[name] = os.environ[name]
    if port:
        named |= {"PORT": str(port), "HOST": "127.0.0.1"}
    if place.hyperparameters and "HYPERPARAMETERS" in named:
        merged = json.loads(named["HYPERPARAMETERS"]) | dict(place.hyperparameters)
        named["HYPERPARAMETERS"] = json.dumps(merged, sort_keys=True, separators=(",", ":"))
    return named | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": place.token,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{place.credentials}/{task.name}",
        "AWS_DEFAULT_REGION": place.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": place.endpoint,
        "AWS_REGION": place.region,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        MARK: f"{place.mark}/{id_}",
    }


def health(task: Task, port: int) -> Health | None:
    """ECS's own check of the container, asking the port that the task has here."""
    check = task.container.get("healthCheck")
    if not check:
        return None
    kind, *words = check["command"]
    declared = task.container["portMappings"][0]["containerPort"] if port else 0
    words = [re.sub(rf":{declared}\b", f":{port}", each) for each in words]
    return Health(
        command=("sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words),
        interval=float(check.get("interval", 30)),
        timeout=float(check.get("timeout", 5)),
        retries=int(check.get("retries", 3)),
        start=float(check.get("startPeriod", 0)),
    )


def log_group(task: Task) -> str | None:
    """Where its log driver sends what it prints."""
    options: Mapping[str, str] = task.container.get("logConfiguration", {}).get("options", {})
    return options.get("awslogs-group")


def location(task: Task, variable: str, account: str) -> str | None:
    """A location in the task's environment, such as `RAW_URI`."""
    for each in task.container.get("environment", ()):
        if each["name"] == variable:
            return str(each["value"]).replace("${AWS_ACCOUNT_ID}", account)
    return None


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def words(code: int) -> str:
    """An exit code for people."""
    import signal

    if code > 128:
        try:
            return f"was ended by {signal.Signals(code - 128).name}"
        except ValueError:
            pass
    return f"ended with exit code {code}"


def tail(lines: Sequence[str]) -> str:
    """The last lines of a log, to stand below a message."""
    return "".join(f"\n  | {line[:300]}" for line in lines)
