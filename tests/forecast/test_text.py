"""What a reader sees on a terminal, to the letter."""

from __future__ import annotations

import pytest

from mlopsgen.forecast.forms import text
from tests.cases import ROOT
from tests.forecast.known import BASE, edited, told

EXPECTED = ROOT / "tests" / "forecast" / "expected"

SECOND = """\
    - name: admin
      image: app
      ports: [{name: http, port: 8080}]
      ingress: [{name: web, loadBalancer: public, paths: [/admin]}]
  delivery:
"""

EDITS = {
    "nothing": [],
    "comment": [("spec:\n", "spec:\n  # Only a comment.\n")],
    "more-replicas": [("replicas: {min: 2, max: 4, metrics", "replicas: {min: 2, max: 14, metrics")],
    "port-and-check": [("port: 8080", "port: 9090"), ("path: /ready", "path: /health")],
    "internal": [("loadBalancer: public", "loadBalancer: internal")],
    "network": [
        ("natGateways: single", "natGateways: single, cidr: 10.9.0.0/16"),
        ("min: 2, max: 4", "min: 3, max: 4"),
    ],
    "encryption": [("  images:", "  encryption: {awsManaged: {}}\n  images:")],
    "reads-more": [("reads: [raw]", "reads: [raw, models]")],
    "renamed-service": [("name: api\n", "name: web\n"), ("{name: api,", "{name: web,")],
    "second-service": [("  delivery:\n", SECOND)],
    "environment-gone": [
        ("    dev: {services: [{name: api, replicas: {min: 1, max: 2}}]}\n", ""),
        ("{name: dev}, ", ""),
    ],
    "environment-new": [
        ("    prod: {}\n", "    prod: {}\n    qa: {}\n"),
        ("{name: prod,", "{name: qa}, {name: prod,"),
    ],
    "renamed-pipeline": [("name: shop}", "name: store}")],
}  # fmt: skip


@pytest.mark.parametrize("name", EDITS)
def test_text(name: str, bless: bool):
    """Each edit is told as it stands in `expected/`."""
    found = text.write(told(BASE, edited(BASE, *EDITS[name])))
    path = EXPECTED / f"{name}.txt"
    if bless:
        path.write_text(found)
    assert found == path.read_text()


@pytest.mark.parametrize("name", EDITS)
def test_fits_a_terminal(name: str):
    """No line is wider than 80 columns, but for a word that has no place to break."""
    found = text.write(told(BASE, edited(BASE, *EDITS[name])))
    assert [line for line in found.splitlines() if len(line) > 80 and " " in line.strip()] == []


def test_colour_changes_no_word():
    """On a terminal that takes colour the words are the same."""
    report = told(BASE, edited(BASE, *EDITS["internal"]))
    painted = text.write(report, colour=True)
    assert "\x1b[" in painted
    for code in ("1", "31", "32", "33", "0"):
        painted = painted.replace(f"\x1b[{code}m", "")
    assert "".join(painted.split()) == "".join(text.write(report).split())


def test_verbose_names_what_follows_and_the_sources():
    """With `-v` nothing is folded."""
    report = told(BASE, edited(BASE, *EDITS["encryption"]))
    assert "~ follow:" in text.write(report)
    found = text.write(report, verbose=True)
    assert "~ follow:" not in found
    assert "source: " in found
