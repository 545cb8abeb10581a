"""Task definitions as containers of a Docker or Podman engine, from images that are really built."""

from __future__ import annotations

import os
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mlopsgen.local.blueprint import LocalTask
from mlopsgen.local.mounts import SHARED_MEMORY, TMP, folder
from mlopsgen.local.process import Program
from mlopsgen.local.state import LABEL, MARK
from mlopsgen.local.tasks import (
    Health,
    Processes,
    Started,
    TaskContext,
    Unprepared,
    check_ports,
    free_port,
    health,
    moved,
    variables,
)

ENGINES = ("docker", "podman")

BUILD_TIME = 10.0
"""Seconds that a build gets to end when asked to."""


@dataclass(frozen=True, slots=True)
class Containers:
    """Runs tasks as containers: the user, read-only root, memory and checks are the task definition's.

    They share the machine's network, for the embedded AWS listens on loopback only.
    """

    engine: str
    mark: str
    prefix: str
    build_args: Mapping[str, str] = field(default_factory=dict)

    @property
    def isolates(self) -> bool:
        """Yes: they find the packages of their image."""
        return True

    def builds(self, task: LocalTask, built: Path) -> Iterator[tuple[str, Program]]:
        """The command that builds the task's image, with a name for people."""
        if task.image is None or task.context is None:
            return
        dockerfile = task.dockerfile or built / "images" / task.image / "Dockerfile"
        words = [
            self.engine,
            "build",
            "--network",
            "host",
            "--file",
            str(dockerfile),
            "--tag",
            self._tag(task),
        ]
        for name, value in sorted(self.build_args.items()):
            words += ["--build-arg", f"{name}={value}"]
        yield (
            f"building the image {task.image}",
            Program((*words, str(task.context)), dict(os.environ) | {MARK: self.mark}, built, BUILD_TIME),
        )

    def lacks(self, task: LocalTask) -> str | None:
        """Nothing."""
        return None

    def prepare(self, task: LocalTask, context: TaskContext) -> Started:
        """See `Launcher`."""
        check_ports(task)
        id_ = secrets.token_hex(4)
        name = f"{self.prefix}-{task.name}-{id_}"
        container = task.container
        own = context.scratch / f"{task.name}-{id_}"
        own.mkdir(mode=0o700)
        port = free_port() if task.ports else 0
        environment = variables(task, context, id_, port)
        words = [self.engine, "run", "--rm", "--name", name, "--label", f"{LABEL}={self.mark}"]
        words += ["--network", "host", *_isolation(task), *_mounted(task, context.volumes, own)]
        # Values go by this command's environment: on its command line everybody could read them.
        for each in sorted(environment):
            words += ["--env", each]
        check = health(task, port)
        words += _health(check) if check else ["--no-healthcheck"]
        entry = [moved(each, task, port) for each in container.get("entryPoint") or ()]
        if entry:
            words += ["--entrypoint", entry[0]]
        words += [self._tag(task) if task.image else container["image"], *entry[1:]]
        words += [moved(each, task, port) for each in container.get("command") or ()]
        return Started(
            id_,
            Program(
                tuple(words),
                dict(os.environ) | environment,
                context.scratch,
                float(container.get("stopTimeout", 30)),
                after=(
                    (self.engine, "rm", "--force", "--volumes", name),
                    ("rm", "-rf", "--", str(own)),
                ),
            ),
            port,
            self._asked(name) if check else None,
        )

    def _tag(self, task: LocalTask) -> str:
        return f"{self.prefix}/{task.image}:local"

    def _asked(self, name: str) -> Health:
        """The engine does the checks; whoever asks it learns the outcome."""
        inspect = shlex.join((self.engine, "inspect", "--format", "{{.State.Health.Status}}", name))
        return Health(("sh", "-c", f'[ "$({inspect})" != unhealthy ]'), 5, 30, 1, 0)


@dataclass(frozen=True, slots=True)
class Mixed:
    """Runs Python packages as processes, and all other images as containers."""

    processes: Processes
    containers: Containers

    @property
    def isolates(self) -> bool:
        """Not all of them."""
        return False

    def builds(self, task: LocalTask, built: Path) -> Iterator[tuple[str, Program]]:
        """See `Launcher`."""
        return self._for(task).builds(task, built)

    def lacks(self, task: LocalTask) -> str | None:
        """See `Launcher`."""
        return self._for(task).lacks(task)

    def prepare(self, task: LocalTask, context: TaskContext) -> Started:
        """See `Launcher`."""
        return self._for(task).prepare(task, context)

    def _for(self, task: LocalTask) -> Processes | Containers:
        return self.processes if task.is_program else self.containers


def _isolation(task: LocalTask) -> list[str]:
    container: Mapping[str, Any] = task.container
    memory = int(task.definition["memory"])
    # The engine refuses more processors than there are, which ECS would not have placed the task on.
    cpus = min(int(task.definition["cpu"]) / 1024, os.cpu_count() or 1)
    words = ["--user", str(container["user"])] if "user" in container else []
    words += ["--memory", f"{memory}m", "--memory-swap", f"{memory}m"]
    words += ["--cpus", f"{cpus:g}", "--stop-timeout", str(container.get("stopTimeout", 30))]
    if container.get("readonlyRootFilesystem"):
        words.append("--read-only")
    linux = container.get("linuxParameters", {})
    for each in linux.get("capabilities", {}).get("drop", ()):
        words += ["--cap-drop", each]
    if linux.get("initProcessEnabled"):
        words.append("--init")
    if shared := linux.get("sharedMemorySize"):
        words += ["--shm-size", f"{shared}m"]
    return words


def _mounted(task: LocalTask, volumes: Path, own: Path) -> Iterator[str]:
    """The task's volumes.

    Space that lives as long as the task is a volume of the engine's, which takes over the permissions of the
    image's folder, as on ECS. Where the image says nothing of them, the task definition has a container that
    opens the folder first; here a folder of this machine, open to all, saves that.
    """
    for each in task.mounts:
        if each.memory is not None and each.path == SHARED_MEMORY:
            yield from ("--shm-size", f"{each.memory}m")
        elif each.memory is not None:
            yield from (
                "--tmpfs",
                f"{each.path}:{'ro' if each.read_only else 'rw'},mode=1777,size={each.memory}m",
            )
        elif not each.outlives and (task.is_program or each.path == TMP):
            yield from ("--volume", each.path)
        else:
            held = folder(each, volumes, own)
            held.mkdir(parents=True, exist_ok=True)
            held.chmod(0o777)
            yield from ("--volume", f"{held}:{each.path}{':ro' if each.read_only else ''}")


def _health(check: Health) -> list[str]:
    return [
        "--health-cmd", shlex.join(check.command),
        "--health-interval", f"{check.interval:g}s",
        "--health-timeout", f"{check.timeout:g}s",
        "--health-retries", str(check.retries),
        "--health-start-period", f"{check.start:g}s",
    ]  # fmt: skip


def find_engine() -> str:
    """The first engine that answers. Raises `Unprepared` with what each of them said."""
    said = []
    for engine in ENGINES:
        if shutil.which(engine) is None:
            said.append(f"{engine} is not installed")
            continue
        asked = subprocess.run([engine, "info"], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if not asked.returncode:
            return engine
        error = asked.stderr.strip().splitlines()
        said.append(f"{engine}: {error[-1] if error else 'does not answer'}")
    raise Unprepared("; ".join(said))
