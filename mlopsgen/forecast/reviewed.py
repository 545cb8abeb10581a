"""What was reviewed and deployed before: `generated/` as Git or a folder has it.

Runs `git`, and reads files.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.manifest import MANIFEST

DEFAULT_BRANCHES = ("origin/HEAD", "origin/main", "origin/master", "main", "master")
"""Where the default branch is looked for, in this order."""

TOO_LONG = 60
"""Seconds after which git is given up."""


class Reviewed(NamedTuple):
    """The side before."""

    title: str
    """What to call it, such as `main (a1b2c3d)`."""
    files: Mapping[str, str]
    """The texts of `generated/`, by their paths in it; empty if there was none."""
    pipeline: str | None
    """The text of the pipeline that they were compiled from, where it is known."""
    folder: str | None = None
    """The folder, if it is one."""

    @property
    def environments(self) -> tuple[str, ...]:
        """The environments that were built, by name."""
        return tuple(sorted({path.partition("/")[0] for path in self.files if path.endswith("/deploy.sh")}))

    def of(self, environment: str) -> dict[str, str]:
        """The texts of one environment, by their paths in its folder."""
        return {
            path.removeprefix(f"{environment}/"): text
            for path, text in self.files.items()
            if path.startswith(f"{environment}/")
        }

    @property
    def compiler(self) -> str | None:
        """The version of mlopsgen that wrote it, as its manifest says."""
        try:
            found = json.loads(self.files.get(MANIFEST, ""))["compiler"]["version"]
        except (ValueError, TypeError, KeyError):
            return None
        return found if isinstance(found, str) else None


def reviewed(what: str | None, pipeline: str, output: str) -> Reviewed:
    """The side before that `what` names: a folder, or a commit; without it, where this branch began.

    `pipeline` and `output` are paths as the user gave them. Raises `UserFault` if there is no such thing.
    """
    if what is not None and Path(what).is_dir():
        return _folder(what)
    return _commit(what, pipeline, output)


def _folder(name: str) -> Reviewed:
    root = Path(name)
    if not (root / MANIFEST).is_file():
        raise UserFault(f"{name} is not a folder that `mlopsgen build` wrote: it has no {MANIFEST}")
    files = {
        path.relative_to(root).as_posix(): _read(path)
        for path in sorted(root.rglob("*"))
        if _wanted(path.relative_to(root)) and path.is_file()
    }
    return Reviewed(name, files, None, name)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise UserFault(
            f"cannot read {path}: {getattr(error, 'strerror', None) or 'it is no text'}"
        ) from None


def _wanted(path: Path | PurePosixPath) -> bool:
    """Whether a file of `generated/` says something about the deployment."""
    parts = path.parts
    return path.as_posix() == MANIFEST or (
        (len(parts) == 2 and parts[1] == "deploy.sh") or (len(parts) == 3 and parts[1] == "stacks")
    )


def _commit(what: str | None, pipeline: str, output: str) -> Reviewed:
    git = _Git(Path(pipeline).parent)
    commit, called = git.where_this_began() if what is None else (git.commit(what), what)
    title = f"{called} ({commit[:7]})"
    paths = [path for path in git.paths(commit, git.path(output)) if _wanted(PurePosixPath(path))]
    texts = git.texts(commit, [git.path(pipeline), *(f"{git.path(output)}/{path}" for path in paths)])
    text, *rest = texts
    files = {path: found for path, found in zip(paths, rest, strict=True) if found is not None}
    return Reviewed(title, files, text)


class _Git:
    """The repository that a folder is in."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = self._run("rev-parse", "--show-toplevel")
        if found is None:
            raise UserFault(
                "this is no Git repository, so there is nothing to compare with; name a folder that an "
                "earlier build wrote: `mlopsgen diff FOLDER`"
            )
        self.root = found.strip()

    def commit(self, name: str) -> str:
        """The digest of the commit that a name stands for."""
        found = self._run("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
        if found is None:
            raise UserFault(
                f"Git knows no commit `{name}` here, and there is no folder of that name; "
                "a branch or tag of another place has to be fetched first"
            )
        return found.strip()

    def where_this_began(self) -> tuple[str, str]:
        """The last commit that this branch has in common with the default branch, and that branch's name."""
        for name in DEFAULT_BRANCHES:
            if self._run("rev-parse", "--verify", "--quiet", f"{name}^{{commit}}") is None:
                continue
            base = self._run("merge-base", "HEAD", name)
            if base is None:
                raise UserFault(
                    f"HEAD and {name} have no commit in common here; fetch the whole history "
                    "(`fetch-depth: 0`), or name what to compare with: `mlopsgen diff REF`"
                )
            return base.strip(), self._short(name)
        raise UserFault(
            f"there is no default branch ({', '.join(DEFAULT_BRANCHES)}); name what to compare with: "
            "`mlopsgen diff REF`"
        )

    def path(self, path: str) -> str:
        """A path as Git writes it, from the root of the repository. Raises `UserFault` if it lies outside."""
        found = os.path.relpath(os.path.realpath(path), os.path.realpath(self.root)).replace(os.sep, "/")
        if found.startswith("../"):
            raise UserFault(f"{path} does not lie in the repository {self.root}")
        return found

    def paths(self, commit: str, folder: str) -> list[str]:
        """The files below a folder at a commit, by their paths in it."""
        found = self._run("ls-tree", "-r", "-z", "--name-only", "--full-tree", commit, "--", f"{folder}/")
        return [path.removeprefix(f"{folder}/") for path in (found or "").split("\0") if path]

    def texts(self, commit: str, paths: Iterable[str]) -> list[str | None]:
        """The texts of files at a commit, in their order; None for one that was not there."""
        paths = list(paths)
        asked = "".join(f"{commit}:{path}\n" for path in paths).encode()
        answer = self._raw("cat-file", "--batch", asked=asked) or b""
        found: list[str | None] = []
        at = 0
        for _ in paths:
            end = answer.index(b"\n", at)
            head = answer[at:end].split(b" ")
            at = end + 1
            if head[-1] == b"missing":
                found.append(None)
                continue
            size = int(head[-1])
            found.append(answer[at : at + size].decode(errors="replace"))
            at += size + 1
        return found

    def _short(self, name: str) -> str:
        if name != "origin/HEAD":
            return name
        found = self._run("rev-parse", "--abbrev-ref", name)
        return found.strip() if found else name

    def _run(self, *words: str) -> str | None:
        found = self._raw(*words)
        return None if found is None else found.decode(errors="surrogateescape")

    def _raw(self, *words: str, asked: bytes | None = None) -> bytes | None:
        """What git answers; None if it refuses."""
        try:
            done = subprocess.run(
                ["git", "-C", str(self.folder), *words],
                input=asked,
                stdin=subprocess.DEVNULL if asked is None else None,
                capture_output=True,
                timeout=TOO_LONG,
                check=False,
            )
        except FileNotFoundError:
            raise UserFault(
                "there is no `git` on the PATH; compare with a folder: `mlopsgen diff FOLDER`"
            ) from None
        except subprocess.TimeoutExpired:
            raise UserFault(f"`git {words[0]}` does not answer") from None
        return done.stdout if done.returncode == 0 else None
