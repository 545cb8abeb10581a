"""`mlopsgen build`: what is written, what is left alone, and what is said."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from troposphere import Ref, ecr

from mlopsgen import artifacts
from mlopsgen.artifacts import Artifact, compare, write
from mlopsgen.cli import main
from mlopsgen.components.images import resources as images
from mlopsgen.manifest import MANIFEST, STAGE, Unwritable, digest
from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Declaration
from mlopsgen.model.site import Site
from mlopsgen.parts.resource import Scope
from tests.cases import ROOT

PIPELINE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: app, python: {command: [serve]}}]
  services: [{name: api, image: app}]
  environments: {dev: {}, prod: {}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with a small pipeline of two environments."""
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "requirements.txt").write_text("numpy==2.3.5\n")
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def mlopsgen(project: Path, *words: str, **options: object) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does, in `project`, with a cache of its own."""
    return subprocess.run(
        [sys.executable, "-m", "mlopsgen", *words],
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(project / ".cache")},
        capture_output=True,
        text=True,
        **options,  # type: ignore[call-overload]
    )


def tree(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Content and time of change of each file."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_second_build_touches_nothing(project: Path):
    """It says so, whether it had to compile again or remembered."""
    assert "written" in mlopsgen(project, "build").stdout
    before = tree(project / "generated")
    remembered = mlopsgen(project, "build")
    assert (remembered.returncode, remembered.stdout) == (0, "generated: unchanged\n")
    (project / ".cache" / "mlopsgen" / "built").unlink()
    compiled = mlopsgen(project, "build")
    assert (compiled.returncode, compiled.stdout) == (0, "generated: unchanged\n")
    assert tree(project / "generated") == before


def test_check_names_what_is_not_as_it_was_built(project: Path):
    """Edited, missing, stale and left over: each by its name, exit code 1, and nothing is changed."""
    mlopsgen(project, "build")
    generated = project / "generated"
    assert mlopsgen(project, "build", "--check").returncode == 0
    script = generated / "dev" / "deploy.sh"
    script.write_text(script.read_text() + "curl example.com\n")
    (generated / "README.md").unlink()
    (project / "pipeline.yaml").write_text(PIPELINE.replace("name: api", "name: web"))
    before = tree(generated)
    checked = mlopsgen(project, "build", "--check")
    assert checked.returncode == 1
    said = checked.stderr.splitlines()
    assert "generated/dev/deploy.sh: edited by hand" in said
    assert "generated/README.md: missing" in said
    assert "generated/prod/deploy.sh: stale" in said
    assert "generated/dev/stacks/serving-api.yaml: no longer built" in said
    assert "generated/dev/stacks/serving-web.yaml: missing" in said
    assert said[-1] == "`mlopsgen build pipeline.yaml` brings generated up to date."
    assert tree(generated) == before


def test_verbose_names_the_files(project: Path):
    """Each with what became of it, before the sum."""
    mlopsgen(project, "build")
    (project / "generated" / "dev" / "deploy.sh").unlink()
    said = mlopsgen(project, "build", "-v").stdout
    assert said == "written generated/dev/deploy.sh\ngenerated: 1 written\n"


def test_what_was_edited_by_hand_is_seen_and_named(project: Path):
    """The next build writes it again, and says whose work it replaced."""
    mlopsgen(project, "build")
    script = project / "generated" / "dev" / "deploy.sh"
    built = script.read_text()
    script.write_text("#!/bin/sh\n")
    again = mlopsgen(project, "build")
    assert again.stderr == "generated/dev/deploy.sh had been edited by hand, and was overwritten\n"
    assert again.stdout == "generated: 1 updated\n"
    assert script.read_text() == built
    script.chmod(0o644)
    assert mlopsgen(project, "build").stdout == "generated: 1 updated\n"
    assert os.access(script, os.X_OK)


def test_what_is_no_longer_built_goes_unless_somebody_edited_it(project: Path):
    """Files of others stay in any case, and so do the folders that hold them."""
    mlopsgen(project, "build")
    generated = project / "generated"
    stacks = generated / "prod" / "stacks"
    (stacks / "serving-api.yaml").write_text("mine: now\n")
    (generated / "dev" / "NOTES.md").write_text("ours\n")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("dev: {}, prod: {}", "live: {}"))
    run = mlopsgen(project, "build")
    left = "generated/prod/stacks/serving-api.yaml is no longer built, but was edited by hand: left alone\n"
    assert run.stderr == left
    there = [path for path in generated.rglob("*") if path.is_file() and "live" not in path.parts]
    assert sorted(path.name for path in there) == [
        ".gitattributes", "Dockerfile", "Dockerfile.dockerignore", "NOTES.md", "README.md", "manifest.json",
        "serving-api.yaml",
    ]  # fmt: skip


def test_files_of_others_are_never_overwritten(project: Path):
    """The build is refused before anything is written, and says what to do."""
    stranger = project / "generated" / "dev" / "deploy.sh"
    stranger.parent.mkdir(parents=True)
    stranger.write_text("echo by hand\n")
    run = mlopsgen(project, "build")
    assert run.returncode == 1
    assert run.stderr == (
        "mlopsgen: in the way, and not written by mlopsgen: generated/dev/deploy.sh. "
        "Move what is there elsewhere, or choose another folder with -o.\n"
    )
    assert list(tree(project / "generated")) == ["dev/deploy.sh"]


def test_links_lead_nowhere(project: Path):
    """What stands for a folder must be one: nothing is written outside the output folder."""
    (project / "elsewhere").mkdir()
    (project / "generated").mkdir()
    (project / "generated" / "dev").symlink_to(project / "elsewhere")
    run = mlopsgen(project, "build")
    assert run.returncode == 1
    assert "generated/dev is a symbolic link" in run.stderr
    assert list((project / "elsewhere").iterdir()) == []


def test_one_environment_leaves_the_others_alone(project: Path):
    """`--env` writes that environment and what all share; `--check` knows the rest as it was."""
    mlopsgen(project, "build")
    before = tree(project / "generated")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("eu-west-1", "eu-west-3"))
    assert mlopsgen(project, "build", "--env", "dev").returncode == 0
    after = tree(project / "generated")
    assert after["dev/deploy.sh"] != before["dev/deploy.sh"]
    assert {path: after[path] for path in after if path.startswith("prod/")} == {
        path: before[path] for path in before if path.startswith("prod/")
    }
    assert mlopsgen(project, "build", "--check", "--env", "dev").returncode == 0
    assert mlopsgen(project, "build", "--check").returncode == 1
    unknown = mlopsgen(project, "build", "--env", "staging")
    assert unknown.returncode == 1
    assert unknown.stderr == "mlopsgen: there is no environment `staging`; there are: dev, prod\n"


def test_a_rejected_pipeline_changes_nothing(project: Path):
    """What was built before is still there, byte for byte."""
    mlopsgen(project, "build")
    before = tree(project / "generated")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("command:", "comand:"))
    run = mlopsgen(project, "build")
    assert run.returncode == 1
    assert "pipeline.yaml:6:" in run.stderr
    assert tree(project / "generated") == before


def test_a_fault_of_a_component_is_told_as_ours(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """A template that is broken without a patch is no fault of the pipeline's, and nothing is written."""
    declare = images.declare

    def broken(site: Site, bindings: Bindings) -> Iterator[Declaration]:
        yield from declare(site, bindings)
        scope = Scope(site, "registry-app", ("spec", "images"))
        yield scope.resource(ecr.Repository("Broken", RepositoryName=Ref("Nowhere")))

    monkeypatch.chdir(project)
    monkeypatch.setattr(images, "declare", broken)
    monkeypatch.delenv("MLOPSGEN_DEBUG", raising=False)
    assert main(["build"]) == 70
    said = capsys.readouterr()
    assert said.out == ""
    assert "this is a bug of mlopsgen" in said.err
    assert "registry-app/Broken: refers to `Nowhere`, which stack `registry-app` does not have" in said.err
    assert "pipeline.yaml:" not in said.err
    assert not (project / "generated").exists()


