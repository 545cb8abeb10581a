"""The plan of the house: packages stand on floors, and nothing imports from a higher one."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.cases import ROOT

FLOORS = (
    (
        "mlopsgen/__init__",
        "mlopsgen/discovery",
        "mlopsgen/document",
        "mlopsgen/regular",
        "mlopsgen/diagnostics/*",
    ),
    ("mlopsgen/source/*",),
    ("mlopsgen/language/*",),
    ("mlopsgen/components/*/spec", "mlopsgen/components/*/__init__"),
    ("mlopsgen/aws/*",),
    ("mlopsgen/model/*",),
    ("mlopsgen/parts/*",),
    ("mlopsgen/components/*",),
    ("mlopsgen/rules/*", "mlopsgen/components/*/rules"),
    ("mlopsgen/lower",),
    ("mlopsgen/text/*", "mlopsgen/manifest", "mlopsgen/artifacts"),
    ("mlopsgen/motion/*",),
    ("mlopsgen/emit/*",),
    ("mlopsgen/compile",),
    ("mlopsgen/forecast/*",),
    ("mlopsgen/promotion", "mlopsgen/local/*"),
    ("mlopsgen/startup/*",),
    ("mlopsgen/cli/*",),
    ("mlopsgen/__main__",),
)
"""From the ground up. A file belongs to the first floor that names it most closely."""


def floor_of(path: str) -> int:
    """The floor of a file, such as `mlopsgen/model/site`: the one whose pattern says most of it."""
    found = [
        (len(pattern.replace("*", "")), number)
        for number, patterns in enumerate(FLOORS)
        for pattern in patterns
        if re.fullmatch(pattern.replace("*", "[^ ]*"), path)
    ]
    assert found, f"{path} stands on no floor: give it one in FLOORS"
    return max(found)[1]


def files() -> Iterator[str]:
    for path in sorted((ROOT / "mlopsgen").rglob("*.py")):
        yield path.relative_to(ROOT).with_suffix("").as_posix()


def imports(path: str) -> Iterator[str]:
    """The modules of the house that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse((ROOT / f"{path}.py").read_text())):
        match node:
            case ast.Import(names=names):
                words = [each.name for each in names]
            case ast.ImportFrom(module=str(module), names=names, level=0):
                words = [f"{module}.{each.name}" for each in names] + [module]
            case _:
                continue
        for word in words:
            at = word.replace(".", "/")
            for candidate in (at, f"{at}/__init__"):
                if word.startswith("mlopsgen") and (ROOT / f"{candidate}.py").is_file():
                    yield candidate


@pytest.mark.parametrize("path", list(files()))
def test_no_import_climbs(path: str):
    """A file imports from its own floor and from those below."""
    own = floor_of(path)
    climbing = {
        f"{path} imports {other}"
        for other in imports(path)
        if other != "mlopsgen/__init__" and floor_of(other) > own
    }
    assert not climbing


def test_packages_are_not_knotted():
    """No packages import each other in a circle; a component's folder counts by its floors."""
    arrows: dict[str, set[str]] = {}
    for path in files():
        for other in imports(path):
            if room(path) != room(other) and other != "mlopsgen/__init__":
                arrows.setdefault(room(path), set()).add(room(other))
    done: set[str] = set()
    while rest := {name: others - done for name, others in arrows.items() if name not in done}:
        ready = {other for others in rest.values() for other in others if other not in rest}
        ready |= {name for name, others in rest.items() if not others}
        assert ready - done, f"a circle among {sorted(rest)}"
        done |= ready


def room(path: str) -> str:
    """The package of a file; of a component, which of its floors."""
    parts = path.split("/")
    if parts[1:2] == ["components"] and len(parts) > 3:
        return f"components/*/{parts[3] if parts[3] in ('spec', 'rules') else '*'}"
    return "/".join(parts[:2])


def test_only_components_import_troposphere():
    """Finished resources are plain maps: what reads them needs no library."""
    allowed = re.compile(r"mlopsgen/(components/.*|parts/.*|model/values|lower)")
    for path in files():
        if "troposphere" in (ROOT / f"{path}.py").read_text().split('"""', 2)[-1]:
            imported = re.search(r"^\s*(from|import) troposphere", (ROOT / f"{path}.py").read_text(), re.M)
            assert not imported or allowed.fullmatch(path), path


SURPRISES = """
import copy, pickle, sys, tempfile, typing, unittest.mock, warnings
before = (list(warnings.filters), dict(sys.modules), sys.dont_write_bytecode)
import mlopsgen.compile, mlopsgen.cli
assert before[0] == list(warnings.filters), "the process's warnings changed"
replaced = [name for name, module in before[1].items() if sys.modules.get(name) is not module]
assert not replaced, replaced
for name, module in sys.modules.items():
    if not name.startswith("mlopsgen") and module is not None:
        assert not type(module).__module__.startswith("mlopsgen"), name
import gc
assert gc.isenabled()
with unittest.mock.patch("tempfile.gettempdir", return_value="/somewhere"):
    assert tempfile.gettempdir() == "/somewhere"
import yaml, re
pattern = next(iter(yaml.SafeLoader.yaml_implicit_resolvers.values()))[0][1]
assert isinstance(pattern, re.Pattern) and copy.copy(pattern) is pattern
assert pickle.loads(pickle.dumps(pattern)) == pattern
import pydantic_core
import typing_extensions
assert typing_extensions.is_typeddict(pydantic_core.core_schema.CoreConfig)
"""


def test_importing_changes_nothing_else():
    """Whoever imports the compiler finds the process, its warnings and all other modules as they were."""
    done = subprocess.run([sys.executable, "-c", SURPRISES], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
