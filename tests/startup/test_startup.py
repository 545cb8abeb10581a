"""What lets commands start quickly changes nothing but their speed."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlopsgen import startup
from tests.cases import ROOT

PIPELINE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: app, python: {command: [kaninchen]}}]
  services: [{name: api, image: app, ingress: [{name: web, loadBalancer: public}]}]
  environments: {dev: {}, prod: {}}
"""

PLAIN = "import sys; from mlopsgen.cli import main; sys.exit(main(sys.argv[1:]))"


class Machine:
    """A user's machine, with a project in it and nothing kept."""

    def __init__(self, folder: Path) -> None:
        self.project = folder / "project"
        (self.project / "app").mkdir(parents=True)
        (self.project / "app" / "requirements.txt").write_text("numpy==2.3.5\n")
        (self.project / "pipeline.yaml").write_text(PIPELINE)
        self.byte_code = folder / "byte-code"
        kept = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
        self.environment = {key: value for key, value in os.environ.items() if key not in kept} | {
            "PYTHONPATH": str(ROOT),
            "PYTHONPYCACHEPREFIX": str(self.byte_code),
            "XDG_CACHE_HOME": str(folder / "cache"),
        }

    def run(self, *words: str, plainly: bool = False, **more: str) -> subprocess.CompletedProcess[str]:
        """Run a command as a user does; `plainly` as a program that imports mlopsgen does."""
        program = ["-c", PLAIN] if plainly else ["-m", "mlopsgen"]
        return subprocess.run(
            [sys.executable, *program, *words],
            cwd=self.project, env=self.environment | more, capture_output=True, text=True,
        )  # fmt: skip

    def built(self, *, plainly: bool = False) -> dict[str, bytes]:
        """What a build from nothing writes."""
        at = self.project / "generated"
        shutil.rmtree(at, ignore_errors=True)
        run = self.run("build", plainly=plainly)
        assert run.returncode == 0, run.stderr
        assert run.stderr.startswith("warning[W343]")
        written = {str(path.relative_to(at)): path for path in sorted(at.rglob("*")) if path.is_file()}
        return {path: found.read_bytes() for path, found in written.items()}

    def kept(self) -> dict[str, Path]:
        """What commands have left for the next one."""
        return {path.name.partition(".")[0]: path for path in self.byte_code.rglob("*.kept")}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """A machine on which a build has run once."""
    machine = Machine(tmp_path_factory.mktemp("machine"))
    machine.built()
    return machine


@pytest.fixture
def copied(machine: Machine, tmp_path: Path) -> Machine:
    """Another like it, where a test may break something."""
    copy = Machine(tmp_path)
    shutil.copytree(machine.byte_code, copy.byte_code)
    return copy


def test_a_build_is_the_same_with_and_without(machine: Machine):
    """Whether everything was kept, or nothing is: each file has the same bytes, and the same is said."""
    assert machine.built() == machine.built(plainly=True)


def test_faults_are_told_the_same_with_and_without(machine: Machine):
    """What pydantic finds with schemas that were kept is what it finds with its own."""
    wrong = PIPELINE.replace("eu-west-1", "[]").replace("name: api,", "name: 7, comand: x, reads: {},")
    (machine.project / "wrong.yaml").write_text(wrong)
    quick, plain = (machine.run("validate", "wrong.yaml", plainly=each) for each in (False, True))
    assert quick.returncode == plain.returncode == 1
    assert (quick.stdout, quick.stderr) == (plain.stdout, plain.stderr)
    assert quick.stdout.endswith("4 errors\n")


def test_a_second_build_makes_nothing_anew(machine: Machine):
    """All that can be kept is kept by the first."""
    assert set(machine.kept()) == {"compiled", "modules", "schemas"}
    before = {name: path.stat().st_mtime_ns for name, path in machine.kept().items()}
    machine.built()
    assert {name: path.stat().st_mtime_ns for name, path in machine.kept().items()} == before


def test_nothing_of_a_users_is_kept(machine: Machine):
    """Words of a pipeline are in no file that commands leave beside their byte code."""
    for path in machine.kept().values():
        content = path.read_bytes()
        assert b"kaninchen" not in content, path
        assert str(machine.project).encode() not in content, path