def test_warnings_stay_until_they_are_heeded(project: Path):
    """A build that changes nothing says them again, and so does a check."""
    through = PIPELINE.replace("image: app}", "image: app, ingress: [{name: web, loadBalancer: public}]}")
    (project / "pipeline.yaml").write_text(through)
    first = mlopsgen(project, "build")
    assert first.stderr.startswith("warning[W343]")
    for words, said in (
        (["build"], "unchanged"),
        (["build"], "unchanged"),
        (["build", "--check"], "up to date"),
    ):
        again = mlopsgen(project, *words)
        assert (again.returncode, again.stdout, again.stderr) == (0, f"generated: {said}\n", first.stderr)


def test_what_a_warning_shows_of_a_secret_is_kept_nowhere(project: Path):
    """It is found anew each time, since what is remembered lies in the user's cache."""
    telling = PIPELINE.replace("image: app}", "image: app, env: {DB_PASSWORD: kaninchen}}")
    (project / "pipeline.yaml").write_text(telling)
    for _ in range(2):
        assert "warning[W202]" in mlopsgen(project, "build").stderr
    kept = [path for path in (project / ".cache").rglob("*") if path.is_file()]
    assert not [path for path in kept if b"kaninchen" in path.read_bytes()]


def test_a_full_disk_changes_nothing(project: Path):
    """A file that cannot be written to its end (here: a limit of 6 kB) leaves no half of itself."""
    mlopsgen(project, "build")
    before = tree(project / "generated")
    (project / "pipeline.yaml").write_text(PIPELINE.replace("eu-west-1", "eu-west-3"))
    small = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000))  # noqa: E731
    run = mlopsgen(project, "build", preexec_fn=small)
    assert run.returncode == 1
    assert run.stderr.startswith("mlopsgen: cannot write generated")
    assert tree(project / "generated") == before


