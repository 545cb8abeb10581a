"""What the documents say is so."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from mlopsgen.cli import COMMANDS
from mlopsgen.compile import compile_pipeline
from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.diagnostics.text import render
from tests.cases import ROOT

README = (ROOT / "README.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("examples/*.md")])


def block(language: str) -> str:
    """The README's first block of that language."""
    found = re.search(rf"```{language}\n(.*?)```", README, re.DOTALL)
    assert found
    return found[1]


def test_the_first_commands_are_those_that_set_everything_up():
    """Whoever reads only the top can try it and test it."""
    assert [line.split("#")[0].strip() for line in block("sh").splitlines()] == ["make demo", "make test"]


def test_the_example_compiles():
    """The pipeline in the README is a whole one."""
    compilations = compile_pipeline(block("yaml"), "pipeline.yaml")
    assert [each.environment for each in compilations] == ["dev", "prod"]


def test_the_fault_is_told_as_shown():
    """Misspelt as the README shows it, the example gives exactly what the README shows."""
    text = block("yaml").replace("reads: [raw]", "reads: [row]")
    with pytest.raises(Rejected) as rejected:
        compile_pipeline(text, "pipeline.yaml")
    errors = [each for each in rejected.value.diagnostics if each.severity == "error"]
    assert render(errors, {"pipeline.yaml": text}, colour=False).startswith(block("text"))


def test_every_command_is_listed():
    """And no command that there is not."""
    assert set(re.findall(r"`mlopsgen (\w+)[^`]*` \|", README)) | {"explain"} == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path):
    """Each relative link names a file or folder that is there."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []
