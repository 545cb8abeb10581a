"""Compiled templates that are kept never change what is written."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from jinja2 import Environment, FileSystemLoader

from mlopsgen.text.bytecode import PycCache

FIRST, SECOND = "Hello {{ name }}!", "Good day, {{ name }}!"


@pytest.fixture(autouse=True)
def writing(monkeypatch: pytest.MonkeyPatch):
    """As in a shell without settings of Python's."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)


def render(folder: Path, settings: str = "", **options: bool) -> str:
    """By a new environment, as a new process would."""
    environment = Environment(
        loader=FileSystemLoader(folder), bytecode_cache=PycCache(settings), autoescape=False, **options
    )
    return environment.get_template("a.txt.j2").render(name="Ann")


def kept(folder: Path) -> Path:
    [file] = (folder / "__pycache__").iterdir()
    return file


def test_a_changed_template_is_compiled_anew(tmp_path: Path):
    for source, text in ((FIRST, "Hello Ann!"), (SECOND, "Good day, Ann!"), (FIRST, "Hello Ann!")):
        (tmp_path / "a.txt.j2").write_text(source)
        assert [render(tmp_path), render(tmp_path)] == [text, text]
        assert kept(tmp_path).suffix == ".pyc"


def test_what_was_kept_is_used(tmp_path: Path):
    """The code of one template under the head of another is believed: nothing is compiled again."""
    (tmp_path / "a.txt.j2").write_text(FIRST)
    render(tmp_path)
    head_of_first, code = split(kept(tmp_path).read_bytes())
    (tmp_path / "a.txt.j2").write_text(SECOND)
    render(tmp_path)
    head_of_second, _ = split(kept(tmp_path).read_bytes())
    assert head_of_first != head_of_second
    kept(tmp_path).write_bytes(head_of_second + code)
    assert render(tmp_path) == "Hello Ann!"


def split(content: bytes) -> tuple[bytes, bytes]:
    """What says which template it is, and its code: the first object of marshal's, of type code."""
    place = content.index(b"\xe3")
    return content[:place], content[place:]


def test_other_settings_are_another_template(tmp_path: Path):
    (tmp_path / "a.txt.j2").write_text("{% if name %}\nx{% endif %}")
    assert render(tmp_path, "plain") == "\nx"
    assert render(tmp_path, "trimmed", trim_blocks=True) == "x"


@pytest.mark.parametrize(
    "damage", [lambda content: content[:-9], lambda content: b"", lambda content: b"\0" * 99]
)
def test_a_damaged_file_is_replaced(tmp_path: Path, damage):
    (tmp_path / "a.txt.j2").write_text(FIRST)
    render(tmp_path)
    whole = kept(tmp_path).read_bytes()
    kept(tmp_path).write_bytes(damage(whole))
    assert render(tmp_path) == "Hello Ann!"
    assert split(kept(tmp_path).read_bytes())[0] == split(whole)[0]


def test_nothing_is_kept_where_python_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "a.txt.j2").write_text(FIRST)
    assert render(tmp_path) == "Hello Ann!"
    assert not (tmp_path / "__pycache__").exists()


def test_a_place_that_cannot_be_written_is_no_fault(tmp_path: Path):
    (tmp_path / "a.txt.j2").write_text(FIRST)
    (tmp_path / "__pycache__").write_text("not a folder")
    assert render(tmp_path) == "Hello Ann!"
