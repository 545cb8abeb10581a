"""A run that this process carries: what `up` does, and `train` where nothing runs yet."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlopsgen.cli import GOOD, INTERRUPTED, file_of
from mlopsgen.diagnostics.fault import UserFault

if TYPE_CHECKING:
    from mlopsgen.local.blueprint import Blueprint
    from mlopsgen.local.state import Run, RunFolder
    from mlopsgen.local.tasks import Launcher
    from mlopsgen.promotion import Gate


def start(
    arguments: argparse.Namespace,
    *,
    port: int | None = None,
    once: bool = False,
    serve: bool = True,
    job: str | None = None,
    trigger: str = "",
    detached: bool = False,
    output: Path | None = None,
) -> int:
    """Make the folder this run's own, and run it to its end."""
    from dataclasses import replace
    from functools import partial

    from mlopsgen.local.blueprint import compiled
    from mlopsgen.local.embedded import apart
    from mlopsgen.local.show import Show
    from mlopsgen.local.state import Busy, RunFolder
    from mlopsgen.local.up import Local, Options, nothing_to_train

    name = file_of(arguments)
    path = Path(name)
    blueprint, artifacts = compiled(path, name, arguments.env)
    if trigger:
        triggered, trigger = blueprint.triggered(trigger)
        job = triggered.name
    elif job is not None:
        blueprint.job(job)
    elif not serve and not blueprint.trainers:
        raise UserFault(nothing_to_train(blueprint))
    if not arguments.containers:
        _check_programs(blueprint, job, serve=serve)
    engine, without = _engine(blueprint, needed=arguments.containers)
    options = Options(
        port=port,
        data=data_of(arguments.data),
        parameters=dict(arguments.parameter),
        gates=gates_of(arguments),
        once=once,
        detached=detached,
        serve=serve,
        only=job,
        trigger=trigger,
    )
    folder = RunFolder(path)
    try:
        mark = folder.take()
    except Busy:
        raise UserFault(busy(folder)) from None
    except OSError as error:
        raise UserFault(f"cannot write to {folder.root}: {error.strerror}") from None
    try:
        if detached:
            _redirect(folder)
        if engine:
            mark = replace(mark, engine=engine)
            folder.note(mark)
        launcher = _launcher(arguments, blueprint, mark, without)
        again = partial(_compiled_again, path, name, blueprint.environment)
        with apart():
            code = _serve(Local(blueprint, artifacts, folder, mark, options, launcher, Show(), again))
        if output is not None and code == GOOD:
            copy_models(folder, output)
        return code
    except OSError as error:
        raise UserFault(f"{error.filename or folder.root}: {error.strerror or error}") from None
    finally:
        folder.release()


def _compiled_again(path: Path, name: str, environment: str) -> Blueprint:
    from mlopsgen.local.blueprint import compiled

    return compiled(path, name, environment)[0]


def _check_programs(blueprint: Blueprint, job: str | None, *, serve: bool) -> None:
    """Raises `UserFault` if a program that is to run is sure to fail, here or in its image."""
    from mlopsgen.local.requirements import check

    jobs = blueprint.trainers if job is None else (blueprint.job(job),)
    check(blueprint.tasks if serve else jobs, blueprint.folder.resolve())


def _engine(blueprint: Blueprint, *, needed: bool) -> tuple[str, str]:
    """The container engine, if one is needed or of use, or why there is none. Raises `UserFault`."""
    from mlopsgen.local.containers import find_engine
    from mlopsgen.local.tasks import Unprepared

    if not needed and all(each.is_program for each in blueprint.tasks):
        return "", ""
    try:
        return find_engine(), ""
    except Unprepared as error:
        if needed:
            raise UserFault(f"--containers needs a Docker or Podman engine; {error}") from None
        return "", str(error)


def _launcher(arguments: argparse.Namespace, blueprint: Blueprint, mark: Run, without: str) -> Launcher:
    """How tasks are run: as processes, as containers, or each as it can."""
    from mlopsgen.local.containers import Containers, Mixed
    from mlopsgen.local.tasks import Processes

    if not mark.engine:
        return Processes(without)
    build_args = {name: str(value) for name, value in arguments.build_arg}
    containers = Containers(mark.engine, mark.run, blueprint.prefix, build_args)
    return containers if arguments.containers else Mixed(Processes(), containers)


def copy_models(folder: RunFolder, output: Path) -> None:
    """The models' versions, out of the copy that a run keeps of them."""
    import shutil

    for bucket in folder.store.iterdir():
        shutil.copytree(bucket, output, dirs_exist_ok=True)
    print(f"copied to {output}")


def _serve(local: Any) -> int:
    import asyncio

    interrupted = 0

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def stop() -> None:
            nonlocal interrupted
            interrupted += 1
            if interrupted == 1:
                local.stop()
            else:
                local.kill()

        for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(each, stop)
        await local.run()

    asyncio.run(main())
    return INTERRUPTED if interrupted and not local.ready else GOOD


def _redirect(folder: RunFolder) -> None:
    log = os.open(folder.logs / "up.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def need_tools() -> None:
    """Look for what a run needs before anything is started. Raises `UserFault`."""
    import importlib.util
    import shutil

    missing = [each for each in ("boto3", "h11", "moto", "rich") if importlib.util.find_spec(each) is None]
    if missing:
        names = ", ".join(f"`{each}`" for each in missing)
        raise UserFault(
            f"missing: {names}; install the extra `local`: `pip install '.[local]'` in a clone of mlopsgen"
        )
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    for each, help_ in (
        ("aws", "install the extra `local`: `pip install '.[local]'` in a clone of mlopsgen"),
        ("bash", "install it"),
    ):
        if shutil.which(each, path=tools) is None:
            raise UserFault(f"the command `{each}` is missing: {help_}")
    if not Path("/proc/self/environ").exists():
        raise UserFault(
            "`mlopsgen local` needs Linux's /proc; on another system run it in a Linux container or VM"
        )


def data_of(given: str | None) -> Path | None:
    """The data to put into raw/ first. Raises `UserFault` if there is none at the path."""
    if given is None:
        return None
    path = Path(given).resolve()
    if not path.exists():
        raise UserFault(f"--data {given}: there is no such file or folder")
    if path.is_dir() and not any(each.is_file() for each in path.rglob("*")):
        raise UserFault(f"--data {given}: the folder holds no file")
    return path


def gates_of(arguments: argparse.Namespace) -> dict[str, Gate]:
    """What a version has to reach, whatever the pipeline says. Raises `UserFault` if a bound is no number."""
    from mlopsgen.promotion import Gate, laid_over

    least = {name: Gate(at_least=_bound("--minimum", name, value)) for name, value in arguments.minimum}
    most = {name: Gate(at_most=_bound("--maximum", name, value)) for name, value in arguments.maximum}
    return laid_over(least, most)


def _bound(option: str, name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserFault(f"{option} {name}={value}: the value has to be a number")
    return value


def busy(folder: RunFolder) -> str:
    """What to say where a run is under way."""
    found = folder.read()
    who = f" (process {found.pid})" if found else ""
    return f"it runs already{who}: look with `mlopsgen local status`, stop it with `mlopsgen local down`"
