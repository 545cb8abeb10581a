"""What is installed is whole: a wheel, in an environment far from the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from tests.tools import ROOT, needs

BUILD = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a clean copy of what Git tracks or would."""
    source, target = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("wheel")
    for name in ("LICENSE", "README.md", "pyproject.toml"):
        shutil.copy(ROOT / name, source)
    for name in ("mlopsgen", "templates"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    needs("hatchling")
    subprocess.run([*BUILD, target, source], check=True, cwd=target)
    (built,) = target.glob("mlopsgen-*.whl")
    return built


def test_holds_the_templates(wheel: Path):
    """Every template is in the package, and nothing of the tests or the workload is."""
    held = set(zipfile.ZipFile(wheel).namelist())
    templates = ROOT / "templates"
    wanted = {
        f"mlopsgen/templates/{path.relative_to(templates).as_posix()}"
        for path in templates.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert wanted <= held
    assert {name.split("/")[0] for name in held if ".dist-info" not in name} == {"mlopsgen"}
    assert "mlopsgen/py.typed" in held


def test_installed_program_starts_a_project_and_builds_it(wheel: Path, tmp_path: Path):
    """From the wheel alone: a new project, its build, a second build that changes nothing, the reference."""
    place = tmp_path / "environment"
    # The dependencies are those of the tests' own environment; mlopsgen itself comes from the wheel.
    venv.create(place, with_pip=False)
    packages = next((place / "lib").glob("python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (own,) = {path for path in sys.path if path.endswith("site-packages") and sys.prefix in path}
    (packages / "dependencies.pth").write_text(f"{own}\n")
    program = [str(place / "bin" / "python"), "-P", "-m", "mlopsgen"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}

    def call(*arguments: str, folder: Path = tmp_path) -> str:
        done = subprocess.run(
            [*program, *arguments], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    where = subprocess.run(
        [program[0], "-P", "-c", "import mlopsgen; print(mlopsgen.__file__)"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.startswith(str(packages))
    call("init", "demo")
    assert "written" in call("build", folder=tmp_path / "demo")
    assert call("build", folder=tmp_path / "demo") == "generated: unchanged\n"
    assert "time zone that `cron` is read in" in call("explain", "spec.jobs.triggers.schedule")
