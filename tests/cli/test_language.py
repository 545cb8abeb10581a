"""`docs/language.md`: the reference as a page."""

from __future__ import annotations

import re
import subprocess

import pytest

from mlopsgen.language.page import page
from mlopsgen.model.pipeline import Pipeline
from tests.cases import ROOT
from tests.cli.commands import MLOPSGEN

PAGE = ROOT / "docs" / "language.md"


def test_page_is_current(bless: bool):
    """What stands in docs/ is what the language's models say."""
    if bless:
        PAGE.write_text(page(Pipeline))
    assert PAGE.read_text() == page(Pipeline)


def test_links_lead_somewhere():
    """Each link within the page leads to a heading of it."""
    text = page(Pipeline)
    headings = re.findall(r"^#+ `?(.+?)`?$", text, re.MULTILINE)
    anchors = {heading.replace(".", "").replace(" ", "-").lower() for heading in headings}
    assert set(re.findall(r"\(#([^)]+)\)", text)) <= anchors
    assert len(anchors) == len(headings)


def test_examples_compile():
    """The page's examples are pipelines, once they have a head and the images that they name."""
    from mlopsgen.compile import compile_pipeline

    head = "apiVersion: mlopsgen.io/v1\nkind: Pipeline\nmetadata: {name: demo}\n"
    found = re.findall(r"```yaml\n(.*?)```", page(Pipeline), re.DOTALL)
    environments = []
    for example in found:
        more = "" if "  images:" in example else "  images: [{name: app}]\n"
        more += "" if "  environments:" in example else "  environments: {alone: {}}\n"
        text = head + example.replace("spec:\n", f"spec:\n  aws: {{region: eu-west-1}}\n{more}")
        environments.append([each.environment for each in compile_pipeline(text, "pipeline.yaml")])
    assert environments == [["alone"], ["dev", "prod"]]


@pytest.mark.parametrize("name", ["language.md", "editor.md"])
def test_documented_commands_are_understood(name: str):
    """Each command that the pages name exists, with the options that they show."""
    text = (ROOT / "docs" / name).read_text()
    commands = re.findall(r"(?:^|`|\$\()mlopsgen ([a-z][^`|>)\\\n]*)", text, re.MULTILINE)
    for command in sorted(set(commands)):
        words = command.split()
        done = subprocess.run([MLOPSGEN, *words, "--help"], capture_output=True, text=True)
        assert done.returncode == 0, (command, done.stderr)
