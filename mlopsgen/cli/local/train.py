"""`mlopsgen local train`: run a job, in the run that is under way or in one of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlopsgen.cli import GOOD, file_of
from mlopsgen.cli.local.running import ask, running, show
from mlopsgen.cli.local.start import copy_models, data_of, gates_of, need_tools, start
from mlopsgen.diagnostics.fault import UserFault


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once it has ended well. Raises `UserFault` if it cannot, or not here."""
    return run_job(arguments, job=arguments.job)


def run_job(arguments: argparse.Namespace, *, job: str | None = None, trigger: str = "") -> int:
    """Run a job, the one that has the trigger, or all that produce a model. Raises `UserFault`."""
    from mlopsgen.local.blueprint import compiled
    from mlopsgen.local.state import RunFolder

    data = data_of(arguments.data)
    output = Path(arguments.output_dir).absolute() if arguments.output_dir else None
    name = file_of(arguments)
    folder = RunFolder(Path(name))
    if not folder.busy():
        need_tools()
        return start(arguments, serve=False, job=job, trigger=trigger, output=output)
    if arguments.containers or arguments.env or gates_of(arguments) or arguments.build_arg:
        raise UserFault(
            "--env, --minimum, --maximum, --containers and --build-arg are those that `up` was started with"
        )
    found = running(arguments)
    # What is wrong with the pipeline is told with its lines, as by `validate`.
    compiled(Path(name), name, found.environment or None)
    told = ask(
        found,
        "run",
        job=job,
        trigger=trigger,
        data=str(data) if data else None,
        parameters=dict(arguments.parameter),
    )
    show(told, "the run was stopped before the job had ended")
    if output is not None:
        copy_models(folder, output)
    return GOOD
