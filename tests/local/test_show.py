"""What a run says on a terminal, and elsewhere."""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import pytest

from mlopsgen.local.show import Show


class Terminal(io.StringIO):
    """A terminal of 40 columns."""

    def isatty(self) -> bool:
        """Always."""
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Where standard output goes."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def a_step(terminal: Terminal) -> None:
    """A step that tells of two things, and has one that stays."""
    with redirect_stdout(terminal):
        show = Show()
        with show.step("training", keep=True) as tell:
            tell("reading")
            tell("accuracy 0.96")
        show.note("boto3 1.44.8, not 1.44.5; pydantic-core 2.14")


def test_the_last_of_a_step_stays_to_be_read(terminal: Terminal) -> None:
    """And a long line is broken between words."""
    a_step(terminal)
    said = terminal.getvalue()
    assert "\x1b[2m  accuracy 0.96\x1b[0m\n" in said
    assert said.endswith("  boto3 1.44.8, not 1.44.5;\n    pydantic-core 2.14\n")


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_no_colour_means_no_dim_either(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    """Whoever wants none gets no style at all."""
    monkeypatch.setenv(name, value)
    a_step(terminal)
    said = terminal.getvalue()
    assert "  accuracy 0.96\n" in said
    assert "m  accuracy" not in said
    assert "\x1b[3" not in said
