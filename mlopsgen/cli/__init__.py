"""The command line: one file per command, imported only when it is called."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from mlopsgen import __version__
from mlopsgen.diagnostics.fault import UserFault

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence
    from typing import Any

    from mlopsgen.diagnostics.diagnostic import Rejected

COMMANDS = {
    "build": "compile the pipeline into generated/, or check that it is up to date",
    "validate": "say everything that is wrong with the pipeline",
    "diff": "say what a merge will do to what is deployed, and which lines cause it",
    "render": "print one environment's merged pipeline, each value with the line it came from",
    "explain": "tell the story of a code, or document a part of the language",
    "schema": "print the language as JSON Schema, for editors",
    "init": "start a new project that builds at once",
    "local": "run the whole pipeline on this machine, on an embedded AWS",
    "completion": "print a shell's completion script",
}

PIPELINE = "pipeline.yaml"

DEEPEST = 32
"""Folders above this one in which the pipeline is looked for."""

ELSEWHERE = {
    "apply": "build",
    "check": "build --check",
    "compile": "build",
    "docs": "explain",
    "generate": "build",
    "lint": "validate",
    "new": "init",
    "forecast": "diff",
    "plan": "diff",
    "preview": "diff",
    "run": "local up",
    "synth": "build",
    "test": "validate",
}
"""What other tools call a command."""

GOOD, REJECTED, USAGE, BUG, INTERRUPTED = 0, 1, 2, 70, 130
BUGS = "https://github.com/mlopsgen/mlopsgen/issues"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command: 0 good; 1 rejected, stale or different; 2 usage; 70 our own bug; 130 interrupted."""
    _settle_streams()
    code = GOOD
    try:
        code = _run(list(sys.argv[1:] if argv is None else argv))
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever read our output has enough.
        _mute()
    except OSError as error:
        _mute()
        print(f"mlopsgen: cannot write the output: {error.strerror}", file=sys.stderr)
        code = code or REJECTED
    return code


def _run(arguments: list[str]) -> int:
    try:
        return _dispatch(arguments)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else USAGE
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        if isinstance(error, FileNotFoundError) and error.filename is None:
            return _failed(UserFault("the current folder no longer exists: go to another one"))
        # Any other OSError about no file is about the output.
        if isinstance(error, OSError) and error.filename is None and error.strerror:
            raise
        return _failed(error)


def _settle_streams() -> None:
    """Output that was closed goes nowhere, and a character that the terminal lacks is written in ASCII."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: PTH123, SIM115 - it lasts as long as the process
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _mute() -> None:
    """Nobody is to hear of a broken output again when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def parser(command: str | None = None, *, alone: bool = False) -> argparse.ArgumentParser:
    """The parser of all commands, or of `command` alone; only `command`, if given, has its options."""
    from mlopsgen.cli.arguments import Parser

    top = Parser(
        prog="mlopsgen",
        description="Compile one pipeline.yaml into what a machine-learning service needs on AWS ECS.",
        epilog="`mlopsgen COMMAND --help` says more of a command. Exit codes: 0 good; 1 rejected, stale or "
        "different; 2 not understood; 70 a bug of mlopsgen.",
    )
    top.add_argument("--version", action="version", version=f"mlopsgen {__version__}")
    subparsers = top.add_subparsers(
        title="commands", dest="command", metavar="COMMAND", required=True, prog=top.prog
    )
    for name, summary in COMMANDS.items():
        if alone and name != command:
            continue
        sub = subparsers.add_parser(name, help=summary, description=f"{summary[0].upper()}{summary[1:]}.")
        if name == command:
            sub.set_defaults(parser=sub)
            _module(name).configure(sub)
    return top


