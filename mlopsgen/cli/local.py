"""`mlopsgen local`: the whole pipeline on this machine, without an account."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlopsgen.cli import GOOD, INTERRUPTED, Fault

if TYPE_CHECKING:
    from mlopsgen.local.state import Folder, Run

STOP_TIME = 150
"""Seconds that a run gets to end: a trainer may take 120 s of them to save its work."""

START = "nothing runs here: start it with `mlopsgen local up`"


def configure(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)

    def action(name: str, summary: str) -> argparse.ArgumentParser:
        sub = actions.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name != "deploy":
            sub.add_argument(
                "-f",
                "--file",
                default="pipeline.yaml",
                metavar="FILE",
                help="the pipeline (default: pipeline.yaml)",
            )
        return sub

    up = action("up", "deploy, train and serve on this machine, until Ctrl-C")
    up.add_argument("--port", type=_port, help="where the load balancer listens (default: 8080); 0 for any")
    _add_training(up)
    _add_start(up)
    up.add_argument("--detach", action="store_true", help="return when it serves; `local down` stops it")
    up.add_argument("--once", action="store_true", help="stop after the first predictions")
    up.add_argument("--detached", action="store_true", help=argparse.SUPPRESS)

    status = action("status", "show what runs, which model is served, and which metrics arrived")
    status.add_argument("-o", "--output", choices=("text", "json"), default="text", help="the form")

    logs = action("logs", "show what the tasks printed")
    logs.add_argument(
        "name", nargs="?", metavar="NAME", help="a trainer, a service, `deploy` or `load-balancer`"
    )
    logs.add_argument("--follow", action="store_true", help="go on with what comes")
    logs.add_argument("-n", "--lines", type=int, default=20, help="how many of the last lines (default: 20)")

    train = action("train", "train; services that run follow without a failed request")
    train.add_argument("trainer", nargs="?", metavar="NAME", help="the trainer (default: all)")
    train.add_argument("--output", metavar="FOLDER", help="copy the published versions there")
    _add_training(train)
    _add_start(
        train.add_argument_group("if nothing runs yet", "Then what trains is deployed first, for as long.")
    )

    predict = action("predict", "ask the service")
    predict.add_argument(
        "text", nargs="*", metavar="TEXT", help="what to classify (default: the service's examples)"
    )
    predict.add_argument("--json", metavar="BODY", help="send this JSON instead")
    predict.add_argument("--path", help="where to (default: /predict; for examples, what has some)")

    action("down", "stop what runs, and clear what a run left")

    deploy = action(
        "deploy", "run an environment's deploy.sh against an embedded AWS, and list what then exists"
    )
    deploy.add_argument("--env", metavar="NAME", help="the environment (default: the only one, or `dev`)")
    deploy.add_argument("-d", "--generated", metavar="FOLDER", default="generated", help="what was built")
    deploy.add_argument("-o", "--output", choices=("text", "json"), default="text", help="the list's form")


def _add_training(sub: argparse.ArgumentParser) -> None:
    sub.add_argument("--data", metavar="PATH", help="a file or folder to put into raw/ first")
    sub.add_argument(
        "--hyperparameter",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=VALUE",
        help="instead of the pipeline's, such as epochs=1",
    )


def _add_start(sub: argparse._ActionsContainer) -> None:
    sub.add_argument("--env", metavar="NAME", help="the environment (default: the only one, or `dev`)")
    sub.add_argument(
        "--minimum",
        action="append",
        type=_pair,
        default=[],
        metavar="METRIC=VALUE",
        help="promote from this value on, whatever the pipeline says",
    )
    sub.add_argument(
        "--containers",
        action="store_true",
        help="build the images, and run tasks as containers (Docker or Podman)",
    )
    sub.add_argument(
        "--build-arg",
        action="append",
        type=_pair,
        default=[],
        metavar="NAME=VALUE",
        help="for the images, such as PYTHON_IMAGE=python@sha256:…",
    )


def _pair(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"`{text}` is not NAME=VALUE")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _port(text: str) -> int:
    if text.isdecimal() and int(text) <= 65535:
        return int(text)
    raise argparse.ArgumentTypeError(f"`{text}` is not a port: 0 to 65535")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 1 if something fails that the text explains, or nothing runs that could be asked."""
    return _ACTIONS[arguments.action](arguments)


# up


def _up(arguments: argparse.Namespace) -> int:
    _prepared()
    _data(arguments.data)
    _minimum(arguments)
    if arguments.detach and not arguments.detached:
        return _detach(arguments)
    return _start(arguments, port=arguments.port, once=arguments.once, detached=arguments.detached)


def _minimum(arguments: argparse.Namespace) -> dict[str, float]:
    minimum = dict(arguments.minimum)
    for name, value in minimum.items():
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise Fault(f"--minimum {name}={value}: the value has to be a number")
    return minimum


