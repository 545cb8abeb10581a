"""A run that this process carries: what `up` does, and `train` where nothing runs yet."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlopsgen.cli import GOOD, INTERRUPTED, Fault

if TYPE_CHECKING:
    from mlopsgen.local.state import Folder


def start(
    arguments: argparse.Namespace,
    *,
    port: int | None = None,
    once: bool = False,
    serve: bool = True,
    only: str | None = None,
    detached: bool = False,
    output: Path | None = None,
) -> int:
    """Make the folder this run's own, and run it to its end."""
    from dataclasses import replace

    from mlopsgen.local.account import Stop
    from mlopsgen.local.blueprint import Unknown, compiled
    from mlopsgen.local.containers import Containers, find_engine
    from mlopsgen.local.show import Show
    from mlopsgen.local.state import Busy, Folder
    from mlopsgen.local.tasks import Launcher, Processes, Unprepared
    from mlopsgen.local.up import Local, Options

    path = Path(arguments.file)
    try:
        engine = find_engine() if arguments.containers else ""
        blueprint, artifacts = compiled(path, arguments.env)
    except (Unprepared, Unknown) as error:
        raise Fault(str(error)) from None
    trainers = [each.name for each in blueprint.trainers]
    if only is not None and only not in trainers:
        raise Fault(f"there is no trainer `{only}`; there are: {', '.join(trainers)}")
    options = Options(
        port=port,
        data=data_of(arguments.data),
        hyperparameters=dict(arguments.hyperparameter),
        minimum=minimum_of(arguments),
        once=once,
        detached=detached,
        serve=serve,
        only=only,
    )
    folder = Folder(path)
    try:
        mark = folder.take()
    except Busy:
        raise Fault(busy(folder)) from None
    except OSError as error:
        raise Fault(f"cannot write to {folder.root}: {error.strerror}") from None
    try:
        if detached:
            _redirect(folder)
        launcher: Launcher = Processes()
        if engine:
            mark = replace(mark, engine=engine)
            folder.note(mark)
            build_args = {name: str(value) for name, value in arguments.build_arg}
            launcher = Containers(engine, mark.run, blueprint.prefix, build_args)
        code = _serve(Local(blueprint, artifacts, folder, mark, options, launcher, Show()))
        if output is not None and code == GOOD:
            copy_models(folder, output)
        return code
    except (Stop, Unprepared) as error:
        raise Fault(str(error)) from None
    except OSError as error:
        raise Fault(f"{error.filename or folder.root}: {error.strerror or error}") from None
    finally:
        folder.release()


def copy_models(folder: Folder, output: Path) -> None:
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


def _redirect(folder: Folder) -> None:
    log = os.open(folder.logs / "up.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


def need_tools() -> None:
    """Look for what a run needs before anything is started. Raises `Fault`."""
    import importlib.util
    import shutil

    missing = [each for each in ("boto3", "h11", "moto", "rich") if importlib.util.find_spec(each) is None]
    if missing:
        names = ", ".join(f"`{each}`" for each in missing)
        raise Fault(f"missing: {names}; install the extra with `pip install 'mlopsgen[local]'`")
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    for each, help_ in (
        ("aws", "install the extra with `pip install 'mlopsgen[local]'`"),
        ("bash", "install it"),
    ):
        if shutil.which(each, path=tools) is None:
            raise Fault(f"the command `{each}` is missing: {help_}")
    if not Path("/proc/self/environ").exists():
        raise Fault(
            "`mlopsgen local` needs Linux's /proc; on another system run it in a Linux container or VM"
        )


def data_of(given: str | None) -> Path | None:
    """The data to put into raw/ first. Raises `Fault` if there is none at the path."""
    if given is None:
        return None
    path = Path(given).absolute()
    if not path.exists():
        raise Fault(f"--data {given}: there is no such file or folder")
    if path.is_dir() and not any(each.is_file() for each in path.rglob("*")):
        raise Fault(f"--data {given}: the folder holds no file")
    return path


def minimum_of(arguments: argparse.Namespace) -> dict[str, float]:
    """What a version has to reach to be promoted. Raises `Fault` if a value is no number."""
    minimum = dict(arguments.minimum)
    for name, value in minimum.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Fault(f"--minimum {name}={value}: the value has to be a number")
    return minimum


def busy(folder: Folder) -> str:
    """What to say where a run is under way."""
    found = folder.read()
    who = f" (process {found.pid})" if found else ""
    return f"it runs already{who}: look with `mlopsgen local status`, stop it with `mlopsgen local down`"