def _dispatch(arguments: list[str]) -> int:
    if not arguments:
        parser().print_help(sys.stderr)
        return USAGE
    command = next((word for word in arguments if not word.startswith("-")), None)
    known = command if command in COMMANDS else None
    # Who names a command first does not ask for the list of them.
    top = parser(known, alone=known is not None and arguments[0] == known)
    if command is not None and known is None and arguments[0] == command:
        if command == "help":
            top.print_help()
            return GOOD
        hint = _meant(command) or "; `mlopsgen --help` lists them"
        top.error(f"there is no command `{command}`{hint}")
    parsed, unknown = top.parse_known_args(arguments)
    if unknown:
        sub: argparse.ArgumentParser = parsed.parser
        options = [word for word in sub._option_string_actions if word.startswith("--")]
        sub.error(f"`{unknown[0]}` is too much{_nearest(unknown[0], options)}")
    return int(_module(parsed.command).run(parsed))


def _meant(command: str) -> str:
    """What somebody who names a command that does not exist may have meant."""
    from mlopsgen.cli.local import ACTIONS

    other = f"local {command}" if command in ACTIONS else ELSEWHERE.get(command)
    return f"; did you mean `mlopsgen {other}`?" if other else _nearest(command, COMMANDS)


def _nearest(word: str, known: Iterable[str]) -> str:
    from mlopsgen.diagnostics.closest import closest

    close = closest(word.split("=")[0], known)
    return f"; did you mean `{close}`?" if close else ""


def _module(name: str) -> Any:
    return import_module(f"{__name__}.{name}")


def _failed(error: Exception) -> int:
    """The one place where exceptions end: the user's fault is told, ours is reported."""
    from mlopsgen.diagnostics.diagnostic import Rejected
    from mlopsgen.manifest import Unwritable

    if isinstance(error, Rejected):
        show(error)
        return REJECTED
    if isinstance(error, UserFault | Unwritable):
        print(f"mlopsgen: {error}", file=sys.stderr)
        return REJECTED
    if os.environ.get("MLOPSGEN_DEBUG"):
        raise error
    print(
        f"mlopsgen: this is a bug of mlopsgen {__version__}, not a fault of yours: "
        f"{type(error).__name__}: {error}\n"
        f"Please report it at {BUGS}, with the pipeline and what MLOPSGEN_DEBUG=1 shows.",
        file=sys.stderr,
    )
    return BUG


def show(rejected: Rejected) -> None:
    """Print what is wrong on standard error, with the lines of the files that it points to."""
    from mlopsgen.diagnostics.text import render

    diagnostics = rejected.diagnostics
    print(render(diagnostics, sources(diagnostics), colour=colour(sys.stderr)), end="", file=sys.stderr)
    codes = sorted({each.code for each in diagnostics})
    print(f"`mlopsgen explain {codes[0]}` says more.", file=sys.stderr)


def sources(diagnostics: Sequence[Any]) -> dict[str, str]:
    """The text of each file that is pointed to, as far as it can be read."""
    from mlopsgen.source.read import shown

    names = {label.span.file for each in diagnostics for label in each.labels}
    return {name: text for name in names if (text := shown(name)) is not None}


def colour(stream: Any) -> bool:
    """Whether `stream` is a terminal that wants colour."""
    return bool(stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb")


def add_file(sub: argparse.ArgumentParser) -> None:
    """The file that a command reads: as an argument or with `-f`; the nearest `pipeline.yaml` by default."""
    sub.add_argument(
        "file", nargs="?", metavar="FILE", help="the pipeline (default: pipeline.yaml, here or above)"
    )
    sub.add_argument("-f", "--file", dest="option_file", metavar="FILE", help="the same")


def file_of(arguments: argparse.Namespace) -> str:
    """The file that the command is to read. Raises `UserFault` if two are named."""
    given = (getattr(arguments, "file", None), arguments.option_file)
    named = {name for name in given if name is not None}
    if len(named) > 1:
        raise UserFault(f"two files are named: {' and '.join(sorted(named))}; give one")
    return named.pop() if named else nearest_pipeline()


def nearest_pipeline() -> str:
    """The pipeline of this folder, or of the nearest one above in the same repository."""
    name = PIPELINE
    for _ in range(DEEPEST):
        if os.path.lexists(name):
            return name
        if os.path.lexists(f"{name.removesuffix(PIPELINE)}.git"):
            break
        name = f"{os.pardir}{os.sep}{name}"
    return PIPELINE
