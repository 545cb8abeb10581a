"""What becomes of a test whose tools are not installed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from tests import tools

FILES = {
    "folder/conftest.py": "import nosuch.deeper\n",
    "folder/test_a.py": "",
    "test_b.py": "import nosuch\n",
    "test_c.py": "import mlopsgen.nosuch\n",
    "test_d.py": "def test_it():\n    pass\n",
}


def collected(folder: Path, everything: str) -> list[str]:
    """What pytest says of `FILES`, line by line."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.tools", "-p", "no:cacheprovider", "-rsE"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(tools.ROOT), "MLOPSGEN_ALL_TOOLS": everything},
        capture_output=True,
        text=True,
    )
    return re.findall(r"^(?:SKIPPED|ERROR) .*", done.stdout, re.MULTILINE)


def test_a_file_whose_package_is_missing_is_skipped_with_what_installs_it(tmp_path: Path):
    """And so is a folder; what we lack ourselves is an error."""
    why = "nosuch is missing; what installs it: pip install --constraint constraints.txt --editable "
    assert collected(tmp_path, "") == [
        f"SKIPPED [1] folder:0: {why}'.[local,dev,train,serve]'",
        f"SKIPPED [1] test_b.py:0: {why}'.[local,dev,train,serve]'",
        "ERROR test_c.py",
    ]


def test_where_everything_has_to_be_a_missing_package_is_an_error(tmp_path: Path):
    """`make test` leaves nothing out unseen."""
    found = collected(tmp_path, "1")
    assert [line.split(" - ")[0] for line in found] == ["ERROR folder", "ERROR test_b.py", "ERROR test_c.py"]


@pytest.mark.parametrize(
    ("tool", "said"),
    [
        ("checkov", "checkov is missing; what installs it: make .tools/checkov/.installed"),
        ("chromium", "chromium is missing; what installs it: bash tests/system.sh"),
        ("hadolint", "hadolint is missing; what installs it: pip install --constraint constraints.txt"),
    ],
)
def test_a_missing_program_is_named_with_what_installs_it(
    tool: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """The test is skipped; where everything has to be there, it fails."""
    monkeypatch.setattr(tools, "BIN", tmp_path)
    monkeypatch.setattr(tools, "CHECKOV", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("MLOPSGEN_ALL_TOOLS", "")
    with pytest.raises(pytest.skip.Exception, match=re.escape(said)):
        tools.needs(tool)
    monkeypatch.setenv("MLOPSGEN_ALL_TOOLS", "1")
    with pytest.raises(pytest.fail.Exception, match=re.escape(said)):
        tools.needs(tool)


def test_a_missing_client_is_named_with_what_installs_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It has an environment of its own, which nothing else needs."""
    monkeypatch.setattr(tools, "TRITON_CLIENT", tmp_path)
    monkeypatch.setenv("MLOPSGEN_ALL_TOOLS", "")
    with pytest.raises(pytest.skip.Exception, match=re.escape("make .tools/triton-client/.installed")):
        tools.needs_triton_client()


def test_a_missing_extra_is_named_by_its_package(monkeypatch: pytest.MonkeyPatch):
    """What a process of the test would import is looked for before it starts."""

    def none(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(tools, "version", none)
    monkeypatch.setenv("MLOPSGEN_ALL_TOOLS", "")
    with pytest.raises(pytest.skip.Exception, match="boto3 is missing; what installs it: pip install"):
        tools.needs_extra("serve")
