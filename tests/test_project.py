"""What a team finds around the code: locked versions, a licence, addresses that agree."""

from __future__ import annotations

import hashlib
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.requirements import Requirement

from mlopsgen.cli import BUGS
from mlopsgen.diagnostics.machine import HOME
from mlopsgen.emit.workflow import ACTIONS
from tests.tools import ROOT, needs

WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
HOOKS = ROOT / ".pre-commit-config.yaml"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


LOCKS = ("constraints.txt", "constraints-checkov.txt", "constraints-triton-client.txt")


def locked(name: str) -> dict[str, str]:
    """The version of each package in a constraints file."""
    lines = [line for line in (ROOT / name).read_text().splitlines() if not line.startswith("#")]
    return dict(line.lower().replace("_", "-").split("==") for line in lines)


@pytest.mark.parametrize(
    "name", ["constraints.txt", "constraints-checkov.txt", "constraints-triton-client.txt"]
)
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


def test_zizmor_has_nothing_to_say_of_our_own_workflow():
    """The auditor of GitHub's workflows, at its strictest, as for the workflows that we generate."""
    command = [needs("zizmor"), "--offline", "--no-progress", "--persona", "auditor", "--format", "plain"]
    run = subprocess.run([*command, WORKFLOW], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_our_own_workflow_is_what_githubs_schema_wants():
    command = [needs("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", WORKFLOW]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stdout + run.stderr


def test_our_own_workflow_uses_the_actions_that_we_generate():
    """By the very commits."""
    used = set(re.findall(r"uses: (.*)", WORKFLOW.read_text()))
    assert used and used <= set(ACTIONS.values())


def test_every_python_that_we_name_is_tested():
    """What the package's classifiers promise is what the workflow runs."""
    named = [each.rpartition(" ")[2] for each in PROJECT["classifiers"] if ":: 3." in each]
    assert yaml.safe_load(WORKFLOW.read_text())["jobs"]["test"]["strategy"]["matrix"]["python"] == named
    assert PROJECT["requires-python"] == f">={named[0]}"


def test_hooks_are_what_pre_commit_reads():
    subprocess.run([needs("pre-commit"), "validate-config", HOOKS], check=True)


def test_hooks_run_what_make_check_runs():
    """Out of the project's own environment, so that a commit fetches nothing."""
    hooks = [
        hook for repository in yaml.safe_load(HOOKS.read_text())["repos"] for hook in repository["hooks"]
    ]
    assert {hook["language"] for hook in hooks} == {"unsupported"}
    recipe = re.search(r"^check:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    commands = re.findall(r"\$\(BIN\)/(.*)", recipe[1])
    words = [re.sub(r" --(check|force-exclude)| \.$", "", each) for each in commands]
    run = [re.sub(r" --(check|force-exclude)|^\.venv/bin/", "", hook["entry"]) for hook in hooks]
    assert run == words


def test_services_listen_where_they_are_told():
    """On a laptop that is this machine alone, and not the network that it is in."""
    sources = [
        path for folder in ("app", "examples", "templates/init") for path in (ROOT / folder).rglob("*.py")
    ]
    said = [path for path in sources if "0.0.0.0" in path.read_text()]
    assert said
    assert [path for path in said if "HOST" not in path.read_text()] == []
