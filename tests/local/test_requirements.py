"""What a program imports, what its requirements bring, and what is told where the two differ."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from mlopsgen.local.blueprint import LocalTask
from mlopsgen.local.requirements import Requirement, Unfit, check, differences, imports, requirements

HERE = f"{sys.version_info[0]}.{sys.version_info[1]}"


def task(folder: Path, program: str, needs: str, **more: str) -> LocalTask:
    """A job whose package `model` has this program and these requirements."""
    (folder / "model").mkdir()
    (folder / "model" / "__init__.py").touch()
    (folder / "model" / "train.py").write_text(program)
    (folder / "model" / "requirements.txt").write_text(needs)
    for name, text in more.items():
        (folder / "model" / f"{name}.py").write_text(text)
    return LocalTask(
        name="trainer",
        kind="job",
        stack="training-trainer",
        definition={"containerDefinitions": [{"name": "trainer"}]},
        context=folder / "model",
        image="model",
        requirements=folder / "model" / "requirements.txt",
        python=HERE,
        image_command=("python", "-m", "model.train"),
        folder=folder,
    )


def test_a_program_that_has_all_it_imports_is_fit(tmp_path: Path) -> None:
    """What a requirement brings along counts, under whatever name it is imported."""
    program = "from __future__ import annotations\nimport json, yaml\nfrom pydantic_core import core_schema\n"
    check([task(tmp_path, program, "PyYAML==6.0.2\npydantic>=2\n")], tmp_path)


def test_what_the_interpreter_lacks_is_told_with_the_command(tmp_path: Path) -> None:
    """In the module that is started, or in one of the user's own that it imports."""
    found = task(
        tmp_path,
        "from model import features\n",
        "nowhere-to-be-found==1.0\n",
        features="import nowhere_to_be_found\n",
    )
    with pytest.raises(Unfit) as told:
        check([found], tmp_path)
    assert str(told.value) == (
        "`trainer` cannot run here: model/features.py imports `nowhere_to_be_found`, and "
        f"{sys.executable} has no such package.\n"
        f"  Install what trainer needs: {sys.executable} -m pip install -r model/requirements.txt"
    )


def test_what_the_image_lacks_is_told_though_it_is_here(tmp_path: Path) -> None:
    """A package that only this machine has would be missed on AWS."""
    found = task(tmp_path, "import yaml\n", "jinja2==3.1.6\n")
    with pytest.raises(Unfit) as told:
        check([found], tmp_path)
    assert re.sub(r"\s+", " ", str(told.value)) == (
        "`trainer` would fail in its image: model/train.py imports `yaml`, which model/requirements.txt does "
        "not bring. It is here because of PyYAML: name that in the requirements, and lock them again"
    )


@pytest.mark.parametrize(
    "program",
    [
        "try:\n    import nowhere_to_be_found\nexcept ImportError:\n    pass\n",
        "if False:\n    import nowhere_to_be_found\n",
        "def main():\n    import nowhere_to_be_found\n",
        "import sys as nowhere_to_be_found\n",
        "from . import __name__\nfrom .features import one\n",
        "this is no Python",
    ],
)
def test_what_need_not_be_imported_is_no_fault(program: str, tmp_path: Path) -> None:
    """Nothing is told that is not sure to fail."""
    check([task(tmp_path, program, "jinja2\n", features="one = 1\n")], tmp_path)


@pytest.mark.parametrize(
    ("command", "starts"),
    [
        (("python", "-m", "model"), {"one"}),
        (("python", "-u", "-m", "model.train", "--fast"), {"two"}),
        (("python", "model/train.py"), {"two"}),
        (("uvicorn", "model.train:app", "--port", "8080"), {"two"}),
        (("gunicorn", "--bind", "0.0.0.0:8080", "model.train:create()"), {"two"}),
        (("sh", "-c", "python -m model.train"), set()),
    ],
    ids=str,
)
def test_commands_that_start_a_program(command: tuple[str, ...], starts: set[str], tmp_path: Path) -> None:
    """What is started is found for Python, and for the servers that take a module's name."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "__main__.py").write_text("import one")
    (tmp_path / "model" / "train.py").write_text("import two")
    assert {each.module for each in imports(command, tmp_path)} == starts


def test_a_requirements_file_is_read_as_pip_reads_it(tmp_path: Path) -> None:
    """Comments, hashes, extras, markers, and files that it includes."""
    (tmp_path / "base.txt").write_text("Type_Extensions.py==1.0+cpu\n-r all.txt\n")
    (tmp_path / "all.txt").write_text(
        "# locked\n-r base.txt\n--index-url https://example.com\n"
        "torch[opt]==2.7.0 \\\n    --hash=sha256:00\nuvloop==0.21 ; sys_platform != 'win32'\nnumpy>=2\n"
    )
    assert list(requirements(tmp_path / "all.txt")) == [
        Requirement("type-extensions-py", "1.0+cpu", always=True),
        Requirement("torch", "2.7.0", always=True),
        Requirement("uvloop", "0.21", always=False),
        Requirement("numpy", None, always=True),
    ]
    assert list(requirements(tmp_path / "none.txt")) == []


def test_other_versions_than_the_image_s_are_told(tmp_path: Path) -> None:
    """As a sentence each, since a program may well run with both."""
    found = task(tmp_path, "", "pydantic==0.0.1\nno-such-thing==1\n")
    import pydantic

    assert list(differences([found, found], tmp_path)) == [
        f"model/requirements.txt: pydantic {pydantic.VERSION}, not 0.0.1; no no-such-thing"
    ]