def _start(
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

    from mlopsgen.local.blueprint import Unknown, compiled
    from mlopsgen.local.containers import Containers, find_engine
    from mlopsgen.local.show import Show
    from mlopsgen.local.state import Busy, Folder
    from mlopsgen.local.tasks import Launcher, Processes, Unprepared
    from mlopsgen.local.up import Local, Options, Stop

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
        data=_data(arguments.data),
        hyperparameters=dict(arguments.hyperparameter),
        minimum=_minimum(arguments),
        once=once,
        detached=detached,
        serve=serve,
        only=only,
    )
    folder = Folder(path)
    try:
        mark = folder.take()
    except Busy:
        raise Fault(_busy(folder)) from None
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
            _copy(folder, output)
        return code
    except (Stop, Unprepared) as error:
        raise Fault(str(error)) from None
    except OSError as error:
        raise Fault(f"{error.filename or folder.root}: {error.strerror or error}") from None
    finally:
        folder.release()


def _copy(folder: Folder, output: Path) -> None:
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


def _prepared() -> None:
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


def _data(given: str | None) -> Path | None:
    if given is None:
        return None
    path = Path(given).absolute()
    if not path.exists():
        raise Fault(f"--data {given}: there is no such file or folder")
    if path.is_dir() and not any(each.is_file() for each in path.rglob("*")):
        raise Fault(f"--data {given}: the folder holds no file")
    return path


def _busy(folder: Folder) -> str:
    found = folder.read()
    who = f" (process {found.pid})" if found else ""
    return f"it runs already{who}: look with `mlopsgen local status`, stop it with `mlopsgen local down`"


def _detach(arguments: argparse.Namespace) -> int:
    """Run it in a session of its own, and show what it says until it serves."""
    from mlopsgen.local.state import Folder

    folder = Folder(Path(arguments.file))
    if folder.busy():
        raise Fault(_busy(folder))
    words = [word for word in sys.argv[1:] if word != "--detach"]
    child = subprocess.Popen(
        [sys.executable, "-m", "mlopsgen", *words, "--detached"],
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )
    seen = 0
    try:
        while True:
            code = child.poll()
            seen = _show_new(folder.logs / "up.log", seen)
            if code is not None:
                return code
            found = folder.read()
            if found and found.pid == child.pid and found.ready:
                _show_new(folder.logs / "up.log", seen)
                return GOOD
            time.sleep(0.1)
    except KeyboardInterrupt:
        child.terminate()
        child.wait()
        raise


def _show_new(path: Path, seen: int) -> int:
    try:
        with path.open("rb") as file:
            file.seek(seen)
            new = file.read()
    except OSError:
        return seen
    sys.stdout.write(new.decode("utf-8", "replace"))
    sys.stdout.flush()
    return seen + len(new)


