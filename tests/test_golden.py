"""What each known pipeline becomes, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from mlopsgen.components import components
from tests.cases import CASE_IDS, CASES, ROOT, Case


def build(case: Case, pipeline: Path, output: Path, seed: str) -> dict[str, bytes]:
    """Build `pipeline` in a process of its own with hash seed `seed`, and read what it wrote."""
    subprocess.run(
        [sys.executable, "-m", "mlopsgen", "build", pipeline.name, "-o", output],
        cwd=pipeline.parent,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return tree(output)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def permuted(document: Any) -> Any:
    """The same document with the keys of every map, and every list of named things, the other way round."""
    match document:
        case dict():
            return {key: permuted(document[key]) for key in reversed(document)}
        case [{"name": _}, *_]:
            return [permuted(item) for item in reversed(document)]
        case list():
            return [permuted(item) for item in document]
        case _:
            return document


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_output_is_what_was_reviewed(case: Case, tmp_path: Path, bless: bool):
    """The set of paths and every byte are those that stand in Git."""
    built = build(case, case.pipeline, tmp_path / "out", seed="1")
    if bless:
        bless_tree(built, case.expected)
    expected = tree(case.expected)
    assert sorted(built) == sorted(expected)
    for path, content in built.items():
        assert content.decode() == expected[path].decode(), path


@pytest.mark.parametrize("case", CASES, ids=CASE_IDS)
def test_order_changes_no_byte(case: Case, tmp_path: Path):
    """Another hash seed, and the keys and named things the other way round, give the same bytes."""
    document = yaml.load(case.pipeline.read_text(), Loader=yaml.BaseLoader)
    turned = tmp_path / "pipeline.yaml"
    turned.write_text(dump(permuted(document)))
    for sibling in case.pipeline.parent.iterdir():
        if sibling.is_dir() and not sibling.name.startswith(".") and sibling != case.expected:
            shutil.copytree(sibling, tmp_path / sibling.name)
    built = build(case, turned, tmp_path / "out", seed="2")
    expected = tree(case.expected)
    assert sorted(built) == sorted(expected)
    for path, content in built.items():
        if path != "manifest.json":
            assert content.decode() == expected[path].decode(), path
    # Of the manifest only the digest of the input may differ.
    assert json.loads(built["manifest.json"])["outputs"] == json.loads(expected["manifest.json"])["outputs"]


def dump(document: Any) -> str:
    """The document with every scalar as it was written: plain ones plain, so that numbers stay numbers."""

    class Dumper(yaml.SafeDumper):
        def ignore_aliases(self, data: Any) -> bool:
            return True

    return yaml.dump(retyped(document), Dumper=Dumper, sort_keys=False)


def retyped(document: Any) -> Any:
    from mlopsgen.source.parse import resolve

    match document:
        case dict():
            return {key: retyped(value) for key, value in document.items()}
        case list():
            return [retyped(item) for item in document]
        case _:
            return resolve(document)


def bless_tree(built: dict[str, bytes], expected: Path) -> None:
    for path in tree(expected):
        if path not in built:
            (expected / path).unlink()
    for path, content in built.items():
        target = expected / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if path.endswith(".sh"):
            target.chmod(0o755)


def test_every_component_has_a_golden_case():
    """A component that no known pipeline declares would be built by nobody."""
    modules = {type(component).__module__.rsplit(".", 1)[1] for component in components()}
    origins = {
        line.strip().removeprefix("from: spec.").split(".")[0]
        for case in CASES
        for template in case.templates
        for line in template.read_text().splitlines()
        if line.strip().startswith("from: spec.")
    }
    unseen = modules - origins - {"foundation", "models", "secrets", "observability"}
    assert not unseen
