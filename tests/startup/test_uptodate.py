"""What is remembered of builds that had nothing left to do."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from mlopsgen.startup.uptodate import known, remember, state
from tests.cases import case


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[str, str]:
    """A pipeline and its output, and a memory of its own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = case("minimal")
    return str(project.pipeline), str(project.built)


def test_a_state_is_known_with_its_warnings_once_it_is_remembered(built: tuple[str, str]):
    """No state, and one that nobody has seen, are not."""
    found = state(*built, None)
    assert found is not None
    assert (known(found), known(None)) == (None, None)
    remember(found, "warning: an\nodd \x1b[1mone\n")
    assert known(found) == "warning: an\nodd \x1b[1mone\n"
    assert known("0" * 64) is None


def test_the_memory_is_the_users_alone(built: tuple[str, str], tmp_path: Path):
    """Warnings quote lines of a pipeline."""
    remember(state(*built, None), "")
    memory = tmp_path / "cache" / "mlopsgen" / "built"
    assert stat.S_IMODE(memory.stat().st_mode) == 0o600


def test_an_environment_alone_is_another_state(built: tuple[str, str]):
    """What `--env` left says nothing of the others."""
    assert state(*built, None) != state(*built, "default")


def test_a_package_that_was_edited_where_it_is_installed_is_seen(
    built: tuple[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    """Editing a file touches no folder."""
    source = tmp_path / "site-packages" / "pydantic" / "deep" / "main.py"
    source.parent.mkdir(parents=True)
    source.write_text("x = 1\n")
    monkeypatch.syspath_prepend(source.parents[2])
    before = state(*built, None)
    assert before == state(*built, None) is not None
    os.utime(source, ns=(0, 0))
    assert state(*built, None) != before


def test_the_memory_keeps_the_newest(built: tuple[str, str], tmp_path: Path):
    """It does not grow beyond a bound."""
    states = [f"{number:064}" for number in range(1200)]
    for each in states:
        remember(each, "a warning")
    memory = tmp_path / "cache" / "mlopsgen" / "built"
    assert memory.stat().st_size < 70_000
    assert known(states[-1]) == "a warning"
    assert known(states[0]) is None
