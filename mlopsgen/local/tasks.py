"""A task definition as a command on this machine.

It gets the command, the entry point, the environment and the role that the task definition names, and nothing
of the caller's environment but what reaches the network. Different from ECS are: `PORT` and `HOST`, because
tasks share this machine's ports; volumes and `/tmp`, which are folders; and what only a container can give:
user, read-only root and limits of memory (`--containers` gives those).
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

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.blueprint import LocalTask
from mlopsgen.local.embedded import no_proxy
from mlopsgen.local.mounts import Folders, folders, relocated
from mlopsgen.local.process import Program
from mlopsgen.local.state import MARK
from mlopsgen.promotion import Gate, Gates, laid_over

PASSED = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE")
"""What a program needs to reach the network from here."""


class Unprepared(UserFault):
    """A task cannot be started here; the text says what to do."""


@dataclass(frozen=True, slots=True)
class TaskContext:
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
    volumes: Path
    """Where volumes that outlive tasks lie."""
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Laid over those of the pipeline."""
    gates: Gates = field(default_factory=dict)
    """Laid over those of the pipeline."""
    trigger: str = ""
    """What starts the task, if anything on AWS would."""


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
    command: Program
    port: int
    """Where it listens instead of its main port; 0 if it has none."""
    health: Health | None = None


class Launcher(Protocol):
    """How tasks are run."""

    @property
    def isolates(self) -> bool:
        """Whether a program finds what its image has, and not what this machine has."""

    def builds(self, task: LocalTask, built: Path) -> Iterator[tuple[str, Program]]:
        """What has to be built first, from the compiled files in `built`."""

    def lacks(self, task: LocalTask) -> str | None:
        """Why no task of `task` can run here, if none can."""

    def prepare(self, task: LocalTask, context: TaskContext) -> Started:
        """What to run for one more task of `task`. Raises `Unprepared`."""


@dataclass(frozen=True, slots=True)
class Processes:
    """As processes of this machine."""

    without: str = ""
    """Why there is no container engine for what cannot be a process."""

    @property
    def isolates(self) -> bool:
        """No: they find the packages of this interpreter."""
        return False

    def builds(self, task: LocalTask, built: Path) -> Iterator[tuple[str, Program]]:
        """Nothing: they run from the source."""
        yield from ()

    def lacks(self, task: LocalTask) -> str | None:
        """A container engine, for images that are not built with `python`."""
        return (
            None
            if task.is_program
            else f"{foreign(task)}, and that takes a container engine ({self.without})"
        )

    def prepare(self, task: LocalTask, context: TaskContext) -> Started:
        """See `Launcher`."""
        if lacking := self.lacks(task):
            raise Unprepared(f"`{task.name}` {lacking}")
        check_ports(task)
        id_ = secrets.token_hex(4)
        own = context.scratch / f"{task.name}-{id_}"
        own.mkdir(mode=0o700)
        found = folders(task, context.volumes, own)
        port = free_port() if task.ports else 0
        inherited = {
            name: os.environ[name] for each in PASSED for name in (each, each.lower()) if name in os.environ
        }
        tools = Path(sys.executable).parent
        environment = {
            **inherited,
            **no_proxy(os.environ),
            "HF_HOME": os.environ.get("HF_HOME") or str(Path.home() / ".cache" / "huggingface"),
            "HOME": str(own),
            "LANG": "C.UTF-8",
            "MPLCONFIGDIR": str(own / "matplotlib"),
            "PATH": f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(own),
            "XDG_CACHE_HOME": str(own / "cache"),
            **variables(task, context, id_, port, found),
        }
        command = Program(
            argv=tuple(moved(each, task, port, found) for each in words_of(task)),
            environment=environment,
            folder=task.folder or own,
            stop_timeout=float(task.container.get("stopTimeout", 30)),
            after=(("rm", "-rf", "--", str(own)),),
        )
        return Started(id_, command, port, health(task, port, found))


def by_hand(task: LocalTask, context: TaskContext) -> dict[str, Any]:
    """How a user runs a task of `task` at a terminal: its variables, its words, and the folder to be in.

    It listens on its own port, since there is one of it. Raises `Unprepared`.
    """
    own = context.scratch / f"{task.name}-by-hand"
    found = folders(task, context.volumes, own)
    port = task.ports[0] if task.ports else 0
    named = variables(task, context, "by-hand", port, found)
    # What a shell runs is the user's, and does not end with the run.
    del named[MARK]
    return {
        "variables": named | no_proxy(os.environ),
        "command": [moved(each, task, port, found) for each in words_of(task)],
        "folder": str(task.folder or own),
    }


def foreign(task: LocalTask) -> str:
    """Why it cannot be a process."""
    if task.dockerfile:
        return f"runs the image `{task.image}`, which has a Dockerfile of its own"
    return f"runs the image {task.container['image']}, which is not built here"


