"""What each known pipeline becomes, byte for byte."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

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


def permuted(text: str) -> str:
    """The same document with the keys of every map, and every list of named things, the other way round."""
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    for node in {id(each): each for each in nodes(root)}.values():
        if isinstance(node, yaml.MappingNode) or all(named(each) for each in node.value):
            node.value.reverse()
    return yaml.serialize(root, Dumper=yaml.SafeDumper)


def nodes(node: yaml.Node) -> Iterator[yaml.CollectionNode]:
    """Every map and list below `node`."""
    if isinstance(node, yaml.CollectionNode):
        yield node
    children = node.value if isinstance(node, yaml.SequenceNode) else ()
    if isinstance(node, yaml.MappingNode):
        children = [value for _, value in node.value]
    for child in children:
        yield from nodes(child)


def named(node: yaml.Node) -> bool:
    """Whether it is a map that has a name."""
    return isinstance(node, yaml.MappingNode) and any(key.value == "name" for key, _ in node.value)


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
    turned = tmp_path / "pipeline.yaml"
    turned.write_text(permuted(case.pipeline.read_text()))
    assert turned.read_text() != case.pipeline.read_text()
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
    # What services and trainers share comes from their sections.
    unseen = modules - origins - {"foundation", "models", "observability", "secrets", "serving", "training"}
    assert not unseen