def test_a_broken_manifest_is_not_guessed_at(project: Path):
    """After a merge conflict nobody knows which files are whose."""
    mlopsgen(project, "build")
    manifest = project / "generated" / "manifest.json"
    manifest.write_text("<<<<<<< HEAD\n" + manifest.read_text())
    run = mlopsgen(project, "build")
    assert run.returncode == 1
    assert "generated/manifest.json is not as mlopsgen wrote it (a merge conflict?)" in run.stderr


def test_builds_at_the_same_time_end_in_the_same_place(project: Path):
    """Four at once: all succeed, and what is there is what one alone would have written."""
    alone = project.parent / f"{project.name}-alone"
    mlopsgen(project, "build", "-d", str(alone))
    command = [sys.executable, "-m", "mlopsgen", "build"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(project / ".cache")}
    runs = [subprocess.Popen(command, cwd=project, env=environment) for _ in range(4)]
    assert [run.wait() for run in runs] == [0, 0, 0, 0]
    contents = {path: content for path, (content, _) in tree(project / "generated").items()}
    assert contents == {path: content for path, (content, _) in tree(alone).items()}


def test_a_build_goes_on_when_another_takes_the_lock_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Who is done removes the folder that is locked, perhaps between another's making and opening it."""
    taken: list[Path] = []
    opened = os.open

    def late(path: str | Path, *words: Any, **more: Any) -> int:
        if Path(path).name == STAGE and not taken:
            taken.append(Path(path))
            Path(path).rmdir()
        return opened(path, *words, **more)

    monkeypatch.setattr(os, "open", late)
    write(files(a="1"), tmp_path / "generated")
    assert taken
    assert tree(tmp_path / "generated").keys() == {"a", MANIFEST}


def test_a_folder_elsewhere_is_called_as_if_it_lay_beside(project: Path):
    """Built to look at, outside of the pipeline's folder, the files are those that would be committed."""
    mlopsgen(project, "build")
    elsewhere = project.parent / f"{project.name}-elsewhere"
    mlopsgen(project, "build", "-d", str(elsewhere))
    here = {path: content for path, (content, _) in tree(project / "generated").items()}
    assert here == {path: content for path, (content, _) in tree(elsewhere).items()}


