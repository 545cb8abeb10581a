"""What a team finds around the code: locked versions, a licence, addresses that agree."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from mlopsgen.cli import BUGS
from mlopsgen.diagnostics.machine import HOME

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


def locked(name: str) -> dict[str, str]:
    """The version of each package in a constraints file."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


@pytest.mark.parametrize("name", ["constraints.txt", "constraints-checkov.txt"])
def test_locks_hold_on_every_machine(name: str):
    """Exact versions alone: no address, no path, no hash of one platform's file, no build of one machine."""
    lines = (ROOT / name).read_text().splitlines()[1:]
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []
    assert "pip" in locked(name)


def test_all_that_the_project_asks_for_is_locked():
    """Whatever an extra names is in the lock, in a version that the extra allows."""
    versions = locked("constraints.txt")
    for requirements in (PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()):
        asked = {each.name.lower(): each.specifier for each in map(Requirement, requirements)}
        assert {name: versions[name] for name in asked if versions[name] not in asked[name]} == {}


def test_licence_is_apaches_own_text():
    """The Apache License 2.0 to the letter; only the line that asks for a name has one."""
    assert PROJECT["license"] == "Apache-2.0"
    text = (ROOT / "LICENSE").read_text()
    standard = text.replace("2026 the mlopsgen authors", "[yyyy] [name of copyright owner]")
    assert standard != text
    assert (
        hashlib.sha256(standard.encode()).hexdigest()
        == "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"
    )


def test_addresses_agree():
    """The package, the command line and SARIF name one home."""
    assert PROJECT["urls"]["Homepage"] == HOME
    assert PROJECT["urls"]["Issues"] == BUGS == f"{HOME}/issues"
    assert f"{HOME}/security/advisories/new" in (ROOT / "SECURITY.md").read_text()