def words_of(task: LocalTask) -> tuple[str, ...]:
    """What it runs: the task definition's words, or the image's own where that names none.

    An entry point takes the place of the image's command too, as in the container engine of ECS (Docker's
    reference of `docker container run`, "--entrypoint").
    """
    entry = tuple(task.container.get("entryPoint") or ())
    command = tuple(task.container.get("command") or ())
    return entry + command or task.image_command


def moved(word: str, task: LocalTask, port: int, found: Folders = ()) -> str:
    """A word of a command, with the folders and the port that the task has here."""
    option, equals, value = word.partition("=")
    if equals and option.startswith("-"):
        return f"{option}={moved(value, task, port, found)}"
    if port and re.fullmatch(rf"(.*:)?{task.ports[0]}", word):
        return f"{word.removesuffix(str(task.ports[0]))}{port}"
    return relocated(word, found)


def variables(
    task: LocalTask, context: TaskContext, id_: str, port: int, found: Folders = ()
) -> dict[str, str]:
    """What the task finds in its environment on ECS, with the embedded AWS in AWS's place."""
    named = {
        each["name"]: relocated(each["value"].replace("${AWS_ACCOUNT_ID}", context.account), found)
        for each in task.container.get("environment", ())
    }
    for each in task.container.get("secrets", ()):
        name = each["name"]
        if name not in os.environ:
            raise Unprepared(
                f"`{task.name}` needs the secret {name}, which only AWS holds: "
                f"set the variable {name} for this command"
            )
        named[name] = os.environ[name]
    if port:
        # Gradio, Streamlit and others have a variable of their own for it.
        main = str(task.ports[0])
        moved = {name: str(port) for name in named if name.endswith("PORT") and named[name] == main}
        named |= moved | {"PORT": str(port), "HOST": "127.0.0.1"}
    if task.kind == "job":
        named |= _by_hand(task, named, context)
    return named | {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_CONTAINER_AUTHORIZATION_TOKEN": context.token,
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{context.credentials}/{task.name}",
        "AWS_DEFAULT_REGION": context.region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": context.endpoint,
        "AWS_REGION": context.region,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        MARK: f"{context.mark}/{id_}",
    }


def _by_hand(task: LocalTask, named: Mapping[str, str], context: TaskContext) -> Iterator[tuple[str, str]]:
    """What the user's options change of a job's variables."""
    if context.parameters:
        merged = json.loads(named.get("PARAMETERS", "{}")) | dict(context.parameters)
        yield "PARAMETERS", json.dumps(merged, sort_keys=True, separators=(",", ":"))
    if context.gates and "PROMOTION" in named:
        promotion = json.loads(named["PROMOTION"])
        promotion["metrics"] = {name: gate.document for name, gate in gates_of(task, context.gates).items()}
        yield "PROMOTION", json.dumps(promotion, sort_keys=True, separators=(",", ":"))
    if context.trigger:
        yield "TRIGGER", context.trigger


def gates_of(task: LocalTask, own: Gates) -> Gates:
    """What a version that it produces has to reach: `own`, and the gates of the pipeline."""
    promotion = json.loads(variable(task, "PROMOTION") or '{"metrics": {}}')
    return laid_over(own, {name: Gate.of(each) for name, each in promotion["metrics"].items()})


def health(task: LocalTask, port: int, found: Folders = ()) -> Health | None:
    """ECS's own check of the container, asking the port that the task has here."""
    check = task.container.get("healthCheck")
    if not check:
        return None
    kind, *words = check["command"]
    if port:
        words = [re.sub(rf":{task.ports[0]}\b", f":{port}", each) for each in words]
    words = [relocated(each, found) for each in words]
    return Health(
        command=("sh", "-c", *words) if kind == "CMD-SHELL" else tuple(words),
        interval=float(check.get("interval", 30)),
        timeout=float(check.get("timeout", 5)),
        retries=int(check.get("retries", 3)),
        start=float(check.get("startPeriod", 0)),
    )


def log_group(task: LocalTask) -> str | None:
    """Where its log driver sends what it prints."""
    options: Mapping[str, str] = task.container.get("logConfiguration", {}).get("options", {})
    return options.get("awslogs-group")


def variable(task: LocalTask, name: str) -> str | None:
    """The value of a variable in its task definition."""
    for each in task.container.get("environment", ()):
        if each["name"] == name:
            return str(each["value"])
    return None


def location(task: LocalTask, name: str, account: str) -> str | None:
    """A location in the task's environment, such as `RAW_URI`."""
    value = variable(task, name)
    return None if value is None else value.replace("${AWS_ACCOUNT_ID}", account)


def free_port() -> int:
    """A port of loopback that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def check_ports(task: LocalTask) -> None:
    """Raises `Unprepared` if somebody listens where it is to listen: all its ports but the main one stay."""
    for port in task.ports[1:]:
        with socket.socket() as probe:
            # What was closed a moment ago is free.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("", port))
            except OSError as error:
                raise Unprepared(
                    f"`{task.name}` listens on port {port} too, and there is no way to it here "
                    f"({(error.strerror or str(error)).lower()}): only its main port can be moved. "
                    f"End what listens on {port}, or give `{task.name}` another number"
                ) from None


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
