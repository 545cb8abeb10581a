"""Every generated template passes the validators that a platform team would run."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cfnlint.api import lint
from cfnlint.config import ManualArgs
from cloudformation_validate import CompositeEngine

from tests.cases import CASE_IDS, CASES, Case
from tests.tools import needs


def templates() -> Iterator[tuple[str, Path]]:
    """Each different template once."""
    seen: set[str] = set()
    for case in CASES:
        for path in case.templates:
            text = path.read_text()
            if text not in seen:
                seen.add(text)
                yield f"{case.name}/{path.relative_to(case.expected)}", path


TEMPLATES = dict(templates())


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_finds_nothing(name: str):
    """Not even at the level of information, and with strict types."""
    config = ManualArgs(
        configure_rules={"E3012": {"strict": True}}, include_checks=["I"], regions=[region(TEMPLATES[name])]
    )
    findings = lint(TEMPLATES[name].read_text(), config=config)
    assert [f"{each.rule.id} {each.linenumber}: {each.message}" for each in findings] == []


@pytest.fixture(scope="session")
def engine() -> CompositeEngine:
    return CompositeEngine()


def test_cloudformation_validate_finds_nothing(engine: CompositeEngine):
    """AWS's own offline validation has nothing to say but which properties cannot be updated in place."""
    findings = [
        f"{name}: {each.severity.name} {each.rule_id} {each.message}"
        for name, path in TEMPLATES.items()
        for each in engine.validate_template(str(path)).diagnostics
        if each.severity.name != "INFO"
    ]
    assert findings == []


def test_checkov_finds_nothing_that_is_not_waived(tmp_path: Path):
    """Each waiver stands in the resource's own metadata, with its reason."""
    for number, path in enumerate(TEMPLATES.values()):
        (tmp_path / f"{number:03}-{path.name}").write_text(path.read_text())
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


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_no_template_needs_an_upload(case: Case):
    """`aws cloudformation deploy` takes up to 51,200 bytes without a bucket."""
    assert {
        path.name: len(path.read_bytes()) for path in case.templates if path.stat().st_size > 51_200
    } == {}


def region(path: Path) -> str:
    """The region that the template's environment is deployed to."""
    manifest = json.loads((path.parent.parent.parent / "manifest.json").read_text())
    return str(manifest["environments"][path.parent.parent.name]["region"])
