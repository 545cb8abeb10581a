"""What real shells offer when TAB is pressed."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import time
from pathlib import Path

import pytest

from mlopsgen.cli import COMMANDS
from mlopsgen.cli.completion import candidates
from tests.tools import BIN, needs

SHELLS = ("bash", "fish", "zsh")

START = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "--no-rcs", "-i"],
    "fish": ["fish", "--no-config", "--interactive"],
}
READY = {
    "bash": "PS1='READY> '; bind 'set enable-bracketed-paste off'",
    "zsh": "PS1='READY> '; autoload -Uz compinit; compinit -D; unsetopt PROMPT_SP",
    "fish": "function fish_prompt; echo 'READY> '; end; function fish_right_prompt; end",
}
LOAD = {
    "bash": 'eval "$(mlopsgen completion bash)"',
    "zsh": 'eval "$(mlopsgen completion zsh)"',
    "fish": "mlopsgen completion fish | source",
}


class Terminal:
    """A shell on a terminal of its own."""

    def __init__(self, program: str, shell: str, folder: Path) -> None:
        environment = {
            "HOME": str(folder), "LANG": "C.UTF-8", "PATH": f"{BIN}:{os.environ['PATH']}", "TERM": "dumb",
        }  # fmt: skip
        self.process, self.terminal = pty.fork()
        if self.process == 0:
            os.chdir(folder)
            os.execve(program, START[shell], environment)
        self.seen = ""
        for line in (READY[shell], LOAD[shell]):
            self.type(line + "\n")
        self.type("echo a'n'd go\n")
        self.wait(r"and go\r?\n")

    def type(self, text: str) -> None:
        os.write(self.terminal, text.encode())

    def wait(self, pattern: str, seconds: float = 120) -> str:
        """What was shown until `pattern` was."""
        end = time.monotonic() + seconds
        while not re.search(pattern, self.seen):
            ready, _, _ = select.select([self.terminal], [], [], max(end - time.monotonic(), 0))
            assert ready, f"{pattern!r} was not shown, but:\n{self.seen}"
            self.seen += os.read(self.terminal, 4096).decode(errors="replace")
        shown, self.seen = self.seen, ""
        return shown

    def close(self) -> None:
        os.close(self.terminal)
        os.waitpid(self.process, 0)


PIPELINE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  environments: {production: {}, staging: {}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a pipeline, and another whose name has a space."""
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    other = tmp_path / "other place"
    other.mkdir()
    (other / "second one.yaml").write_text(PIPELINE.replace("demo", "second").replace("staging", "test"))
    return tmp_path


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        pytest.param(
            "mlopsgen rend\t--env stag\t-o js\t\n", '"name": "demo"', id="command, environment, form"
        ),
        pytest.param("mlopsgen render --env=prod\t-o js\t\n", '"name": "demo"', id="after an equals sign"),
        pytest.param(
            "mlopsgen render other\\ pl\tsec\t--env tes\t -o json\n",
            '"name": "second"',
            id="a path with spaces",
        ),
        pytest.param("mlopsgen local dep\t--he\t\n", "mlopsgen local deploy", id="a command of a command"),
        pytest.param("mlopsgen explain spec.mon\t\n", "Who hears of alarms", id="a key of the language"),
    ],
)
def test_tab_completes(shell: str, typed: str, shown: str, project: Path):
    """On a real terminal, what TAB writes is a command that runs."""
    terminal = Terminal(needs(shell), shell, project)
    terminal.type(typed)
    try:
        terminal.wait(re.escape(shown))
    finally:
        terminal.close()


@pytest.mark.parametrize("shell", SHELLS)
def test_scripts_are_sound(shell: str):
    """Each shell reads its script without a word."""
    script = subprocess.run(
        [BIN / "mlopsgen", "completion", shell], capture_output=True, text=True, check=True
    )
    checked = subprocess.run(
        [needs(shell), "-n"], input=script.stdout, capture_output=True, text=True, check=True
    )
    assert checked.stderr == ""


def offered(*words: str) -> list[str]:
    return [each.word for each in candidates(words)]


def test_first_word_is_a_command():
    """Every command is offered, and only those that fit what is typed."""
    assert offered("") == list(COMMANDS)
    assert offered("va") == ["validate"]
    assert offered("nosuch", "") == []


def test_options_are_offered_once():
    """An option that stands in the line already is not offered again."""
    assert "--defaults" in offered("render", "--")
    assert "--defaults" not in offered("render", "--defaults", "--")


def test_environments_are_those_of_the_named_file(project: Path, monkeypatch: pytest.MonkeyPatch):
    """The pipeline named by argument or option is read; a broken or missing one offers nothing."""
    monkeypatch.chdir(project)
    assert offered("build", "--env", "") == ["production", "staging"]
    assert offered("render", "-f", "other place/second one.yaml", "--env", "") == ["production", "test"]
    assert offered("render", "other place/second one.yaml", "--env", "p") == ["production"]
    assert offered("render", "missing.yaml", "--env", "") == []
    (project / "pipeline.yaml").write_text("spec: {environments: [")
    assert offered("build", "--env", "") == []


def test_a_run_s_things_are_those_of_the_nearest_pipeline(project: Path, monkeypatch: pytest.MonkeyPatch):
    """`local logs` and the like are offered what the pipeline calls its workloads, from folders below too."""
    (project / "pipeline.yaml").write_text(
        "spec: {jobs: [{name: trainer}], services: [{name: api}, x], workers: [{name: queue}]}"
    )
    (project / "below").mkdir()
    monkeypatch.chdir(project / "below")
    assert offered("local", "train", "") == ["trainer"]
    assert offered("local", "restart", "") == ["api", "queue"]
    assert offered("local", "env", "t") == ["trainer"]
    aside = ["deploy", "embedded-aws", "load-balancer"]
    assert offered("local", "logs", "") == ["trainer", "api", "queue", *aside]
    assert offered("local", "logs", "-f", "missing.yaml", "") == aside


def test_without_environments_there_is_one(project: Path, monkeypatch: pytest.MonkeyPatch):
    """A pipeline that declares none has the environment `default`."""
    monkeypatch.chdir(project)
    (project / "pipeline.yaml").write_text(
        PIPELINE.replace("environments: {production: {}, staging: {}}", "")
    )
    assert offered("build", "--env", "") == ["default"]