@pytest.mark.parametrize("how", ["cut off", "garbage", "empty"])
def test_a_broken_file_does_no_harm(copied: Machine, how: str):
    """It is made anew, or goes unused."""
    whole = copied.built()
    for path in copied.kept().values():
        content = path.read_bytes()
        head, _, rest = content.partition(b"\n")
        broken = {"cut off": content[: len(content) // 2], "garbage": head + b"\n" + rest[::-1], "empty": b""}
        path.write_bytes(broken[how])
    assert copied.built() == whole


def test_a_changed_source_is_seen(copied: Machine, tmp_path: Path):
    """Code is kept for as long as its source is what it was, as Python keeps it."""
    house = tmp_path / "house"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "mlopsgen", house / "mlopsgen", ignore=ignored)
    shutil.copytree(ROOT / "templates", house / "templates", ignore=ignored)
    copied.environment["PYTHONPATH"] = str(house)
    copied.built()
    writer = house / "mlopsgen" / "emit" / "cloudformation.py"
    writer.write_text(writer.read_text().replace("# Compiled by mlopsgen.", "# Compiled by another."))
    assert b"# Compiled by another." in copied.built()["dev/stacks/serving-api.yaml"]
    spec = house / "mlopsgen" / "components" / "services" / "spec.py"
    spec.write_text(spec.read_text().replace("ingress: tuple", "gates: tuple"))
    assert "`ingress`" in copied.run("validate").stdout


def test_who_keeps_no_byte_code_keeps_none_of_this(tmp_path: Path):
    """`PYTHONDONTWRITEBYTECODE` holds for all of it."""
    machine = Machine(tmp_path)
    machine.environment["PYTHONDONTWRITEBYTECODE"] = "1"
    machine.built()
    assert not list(machine.byte_code.rglob("*"))


CLASSES = """
import ast, importlib, json, pathlib, sys
from mlopsgen import startup
if sys.argv[1] == "quick":
    startup._prepare_compiler()
def shown(value):
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, (list, tuple)):
        return [shown(each) for each in value]
    if isinstance(value, dict):
        return {name: shown(each) for name, each in value.items()}
    return getattr(value, "__qualname__", repr(value))
found = {}
for name in sys.argv[2:]:
    module = importlib.import_module(name)
    tree = ast.parse(pathlib.Path(module.__file__).read_text())
    for each in tree.body:
        if isinstance(each, ast.ClassDef):
            made = getattr(module, each.name)
            assert getattr(module, each.name) is made
            found[shown(made)] = [shown(made.__mro__), shown(getattr(made, "props", None)), made.__doc__]
    try:
        module.Nowhere
    except AttributeError as error:
        found[name] = str(error)
print(json.dumps(found, indent=1))
"""


def test_classes_that_are_made_when_asked_for_are_the_same(machine: Machine):
    """Whichever way a module of troposphere is imported, its classes are what they are."""
    modules = [f"troposphere.{each}" for each in ("ec2", "ecs", "iam", "kms", "s3", "scheduler")]
    quick, plain = (
        subprocess.run(
            [sys.executable, "-c", CLASSES, how, *modules],
            env=machine.environment, capture_output=True, text=True, check=True,
        ).stdout
        for how in ("quick", "plain")
    )  # fmt: skip
    assert quick == plain
    assert "\"troposphere.ec2\": \"module 'troposphere.ec2' has no attribute 'Nowhere'\"" in quick


AFTERWARDS = """
import sys, types, typing
from mlopsgen import startup
TypedDict = typing.TypedDict
startup._prepare_compiler()
startup._prepare_templates()
import mlopsgen.compile, mlopsgen.text.templates
stand_ins = [name for name, module in sys.modules.items() if "startup" in type(module).__module__]
assert not stand_ins, stand_ins
assert typing.TypedDict is TypedDict
import re, tempfile
assert isinstance(re.compile("[a-z]+x"), re.Pattern) and re.compile("[a-z]+x").fullmatch("abx")
assert tempfile.gettempdir()
"""


def test_what_was_replaced_is_back(machine: Machine):
    """Once the packages are imported, nothing stands in for a module."""
    command = [sys.executable, "-c", AFTERWARDS]
    done = subprocess.run(command, env=machine.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def imports() -> Iterator[tuple[str, str]]:
    """Each file of the house that imports something of `startup`, and what."""
    for path in sorted((ROOT / "mlopsgen").rglob("*.py")):
        if path.parent.name != "startup":
            for line in re.findall(r"^\s*(?:from|import) .*startup.*$", path.read_text(), re.M):
                yield path.relative_to(ROOT).as_posix(), line.strip()


def test_only_the_program_itself_is_quick():
    """Whoever imports the compiler gets none of it: it replaces parts of Python and of packages."""
    assert dict(imports()) == {
        "mlopsgen/__main__.py": "from mlopsgen import startup",
        "mlopsgen/cli/build.py": "from mlopsgen.startup.uptodate import known, remember, state",
    }
    assert not hasattr(startup, "compiled")
