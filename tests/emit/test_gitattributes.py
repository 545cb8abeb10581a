"""What Git makes of the output."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.cases import case


def git(folder: Path, *words: str) -> str:
    """What git prints, on a machine that ends lines as Windows does."""
    settings = ["core.autocrlf=true", "core.safecrlf=false", "user.name=a", "user.email=a@example.com"]
    options = [word for each in settings for word in ("-c", each)]
    return subprocess.run(
        ["git", *options, *words], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def test_line_ends_stay_as_they_were_written(tmp_path: Path):
    """With `core.autocrlf` a script would be checked out with line ends with which no shell runs it."""
    built = tmp_path / "here" / "generated"
    shutil.copytree(case("minimal").built, built)
    git(built.parent, "init", "-q")
    git(built.parent, "add", ".")
    git(built.parent, "commit", "-qm", "x")
    git(tmp_path, "clone", "-q", "here", "there")
    found = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    assert Path("default/deploy.sh") in found
    for path in found:
        assert (tmp_path / "there" / "generated" / path).read_bytes() == (built / path).read_bytes(), path


def test_pull_requests_fold_it(tmp_path: Path):
    """Each file is known as generated, whatever folder the output lies in."""
    built = tmp_path / "deploy"
    shutil.copytree(case("minimal").built, built)
    git(tmp_path, "init", "-q")
    said = git(tmp_path, "check-attr", "linguist-generated", "deploy/default/deploy.sh", "deploy/README.md")
    assert [line.rpartition(" ")[2] for line in said.splitlines()] == ["true", "true"]
