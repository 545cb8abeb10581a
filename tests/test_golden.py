"""What known pipelines become, byte for byte: two whole trees, and the stacks of each component."""

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

from tests.cases import ROOT, Case, cases

TESTS = Path(__file__).parent

WHOLE = {
    "imdb-sentiment": (ROOT / "pipeline.yaml", ROOT / "generated"),
    "everything": (TESTS / "golden" / "pipeline.yaml", TESTS / "golden" / "expected"),
}
"""The pipelines whose whole output is reviewed, and what that is."""

SMALL = sorted(path.parent for path in (TESTS / "components").glob("*/pipeline.yaml"))
"""For each component a small pipeline, and in `expected/` the templates that are the component's own."""


def build(pipeline: Path, output: Path, seed: str) -> dict[str, bytes]:
    """Build `pipeline` in a process of its own with hash seed `seed`, and read what it wrote."""
    subprocess.run(
        [sys.executable, "-m", "mlopsgen", "build", pipeline.name, "-d", output],
        cwd=pipeline.parent,
        env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    return tree(output)


def tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
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
    """Every map and list below `node`, but for lists whose order means something."""
    if isinstance(node, yaml.CollectionNode):
        yield node
    children = node.value if isinstance(node, yaml.SequenceNode) else ()
    if isinstance(node, yaml.MappingNode):
        # The first port is the main one, and stages are delivered in their order.
        children = [value for key, value in node.value if key.value not in ("ports", "stages")]
    for child in children:
        yield from nodes(child)


def named(node: yaml.Node) -> bool:
    """Whether it is a map that has a name."""
    return isinstance(node, yaml.MappingNode) and any(key.value == "name" for key, _ in node.value)


def accept(found: dict[str, bytes], expected: Path) -> None:
    """Make `expected` hold exactly what was found."""
    for path in tree(expected):
        if path not in found:
            (expected / path).unlink()
    for path, content in found.items():
        target = expected / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
        if path.endswith(".sh"):
            target.chmod(0o755)


def compare(found: dict[str, bytes], expected: Path) -> None:
    reviewed = tree(expected)
    assert sorted(found) == sorted(reviewed)
    for path, content in found.items():
        assert content.decode() == reviewed[path].decode(), path


@pytest.mark.parametrize("name", WHOLE)
def test_output_is_what_was_reviewed(name: str, tmp_path: Path, bless: bool):
    """The set of paths and every byte are those that stand in Git; but for digests, which nobody reviews."""
    pipeline, expected = WHOLE[name]
    found = build(pipeline, tmp_path / "out", seed="1")
    if name != "imdb-sentiment":
        del found["manifest.json"]
    if bless:
        accept(found, expected)
    compare(found, expected)


@pytest.mark.parametrize("folder", SMALL, ids=[each.name for each in SMALL])
def test_components_become_what_was_reviewed(folder: Path, tmp_path: Path, bless: bool):
    """Of a component's small pipeline, the templates that are its own are those that stand in Git."""
    expected = folder / "expected"
    found = build(folder / "pipeline.yaml", tmp_path / "out", seed="1")
    own = {path: content for path, content in found.items() if path in tree(expected)}
    if bless:
        accept(own, expected)
    compare(own, expected)
    assert own


CASES = (*cases(), Case("everything", TESTS / "golden" / "pipeline.yaml"))


@pytest.mark.parametrize("case", CASES, ids=[each.name for each in CASES])
def test_order_changes_no_byte(case: Case, tmp_path: Path):
    """Another hash seed, and the keys and named things the other way round, give the same bytes."""
    turned = tmp_path / "pipeline.yaml"
    turned.write_text(permuted(case.pipeline.read_text()))
    assert turned.read_text() != case.pipeline.read_text()
    for context in {image.context for each in case.compilations for image in each.plan.images}:
        shutil.copytree(case.pipeline.parent / context, tmp_path / context, dirs_exist_ok=True)
    found, expected = build(turned, tmp_path / "generated", seed="2"), tree(case.built)
    assert sorted(found) == sorted(expected)
    for path, content in found.items():
        if path != "manifest.json":
            assert content.decode() == expected[path].decode(), path
    # Of the manifest only the digest of the input may differ.
    assert json.loads(found["manifest.json"])["outputs"] == json.loads(expected["manifest.json"])["outputs"]


def test_every_component_has_a_small_pipeline():
    """What a component becomes is reviewed by itself, apart from what the others add."""
    folders = {path.parent.name for path in (ROOT / "mlopsgen" / "components").glob("*/resources.py")}
    assert {each.name for each in SMALL} == folders


def test_a_constant_changes_few_files():
    """How much a container may log is written into few files of the tests, so that its diff can be read."""
    held = [path for path in TESTS.rglob("*") if path.suffix in (".yaml", ".json") and path.is_file()]
    assert len([path for path in held if "max-buffer-size" in path.read_text()]) <= 10
