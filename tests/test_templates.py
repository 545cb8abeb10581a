"""Every generated template passes the validators that a platform team would run."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cloudformation_validate import CompositeEngine

from tests.cases import KNOWN, KNOWN_IDS, Case
from tests.tools import needs


def templates(case: Case) -> dict[str, Path]:
    """Each different template of a case once, by its place."""
    found = {path.read_text(): path for path in reversed(case.templates)}
    return {f"{case.name}/{path.relative_to(case.built)}": path for path in reversed(found.values())}


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_cfn_lint_finds_nothing(case: Case):
    """Not even at the level of information, and with strict types."""
    found = []
    for name, path in templates(case).items():
        config = ManualArgs(
            configure_rules={"E3012": {"strict": True}}, include_checks=["I"], regions=[region(path)]
        )
        findings = lint(path.read_text(), config=config)
        found += [f"{name}:{each.linenumber} {each.rule.id} {each.message}" for each in findings]
    assert found == []


@pytest.fixture(scope="session")
def engine() -> CompositeEngine:
    return CompositeEngine()


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_cloudformation_validate_finds_nothing(engine: CompositeEngine, case: Case):
    """AWS's own offline validation has nothing to say but which properties cannot be updated in place."""
    findings = [
        f"{name}: {each.severity.name} {each.rule_id} {each.message}"
        for name, path in templates(case).items()
        for each in engine.validate_template(str(path)).diagnostics
        if each.severity.name != "INFO"
    ]
    assert findings == []


def test_checkov_finds_nothing_that_is_not_waived(tmp_path: Path):
    """Each waiver stands in the resource's own metadata, with its reason."""
    for case in KNOWN:
        for name, path in templates(case).items():
            (tmp_path / name.replace("/", "-")).write_text(path.read_text())
    run = subprocess.run(
        [needs("checkov"), "--directory", tmp_path, "--framework", "cloudformation", "--output", "json",
         "--compact", "--quiet", "--skip-download"],
        capture_output=True, text=True,
    )  # fmt: skip
    report = json.loads(run.stdout)
    failed = report["results"]["failed_checks"]
    assert report["summary"]["parsing_errors"] == 0
    assert report["summary"]["passed"] > 100
    assert [f"{each['check_id']} {each['file_path']} {each['resource']}" for each in failed] == []


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_no_template_needs_an_upload(case: Case):
    """`aws cloudformation deploy` takes up to 51,200 bytes without a bucket."""
    assert {
        path.name: len(path.read_bytes()) for path in case.templates if path.stat().st_size > 51_200
    } == {}


def region(path: Path) -> str:
    """The region that the template's environment is deployed to."""
    manifest = json.loads((path.parent.parent.parent / "manifest.json").read_text())
    return str(manifest["environments"][path.parent.parent.name]["region"])
