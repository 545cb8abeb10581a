"""What holds for every command: help, exit codes, and outputs that go nowhere."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlopsgen import cli
from mlopsgen.cli import COMMANDS, main
from tests.cases import ROOT
from tests.cli.commands import MLOPSGEN, run

GOOD = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
"""


@pytest.mark.parametrize("command", ["", *COMMANDS, "local deploy"])
def test_help_fits_the_terminal(command: str, tmp_path: Path):
    """Every command explains itself in 80 columns."""
    done = run(*command.split(), "--help", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert done.stdout.startswith(f"usage: mlopsgen {command}".rstrip())


def arguments(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every argument of a parser and of those below it."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from arguments(below)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_argument_has_a_word_of_help(command: str):
    """No option is listed without what it does."""
    named = [each for each in arguments(cli.parser(command)) if each.dest not in ("command", "action")]
    assert [each.dest for each in named if not each.help] == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["biuld"], "there is no command `biuld`; did you mean `build`?"),
        (["zzz"], "there is no command `zzz`; `mlopsgen --help` lists them"),
        ([], "usage: mlopsgen [-h] [--version] COMMAND ..."),
        (["plan"], "there is no command `plan`; did you mean `mlopsgen diff`?"),
        (["restart"], "there is no command `restart`; did you mean `mlopsgen local restart`?"),
        (["local", "restat"], "`mlopsgen local` has no action `restat`; did you mean `restart`?"),
        (["local", "zzz"], "`mlopsgen local` has no action `zzz`; there are: up, status, logs,"),
        (["local", "up", "--prot", "1"], "`--prot` is too much; did you mean `--port`?"),
        (["build", "--chekc"], "`--chekc` is too much; did you mean `--check`?"),
        (["build", "a.yaml", "b.yaml"], "`b.yaml` is too much"),
        (["render", "-o", "jsno"], "invalid choice: 'jsno'"),
        (["init"], "the following arguments are required: NAME"),
        (["completion", "tcsh"], "invalid choice: 'tcsh'"),
    ],
)
def test_usage_errors_say_what_was_meant(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]):
    """What is not understood gets exit code 2 and the nearest that is."""
    assert main(arguments) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_an_option_means_the_same_everywhere(command: str):
    """`-o` is the form of what is printed, `-f` the pipeline, `-d` a folder that is written."""
    for action in arguments(cli.parser(command)):
        names = set(action.option_strings)
        if names & {"-o", "--output"}:
            assert names == {"-o", "--output"}
            assert action.choices
        if names & {"-f", "--file"}:
            assert (names, action.metavar) == ({"-f", "--file"}, "FILE")
        if names & {"-d", "--output-dir"}:
            assert (names, action.metavar) == ({"-d", "--output-dir"}, "FOLDER")


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]):
    """`mlopsgen help` is `mlopsgen --help`."""
    assert main(["help"]) == 0
    helped = capsys.readouterr().out
    assert main(["--help"]) == 0
    assert capsys.readouterr().out == helped


def test_the_pipeline_is_looked_for_above(tmp_path: Path):
    """In the folders above, up to the root of the repository; its output lies beside it."""
    (tmp_path / "pipeline.yaml").write_text(GOOD)
    below = tmp_path / "model" / "data"
    below.mkdir(parents=True)
    assert run("validate", cwd=below).stdout == "../../pipeline.yaml: nothing is wrong\n"
    assert run("build", cwd=below).returncode == 0
    assert run("build", "--check", cwd=tmp_path).stdout == "generated: up to date\n"
    asked = run("local", "status", cwd=below).stderr
    assert asked == "mlopsgen: nothing runs here: start it with `mlopsgen local up`\n"
    (tmp_path / "model" / ".git").mkdir()
    assert "there is no such file" in run("validate", cwd=below).stdout
    asked = run("local", "status", cwd=below).stderr
    assert asked.startswith("mlopsgen: there is no pipeline.yaml here or above: ")


def test_a_folder_that_is_gone(tmp_path: Path):
    """It is said so, and not that the output could not be written."""
    command = f"mkdir gone && cd gone && rmdir ../gone && exec {MLOPSGEN} local status"
    done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "mlopsgen: the current folder no longer exists: go to another one\n"


FILE_COMMANDS = (["build"], ["validate"], ["render"])


@pytest.mark.parametrize("command", FILE_COMMANDS, ids=" ".join)
def test_missing_file(command: list[str], tmp_path: Path):
    """A file that is not there is the user's to mend: exit code 1, and how to go on."""
    done = run(*command, cwd=tmp_path)
    assert done.returncode == 1
    assert "there is no such file" in done.stdout + done.stderr
    assert "mlopsgen init NAME" in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", FILE_COMMANDS, ids=" ".join)
def test_two_files(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Two different files are one too many."""
    assert main([*command, "a.yaml", "-f", "b.yaml"]) == 1
    assert capsys.readouterr().err == "mlopsgen: two files are named: a.yaml and b.yaml; give one\n"


LONG = [
    ["schema"],
    ["render", "--env", "prod", "--defaults"],
    ["explain", "spec"],
    ["--help"],
    ["completion", "zsh"],
]


@pytest.mark.parametrize("command", LONG, ids=" ".join)
def test_reader_that_stops_reading(command: list[str]):
    """`mlopsgen ... | head -1` ends without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([MLOPSGEN, *command], cwd=ROOT, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", LONG, ids=" ".join)
def test_closed_output(command: list[str]):
    """With its output closed, a command does its work in silence."""
    line = f"exec {MLOPSGEN} {' '.join(command)} >&-"
    done = subprocess.run(["bash", "-c", line], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_full_disk():
    """Output that cannot be written is an error, and says why."""
    with Path("/dev/full").open("w") as full:
        done = subprocess.run([MLOPSGEN, "schema"], stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1
    assert done.stderr == "mlopsgen: cannot write the output: No space left on device\n"


def test_terminal_without_unicode(tmp_path: Path):
    """A character that the terminal lacks does not end in a traceback."""
    (tmp_path / "pipeline.yaml").write_text(GOOD.replace("demo", "démo"))
    done = run("validate", cwd=tmp_path, env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 1
    assert r"`d\xe9mo` does not fit `name`" in done.stdout


def test_our_own_bug(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """What no user can be blamed for says so, with exit code 70 and without a traceback."""

    def broken(name: str) -> object:
        raise KeyError("surprise")

    monkeypatch.setattr(cli, "_module", broken)
    monkeypatch.delenv("MLOPSGEN_DEBUG", raising=False)
    assert main(["schema"]) == 70
    said = capsys.readouterr().err
    assert "this is a bug of mlopsgen" in said
    assert "Traceback" not in said


def test_runs_as_a_module(tmp_path: Path):
    """`python -m mlopsgen` is `mlopsgen`."""
    command = [sys.executable, "-m", "mlopsgen", "--version"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == run("--version", cwd=tmp_path).stdout