MANIFESTO = (
    '{"schema": "mlopsgen.io/manifest/v1", "environments": {}, "inputs": {}, "files": [], "outputs": %s}'
)


def files(**contents: str) -> tuple[Artifact, ...]:
    """Artifacts with a manifest that lists them."""
    listed = {name: digest(text.encode()) for name, text in sorted(contents.items())}
    made = tuple(Artifact(name, text) for name, text in sorted(contents.items()))
    return (*made, Artifact(MANIFEST, MANIFESTO % json.dumps(listed)))


@pytest.mark.parametrize("at", range(1, 6))
def test_a_move_that_fails_is_undone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int):
    """Whichever of the files cannot be moved to its place: all are as they were."""
    write(files(a="1", b="1", gone="1"), tmp_path)
    before = {path: content for path, (content, _) in tree(tmp_path).items()}
    monkeypatch.setattr(Path, "replace", failing(Path.replace, at))
    with pytest.raises(Unwritable, match="No space left"):
        write(files(a="2", b="2", c="2", d="2"), tmp_path)
    monkeypatch.undo()
    assert {path: content for path, (content, _) in tree(tmp_path).items()} == before
    assert {each.kind for each in write(files(a="2", b="2", c="2", d="2"), tmp_path)} == {
        "updated", "written", "removed",
    }  # fmt: skip


def failing(real: Callable[..., Path], at: int) -> Callable[..., Path]:
    """`real`, whose call number `at` finds the disk full."""
    calls = iter(range(1, 1000))

    def replace(self: Path, target: Path) -> Path:
        if next(calls) == at:
            raise OSError(28, "No space left on device", str(target))
        return real(self, target)

    return replace


