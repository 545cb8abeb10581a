"""`mlopsgen diff` as a command, in a repository of Git."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from mlopsgen.cli import main
from tests.forecast.known import BASE, edited

WHO = ("-c", "user.name=A", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false")


def git(*words: str, at: Path) -> str:
    done = subprocess.run(["git", *WHO, *words], cwd=at, capture_output=True, text=True, check=True)
    return done.stdout


@pytest.fixture(scope="module")
def origin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a pipeline and what was built of it, on `main`."""
    folder = tmp_path_factory.mktemp("origin")
    (folder / "pipeline.yaml").write_text(BASE)
    (folder / "app").mkdir()
    (folder / "app" / "__main__.py").write_text("")
    (folder / "app" / "requirements.txt").write_text("fastapi==0.115.0\n")
    git("init", "--quiet", "--initial-branch=main", at=folder)
    assert main(["build", str(folder / "pipeline.yaml")]) == 0
    git("add", "--all", at=folder)
    git("commit", "--quiet", "--message=first", at=folder)
    return folder


@pytest.fixture
def repository(origin: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, in which we are."""
    folder = tmp_path / "here"
    shutil.copytree(origin, folder)
    monkeypatch.chdir(folder)
    return folder


def write(folder: Path, *changes: tuple[str, str]) -> None:
    (folder / "pipeline.yaml").write_text(edited(BASE, *changes))


MORE = ("min: 2, max: 4, metrics", "min: 2, max: 9, metrics")
STOPS = ("natGateways: single", "natGateways: single, cidr: 10.9.0.0/16")


def test_what_was_reviewed_is_what_git_has(repository: Path, capsys: pytest.CaptureFixture[str]):
    """Without a name, the commit counts at which the branch left the default one, whatever came later."""
    first = git("rev-parse", "--short=7", "HEAD", at=repository).strip()
    git("checkout", "--quiet", "-b", "more", at=repository)
    write(repository, MORE)
    git("commit", "--quiet", "--all", "--message=more", at=repository)
    assert main(["diff"]) == 0
    found = capsys.readouterr().out
    assert f"main ({first}) is deployed" in found
    assert "ScalableTarget  MaxCapacity  :23" in found
    assert "compiled again" not in found
    assert main(["diff", "HEAD"]) == 0
    # The pipeline of HEAD was not built there: what is deployed is what was built.
    assert "ScalableTarget  MaxCapacity" in capsys.readouterr().out


def test_exit_codes(repository: Path, capsys: pytest.CaptureFixture[str]):
    """What cannot get to its end is 1; what is asked for is 1 too."""
    assert main(["diff", "--exit-code"]) == 0
    write(repository, MORE)
    assert main(["diff"]) == 0
    assert main(["diff", "--exit-code"]) == 1
    assert main(["diff", "--fail-on", "outage,data"]) == 0
    assert main(["diff", "--fail-on", "outage,cost"]) == 1
    assert "mlopsgen: prod: --fail-on cost" in capsys.readouterr().err
    assert main(["diff", "--fail-on", "cost:+300%"]) == 0
    assert main(["diff", "--fail-on", "cost:100USD"]) == 1
    assert main(["diff", "--fail-on", "cost:100USD", "--env", "dev"]) == 0
    write(repository, STOPS)
    assert main(["diff"]) == 1


@pytest.mark.parametrize(
    ("gate", "change"),
    [
        ("rights", ("reads: [raw]", "reads: [raw, models]")),
        ("reach", ("port: 8080", "port: 9090")),
        ("outage", ("path: /ready", "path: /health")),
        ("orphan", ("name: api\n", "name: web\n")),
        ("stops", STOPS),
    ],
)
def test_gates(repository: Path, gate: str, change: tuple[str, str], capsys: pytest.CaptureFixture[str]):
    """Each concern shuts its own gate."""
    changes = [change, ("{name: api,", "{name: web,")] if gate == "orphan" else [change]
    write(repository, *changes)
    assert main(["diff", "--fail-on", gate]) == 1
    assert f"prod: --fail-on {gate}" in capsys.readouterr().err


def test_a_folder(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """What an earlier build wrote can be compared with, without Git."""
    shutil.copytree(repository / "generated", tmp_path / "before")
    shutil.rmtree(repository / ".git")
    write(repository, MORE)
    assert main(["diff", str(tmp_path / "before")]) == 0
    found = capsys.readouterr().out
    assert "ScalableTarget  MaxCapacity" in found
    assert "the pipeline of the side before is not known" in found


def test_without_generated_files(repository: Path, capsys: pytest.CaptureFixture[str]):
    """Where they are not in Git, the pipeline of then is compiled again, and that is said."""
    git("rm", "-r", "--quiet", "--cached", "generated", at=repository)
    git("commit", "--quiet", "--message=without", at=repository)
    write(repository, MORE)
    assert main(["diff"]) == 0
    found = capsys.readouterr().out
    assert "ScalableTarget  MaxCapacity  :23" in found
    assert "has no generated files; its pipeline was compiled again" in " ".join(found.split())


def test_a_pipeline_below_the_root(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    """It is found from where one stands, and in Git by its path."""
    (repository / "services" / "ml").mkdir(parents=True)
    for name in ("pipeline.yaml", "app", "generated"):
        git("mv", name, f"services/ml/{name}", at=repository)
    git("commit", "--quiet", "--message=moved", at=repository)
    write(repository / "services" / "ml", MORE)
    monkeypatch.chdir(repository / "services" / "ml" / "app")
    assert main(["diff"]) == 0
    assert "ScalableTarget  MaxCapacity  :23" in capsys.readouterr().out


def test_what_is_stale_is_said(repository: Path, capsys: pytest.CaptureFixture[str]):
    """The reviewer's `generated/` is not what this forecast is about, until it is built."""
    write(repository, MORE)
    assert main(["diff"]) == 0
    assert "generated was built from another pipeline.yaml" in capsys.readouterr().out
    assert main(["build"]) == 0
    capsys.readouterr()
    assert main(["diff"]) == 0
    assert "was built from another" not in capsys.readouterr().out


def test_two_environments(repository: Path, capsys: pytest.CaptureFixture[str]):
    """How they differ, in the words of the pipeline, with the lines."""
    assert main(["diff", "dev", "prod"]) == 0
    assert capsys.readouterr().out == (
        "dev -> prod\n"
        "  services.api.replicas.min: 1 -> 2  (pipeline.yaml:23)\n"
        "  services.api.replicas.max: 2 -> 4  (pipeline.yaml:23)\n"
    )
    assert main(["diff", "dev", "prod", "--output", "json"]) == 0
    (low, _) = json.loads(capsys.readouterr().out)["differences"]
    assert low == {"path": "services.api.replicas.min", "line": 23, "dev": 1, "prod": 2}
    assert main(["diff", "dev", "dev"]) == 0
    assert capsys.readouterr().out == "dev and dev are the same\n"


@pytest.mark.parametrize("form", ["text", "markdown", "html", "json", "sarif", "github"])
def test_every_form_comes_out(repository: Path, form: str, capsys: pytest.CaptureFixture[str]):
    """Each form is written on standard output, and nothing else."""
    write(repository, ("path: /ready", "path: /health"))
    assert main(["diff", "--output", form]) == 0
    found = capsys.readouterr()
    assert "services.api.healthCheck.path" in found.out or form == "github"
    assert found.err == ""


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err


def test_wrong_words(repository: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path):
    """Each mistake is answered with what to do."""
    assert main(["diff", "nowhere"]) == 1
    assert "Git knows no commit `nowhere` here, and there is no folder of that name" in said(capsys)
    assert main(["diff", "--", "--upload-pack=x"]) == 1
    assert "Git knows no commit `--upload-pack=x`" in said(capsys)
    assert main(["diff", str(tmp_path)]) == 1
    assert "is not a folder that `mlopsgen build` wrote: it has no manifest.json" in said(capsys)
    assert main(["diff", "--env", "qa"]) == 1
    assert "there is no environment `qa`; there are: prod, dev" in said(capsys)
    assert main(["diff", "dev", "prd"]) == 1
    assert "there is no environment `prd`; did you mean `prod`?" in said(capsys)
    assert main(["diff", "a", "b", "c"]) == 1
    assert "name one thing to compare with, or two environments" in said(capsys)
    assert main(["diff", "--fail-on", "rigths"]) == 1
    assert "`--fail-on` knows no `rigths`; did you mean `rights`?" in said(capsys)
    assert main(["diff", "--fail-on", "cost:20"]) == 1
    assert "knows no `cost:20`" in said(capsys)
    (tmp_path / "prices.tsv").write_text("us-east-1 nat-gateway 1\n")
    assert main(["diff", "--prices", str(tmp_path / "prices.tsv")]) == 1
    assert "prices.tsv:1: 1 fields" in said(capsys)
    assert main(["diff", "--prices", "missing.tsv"]) == 1
    assert "missing.tsv" in said(capsys)
    (repository / "pipeline.yaml").write_text("apiVersion: [")
    assert main(["diff"]) == 1
    assert "pipeline.yaml:2:1" in said(capsys)


def test_outside_of_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Without a repository there is only a folder to compare with."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(BASE)
    assert main(["diff"]) == 1
    assert "this is no Git repository" in said(capsys)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["diff"]) == 1
    assert "there is no `git` on the PATH" in said(capsys)


def test_generated_files_that_are_torn(repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """A folder that somebody edited into something else is named with what is wrong there."""
    before = tmp_path / "before"
    shutil.copytree(repository / "generated", before)
    (before / "prod" / "stacks" / "network.yaml").write_text("Resources: [")
    assert main(["diff", str(before)]) == 1
    assert "prod: stacks/network.yaml is no YAML" in said(capsys)
    (before / "prod" / "stacks" / "network.yaml").unlink()
    assert main(["diff", str(before)]) == 1
    assert "deploys network, of which there is no template" in said(capsys)


def test_an_older_language(repository: Path, capsys: pytest.CaptureFixture[str]):
    """A pipeline that this version refuses still has its generated files, which are compared."""
    (repository / "pipeline.yaml").write_text("apiVersion: mlopsgen.io/v0\n")
    git("commit", "--quiet", "--all", "--message=old", at=repository)
    write(repository, MORE)
    assert main(["diff", "HEAD"]) == 0
    found = capsys.readouterr().out
    assert "ScalableTarget  MaxCapacity" in found
    assert "the pipeline of the side before is not known" in found
