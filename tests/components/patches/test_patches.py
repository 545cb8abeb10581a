"""Patches reach everything, and whatever they break is found before AWS is asked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlopsgen.compile import compile_pipeline
from mlopsgen.diagnostics.diagnostic import Diagnostic, Rejected

HERE = Path(__file__).parent
BASE = (HERE / "base.yaml").read_text()


def table(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = yaml.safe_load((HERE / name).read_text())
    return found


def found(patch: dict[str, Any]) -> list[Diagnostic]:
    """What is said of the base with one patch: errors, or else warnings."""
    words = {
        word: patch[word] for word in ("stack", "resource", "container", "path", "value") if word in patch
    }
    stated = json.dumps({"name": "change", **words, "reason": "To see what comes of it"})
    try:
        compilations = compile_pipeline(f"{BASE}  patches: [{stated}]\n", "pipeline.yaml")
    except Rejected as rejected:
        return list(rejected.diagnostics)
    return [each for every in compilations for each in every.findings]


FAULTS = [each for each in table("faults.yaml") if "impossible" not in each]
LEGAL = table("legal.yaml")


@pytest.mark.parametrize("patch", FAULTS, ids=[each["fault"] for each in FAULTS])
def test_a_fault_is_found(patch: dict[str, Any]):
    """Each fault gets its code, at the patch, in words that name it."""
    said = [each for each in found(patch) if each.code == patch["code"]]
    assert [each for each in said if patch["says"] in each.message], found(patch)
    assert all(each.labels[0].span.line == BASE.count("\n") + 1 for each in said)
    if "help" in patch:
        assert patch["help"] in [each.help for each in said]


@pytest.mark.parametrize("patch", LEGAL, ids=[each["change"] for each in LEGAL])
def test_a_right_patch_passes(patch: dict[str, Any]):
    """What AWS takes gets neither an error nor a warning, but for those of the base."""
    (base,) = compile_pipeline(BASE, "pipeline.yaml")
    assert found(patch) == list(base.findings)


def test_of_fifty_faults_one_cannot_be_made():
    """The table holds all faults of the study, and each is found or impossible."""
    first = table("faults.yaml")[:50]
    assert (first[0]["fault"], first[-1]["fault"]) == ("alb_name_33", "readonly_attr")
    assert [each["fault"] for each in first if "impossible" in each] == ["unused_param"]