def test_a_build_that_was_killed_is_taken_up_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What a kill left half-way belongs to mlopsgen still: the next build brings it to an end."""
    write(files(a="1", b="1", gone="1"), tmp_path)

    class Killed(BaseException):
        pass

    def killed(stage: Path, moves: list[tuple[Path | None, Path]], *_: object) -> None:
        real(stage, moves[:2], moves[2], ())
        raise Killed

    real = artifacts._move
    monkeypatch.setattr(artifacts, "_move", killed)
    with pytest.raises(Killed):
        write(files(a="2", b="2", new="2"), tmp_path)
    monkeypatch.undo()
    write(files(a="3", b="3", new="3"), tmp_path)
    assert sorted(tree(tmp_path)) == ["a", "b", MANIFEST, "new"]
    assert (tmp_path / "new").read_text() == "3"


def environments(*names: str) -> tuple[Artifact, ...]:
    """A file for each environment, and the manifest that lists them."""
    made = files(**{f"{name}/deploy.sh": name for name in names})
    document = json.loads(made[-1].text) | {"environments": {name: {} for name in names}}
    return (*made[:-1], Artifact(MANIFEST, json.dumps(document, indent=2) + "\n"))


def test_two_environments_built_at_once_are_both_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """What one build writes while the other waits for it is seen by the other."""
    both = environments("dev", "prod")
    hold = artifacts._hold

    def hold_late(stage: Path) -> int:
        monkeypatch.setattr(artifacts, "_hold", hold)
        write(both, tmp_path, "dev")
        return hold(stage)

    monkeypatch.setattr(artifacts, "_hold", hold_late)
    write(both, tmp_path, "prod")
    assert sorted(tree(tmp_path)) == ["dev/deploy.sh", MANIFEST, "prod/deploy.sh"]
    assert compare(both, tmp_path) == ()


def test_what_a_kill_left_is_cleared_away_by_the_next_build(project: Path):
    """A build that has nothing to write does it too, and a check says it."""
    mlopsgen(project, "build")
    stage = project / "generated" / STAGE
    stage.mkdir()
    assert mlopsgen(project, "build", "--check").returncode == 0
    (stage / "old-0").write_text("before")
    checked = mlopsgen(project, "build", "--check")
    assert checked.returncode == 1
    assert checked.stderr.startswith(f"generated/{STAGE}: left by a build that was killed\n")
    assert (stage / "old-0").exists()
    assert mlopsgen(project, "build").stdout == "generated: unchanged\n"
    assert not stage.exists()


def test_folders_that_a_kill_left_empty_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Killed before it took an emptied folder away, the build leaves it to the next one."""
    write(files(**{"images/old/Dockerfile": "1", "a": "1"}), tmp_path)

    class Killed(BaseException):
        pass

    def killed(self: Path) -> None:
        if self.name != STAGE:
            raise Killed
        real(self)

    real = Path.rmdir
    monkeypatch.setattr(Path, "rmdir", killed)
    with pytest.raises(Killed):
        write(files(a="2"), tmp_path)
    monkeypatch.undo()
    assert (tmp_path / "images" / "old").is_dir()
    write(files(a="2"), tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a", MANIFEST]


def test_nothing_of_others_is_taken_for_what_a_kill_left(project: Path):
    """What somebody put into the stage, or in its place, is named, and is there still."""
    mlopsgen(project, "build")
    stage = project / "generated" / STAGE
    stage.mkdir()
    (stage / "mine.txt").write_text("precious")
    (stage / "new-0").mkdir()
    run = mlopsgen(project, "build")
    assert run.returncode == 1
    assert f"generated/{STAGE}/mine.txt" in run.stderr
    assert f"generated/{STAGE}/new-0" in run.stderr
    assert "not written by mlopsgen" in run.stderr
    assert (stage / "mine.txt").read_text() == "precious"
    shutil.rmtree(stage)
    stage.write_text("mine too")
    run = mlopsgen(project, "build")
    assert (run.returncode, stage.read_text()) == (1, "mine too")
    assert f"not written by mlopsgen: generated/{STAGE}." in run.stderr


def test_the_folder_of_local_runs_is_not_the_builds(project: Path):
    """A project is built into its own folder, whatever `mlopsgen local` keeps there."""
    local = project / ".mlopsgen" / "local"
    local.mkdir(parents=True)
    (local.parent / ".gitignore").write_text("*\n")
    assert mlopsgen(project, "build", "-d", ".").returncode == 0
    assert sorted(path.name for path in local.parent.iterdir()) == [".gitignore", "local"]


@pytest.mark.parametrize("place", ["pipeline.yaml", "generated/manifest.json", "generated/dev/deploy.sh"])
def test_a_pipe_is_not_waited_for(project: Path, place: str):
    """Where a file has to be it is named, whether it is read or would be replaced."""
    mlopsgen(project, "build")
    (project / ".cache" / "mlopsgen" / "built").unlink()
    os.mkfifo(project / ".cache" / "mlopsgen" / "built")
    (project / place).unlink()
    os.mkfifo(project / place)
    for words in (["build"], ["build", "--check"]):
        run = mlopsgen(project, *words, timeout=60)
        assert run.returncode == 1
        assert place in run.stderr
    assert (project / place).is_fifo()


def test_another_output_folder_is_named_where_it_matters(tmp_path: Path):
    """Scripts, Dockerfiles, Git sync files and the workflow lead to the folder that was chosen with -o."""
    for name in ("app", "train"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pipeline.yaml", tmp_path)
    command = [sys.executable, "-m", "mlopsgen", "build", "-d", "infra/out"]
    subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)
    output = tmp_path / "infra" / "out"
    assert "bash infra/out/dev/deploy.sh" in (output / "ci" / "deploy.yml").read_text()
    assert "python3 -I - infra/out <<" in (output / "ci" / "deploy.yml").read_text()
    assert "infra/out/prod/deploy.sh" in (output / "README.md").read_text()
    texts = [path.read_text() for path in output.rglob("*") if path.is_file()]
    assert not [text for text in texts if "generated/" in text]
