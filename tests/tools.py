"""What tests need besides Python: it is found, or the test is skipped with the command that installs it.

Under `make test` all of it is there, and nothing may be left out unseen: what is missing is a failure.
"""

from __future__ import annotations

import os
import shutil
import sys
import tomllib
from collections.abc import Generator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NoReturn

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent
CHECKOV = Path(os.environ.get("MLOPSGEN_CHECKOV", ROOT / ".tools" / "checkov"))
TRITON_CLIENT = Path(os.environ.get("MLOPSGEN_TRITON_CLIENT", ROOT / ".tools" / "triton-client"))

OURS = {"app", "mlopsgen", "tests", "train"}
PACKAGES = "pip install --constraint constraints.txt --editable '.[local,dev,train,serve]'"
SYSTEM = "bash tests/system.sh"
INSTALLS = {
    "checkov": "make .tools/checkov/.installed",
    "chromium": SYSTEM,
    "fish": SYSTEM,
    "openssl": SYSTEM,
    "triton-client": "make .tools/triton-client/.installed",
    "zsh": SYSTEM,
}
"""What installs a program; all others come with the packages."""


def needs(tool: str) -> str:
    """The path of a program; without it the test is skipped, or fails where nothing may be left out."""
    path = shutil.which(tool, path=os.pathsep.join((str(BIN), str(CHECKOV / "bin"), os.environ["PATH"])))
    return path or leave_out(missing(tool))


def needs_extra(extra: str) -> None:
    """The same for the packages of one of our extras, such as `train`."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for each in project["optional-dependencies"][extra]:
        name = Requirement(each).name
        try:
            version(name)
        except PackageNotFoundError:
            leave_out(missing(name))


def needs_triton_client() -> str:
    """The same for the Python that has Triton's client."""
    if not (TRITON_CLIENT / ".installed").exists():
        leave_out(missing("triton-client"))
    return str(TRITON_CLIENT / "bin" / "python")


def missing(name: str) -> str:
    """What is said of a program or package that is not there."""
    return f"{name} is missing; what installs it: {INSTALLS.get(name, PACKAGES)}"


def leave_out(why: str) -> NoReturn:
    """Skip the test that runs, or let it fail where nothing may be left out."""
    if everything():
        pytest.fail(why, pytrace=False)
    pytest.skip(why)


def everything() -> bool:
    """Whether nothing may be left out."""
    return os.environ.get("MLOPSGEN_ALL_TOOLS") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """A file of tests that imports a package which is not installed is skipped, with what installs it."""
    report = yield
    name = absent(report.call.excinfo.value) if report.failed and report.call.excinfo else None
    if name is not None and not everything():
        report.outcome = "skipped"
        report.longrepr = (str(collector.path), 0, f"Skipped: {missing(name)}")
    return report


def absent(error: BaseException | None) -> str | None:
    """The package of others that could not be imported, if that is what `error` comes from."""
    while error is not None and not isinstance(error, ModuleNotFoundError):
        error = error.__cause__
    name = (error.name or "").partition(".")[0] if error else ""
    return name if name and name not in OURS else None