def _redirect(folder: Folder) -> None:
    log = os.open(folder.logs / "up.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.close(log)


# The others


def _running(arguments: argparse.Namespace) -> Run:
    from mlopsgen.local.state import Folder

    folder = Folder(Path(arguments.file))
    found = folder.read()
    if found is None or not folder.busy():
        raise Fault(START)
    return found


def _call(found: Run, action: str, **given: Any) -> Iterator[Any]:
    from mlopsgen.local.control import Unreachable, call

    try:
        yield from call(found, action, **given)
    except Unreachable as error:
        raise Fault(f"the run (process {found.pid}) does not answer: {error}") from None


def _status(arguments: argparse.Namespace) -> int:
    [status] = _call(_running(arguments), "status")
    if arguments.output == "json":
        print(json.dumps(status, indent=2))
        return GOOD
    for line in _described(status):
        print(line)
    return GOOD


def _described(status: Any) -> Iterator[str]:
    minutes = (time.time() - status["since"]) / 60
    doing = "serving" if status["ready"] else "starting"
    yield f"environment   {status['environment']}: {doing}, up {minutes:.0f} min"
    yield f"embedded AWS  {status['aws'] or 'starting'}"
    for scheme, url in status["urls"].items():
        yield f"load balancer {url}/ ({scheme})"
    for service in status["services"]:
        healthy = sum(task["state"] in ("healthy", "running") for task in service["tasks"])
        yield f"service       {service['name']}: {healthy} of {service['wanted']} healthy"
        for task in service["tasks"]:
            why = f" ({task['reason']})" if task["reason"] else ""
            yield f"  {task['id']}  {task['state']}{why}, port {task['port']}, process {task['pid']}"
    for model in status["models"]:
        yield f"model         {model['name']}: {model['current'] or 'none'} is current"
        for version in model["versions"]:
            yield f"  {version}"
    if status["metrics"]:
        yield f"metrics       {', '.join(status['metrics'])}"
    yield f"logs          {status['logs']}"


def _train(arguments: argparse.Namespace) -> int:
    from mlopsgen.local.state import Folder

    data = _data(arguments.data)
    output = Path(arguments.output).absolute() if arguments.output else None
    folder = Folder(Path(arguments.file))
    if not folder.busy():
        _prepared()
        return _start(arguments, serve=False, only=arguments.trainer, output=output)
    if arguments.containers or arguments.env or arguments.minimum or arguments.build_arg:
        raise Fault("--env, --minimum, --containers and --build-arg are those that `up` was started with")
    answers = _call(
        _running(arguments),
        "train",
        trainer=arguments.trainer,
        data=str(data) if data else None,
        hyperparameters=dict(arguments.hyperparameter),
    )
    ended = False
    for each in answers:
        if "fault" in each:
            raise Fault(each["fault"])
        if "line" in each:
            print(each["line"], flush=True)
        ended = ended or bool(each.get("done"))
    if not ended:
        raise Fault("the run was stopped while it trained")
    if output is not None:
        _copy(folder, output)
    return GOOD


def _predict(arguments: argparse.Namespace) -> int:
    from mlopsgen.local.predict import PATH, Example, Unpredictable, examples, predict

    if arguments.json and arguments.text:
        raise Fault("give a text or --json, not both")
    [status] = _call(_running(arguments), "status")
    if not status["ready"]:
        raise Fault("nothing is served yet: `mlopsgen local logs --follow` shows how far it is")
    if not status["urls"]:
        raise Fault("no service has an ingress, so there is nobody to ask")
    url = next(iter(status["urls"].values()))
    tasks = [
        f"http://127.0.0.1:{task['port']}" for service in status["services"] for task in service["tasks"]
    ]
    path = arguments.path or PATH
    try:
        if arguments.json:
            asked: Sequence[Example] = [Example(json.loads(arguments.json))]
        elif arguments.text:
            asked = [Example({"text": " ".join(arguments.text)})]
        else:
            path, asked = examples([url, *tasks], arguments.path)
        for each in asked:
            if not (arguments.text or arguments.json):
                print(each.text)
            print(predict(url, each, path))
    except Unpredictable as error:
        raise Fault(str(error)) from None
    except ValueError as error:
        raise Fault(f"--json: {error}") from None
    return GOOD


def _logs(arguments: argparse.Namespace) -> int:
    from mlopsgen.local.follow import NoLogs, follow, last
    from mlopsgen.local.state import Folder

    folder = Folder(Path(arguments.file))
    try:
        for line in last(folder.logs, arguments.name, arguments.lines):
            print(line)
    except NoLogs as error:
        raise Fault(str(error) if error.args else START) from None
    if arguments.follow:
        for line in follow(folder.logs, arguments.name, folder.busy):
            print(line, flush=True)
    return GOOD


def _down(arguments: argparse.Namespace) -> int:
    from mlopsgen.local.state import Folder, sweep

    folder = Folder(Path(arguments.file))
    found = folder.read()
    if not folder.root.exists():
        print("nothing runs here")
        return GOOD
    if folder.busy() and found:
        _end(found.pid)
        print("stopped")
    else:
        print("nothing runs here; cleared what the last run left")
    if found:
        sweep(found.run, found.engine)
    folder.remove()
    return GOOD


def _end(pid: int) -> None:
    """Ask a run to end, and wait until it has; it is not asked for ever."""
    import select

    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, patience in ((signal.SIGTERM, STOP_TIME), (signal.SIGKILL, 10)):
            signal.pidfd_send_signal(process, number)
            if select.select([process], [], [], patience)[0]:
                return
    except ProcessLookupError:
        return
    finally:
        os.close(process)


def _deploy(arguments: argparse.Namespace) -> int:
    from mlopsgen.local.deploy import DeploymentFailed, deploy
    from mlopsgen.local.embedded import Unavailable, embedded_aws
    from mlopsgen.local.inventory import inventory
    from mlopsgen.manifest import read_manifest

    generated = Path(arguments.generated)
    manifest = read_manifest(generated)
    if not manifest:
        raise Fault(f"{generated} holds nothing that was built: run `mlopsgen build` first")
    name = _environment(arguments.env, list(manifest["environments"]))
    facts = manifest["environments"][name]
    quiet = arguments.output == "json"

    def say(line: str) -> None:
        if not quiet:
            print(line, flush=True)

    try:
        with embedded_aws(facts["region"], generated / name) as aws:
            say(f"embedded AWS on {aws.endpoint}, region {aws.region}")
            deploy(aws, generated / name, facts["repositories"], facts["afterImages"], say)
            found = list(inventory(aws, facts["prefix"]))
    except (Unavailable, DeploymentFailed) as error:
        raise Fault(str(error)) from None
    if quiet:
        print(json.dumps({each.call: list(each.names) for each in found}, indent=2))
        return GOOD
    say("\nwhat now exists, as each service reports it:")
    for each in found:
        say(f"  aws {each.call}")
        for item in each.names:
            say(f"    {item}")
    return GOOD


def _environment(wanted: str | None, known: list[str]) -> str:
    name = wanted or (known[0] if len(known) == 1 else "dev")
    if name not in known:
        raise Fault(f"there is no environment `{name}`: choose one with --env from {', '.join(known)}")
    return name


_ACTIONS = {
    "deploy": _deploy,
    "down": _down,
    "logs": _logs,
    "predict": _predict,
    "status": _status,
    "train": _train,
    "up": _up,
}
