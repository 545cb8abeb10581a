"""`mlopsgen local train`: train, in the run that is under way or in one of its own."""

from __future__ import annotations

import argparse
from pathlib import Path

from mlopsgen.cli import GOOD, Fault
from mlopsgen.cli.local.running import ask, running
from mlopsgen.cli.local.start import copy_models, data_of, need_tools, start


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0 once it is trained. Raises `Fault` if it cannot be, or not here."""
    from mlopsgen.local.state import Folder

    data = data_of(arguments.data)
    output = Path(arguments.output).absolute() if arguments.output else None
    folder = Folder(Path(arguments.file))
    if not folder.busy():
        need_tools()
        return start(arguments, serve=False, only=arguments.trainer, output=output)
    if arguments.containers or arguments.env or arguments.minimum or arguments.build_arg:
        raise Fault("--env, --minimum, --containers and --build-arg are those that `up` was started with")
    answers = ask(
        running(arguments),
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
        copy_models(folder, output)
    return GOOD
