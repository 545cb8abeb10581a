"""`docs/language.md`: the reference as a page."""

from __future__ import annotations

import re
import subprocess

import pytest

from mlopsgen.spec.page import page
from tests.cases import ROOT
from tests.cli.commands import MLOPSGEN

PAGE = ROOT / "docs" / "language.md"


def test_page_is_current(bless: bool):
    """What stands in docs/ is what the language's models say."""
    if bless:
        PAGE.write_text(page())
    assert PAGE.read_text() == page()


def test_links_lead_somewhere():
    """Each link within the page leads to a heading of it."""
    text = page()
    headings = re.findall(r"^#+ `?(.+?)`?$", text, re.MULTILINE)
    anchors = {heading.replace(".", "").replace(" ", "-").lower() for heading in headings}
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= anchors
    assert len(anchors) == len(headings)


def test_example_compiles():
    """The page's example of environments is a pipeline, once it has a head."""
    from mlopsgen.compiler import compile_pipeline

    (example,) = re.findall(r"```yaml\n(.*?)```", page(), re.DOTALL)
    head = "apiVersion: mlopsgen.io/v1\nkind: Pipeline\nmetadata: {name: demo}\n"
    text = head + example.replace("spec:\n", "spec:\n  aws: {region: eu-west-1}\n")
    assert compile_pipeline(text, "pipeline.yaml").environments == ("dev", "prod")


@pytest.mark.parametrize("name", ["language.md", "editor.md"])
def test_documented_commands_are_understood(name: str):
    """Each command that the pages name exists, with the options that they show."""
    text = (ROOT / "docs" / name).read_text()
    commands = re.findall(r"(?:^|`|\$\()mlopsgen ([a-z][^`|>)\\\n]*)", text, re.MULTILINE)
    for command in sorted(set(commands)):
        words = command.split()
        done = subprocess.run([MLOPSGEN, *words, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
