"""Files: what is to be written, what is there, and how one becomes the other.

A build writes all or nothing, and only what differs. What it may replace or remove is what the manifest of
the last build lists; every other file is somebody else's, and is never touched.
"""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple

from mlopsgen import regular
from mlopsgen.manifest import MANIFEST, STAGE, Unwritable, digest, read_manifest, unix_lines

# What a build keeps in its stage.
_STAGED = re.compile("(new|old)-[0-9]+")

# How many files a message names.
_NAMED = 10

# Windows knows no permission to execute, and opens a file as text unless told otherwise.
_MODES = os.name == "posix"
_BINARY = getattr(os, "O_BINARY", 0)


OUTPUT = "generated"
"""The output folder, beside the pipeline, unless another is chosen."""


class Artifact(NamedTuple):
    """One file to be written: its path below the output folder, with `/`, and its text."""

    path: str
    text: str
    executable: bool = False

    @property
    def content(self) -> bytes:
        """The file's bytes."""
        return self.text.encode()


Kind = Literal[
    "written", "updated", "overwritten", "removed", "kept",
    "missing", "stale", "edited", "left over", "in the way", "unfinished",
]  # fmt: skip


class Change(NamedTuple):
    """What happened (`written` to `kept`), or would have to happen, to one file."""

    kind: Kind
    path: str


class _Found(NamedTuple):
    """What stands at a path: a file, a link (whose content is not looked at), or what is neither."""

    content: bytes | None
    executable: bool = False
    other: bool = False
    """Whether it is a folder, a pipe or the like, which is never replaced."""

    def holds(self, artifact: Artifact) -> bool:
        """Whether it is what the artifact is to be."""
        return self.says(artifact) and (self.executable or not artifact.executable or not _MODES)

    def says(self, artifact: Artifact) -> bool:
        """Whether its text is the artifact's, however its lines end."""
        return self.content is not None and unix_lines(self.content) == unix_lines(artifact.content)

    def was(self, expected: str | None) -> bool:
        """Whether it is as a build left it, whose digest `expected` is."""
        return self.content is not None and digest(self.content) == expected


class _Work(NamedTuple):
    """What a build has to do."""

    changes: tuple[Change, ...]
    pending: tuple[Artifact, ...]
    removed: tuple[str, ...]
    gone: tuple[str, ...]
    """What is no longer built, whether it is still there or not: folders that held it may be empty."""


def _narrowed(artifacts: Sequence[Artifact], output: Path, environment: str | None) -> tuple[Artifact, ...]:
    """The artifacts of one environment, if one is named, and those that all share.

    Of other environments the manifest goes on saying what it said, so that nothing else may be built there
    in between. Raises `Unwritable`.
    """
    if environment is None:
        return tuple(artifacts)
    *files, last = artifacts
    old, new = read_manifest(output), json.loads(last.text)
    others = {*new["environments"], *old.get("environments", ())} - {environment}

    def elsewhere(path: str) -> bool:
        return path.split("/")[0] in others

    def merged(key: str) -> dict[str, Any]:
        kept = {name: value for name, value in old.get(key, {}).items() if elsewhere(name)}
        mine = {name: value for name, value in new[key].items() if not elsewhere(name)}
        return dict(sorted((kept | mine).items()))

    new |= {key: merged(key) for key in ("environments", "outputs")}
    manifest = Artifact(last.path, json.dumps(new, indent=2) + "\n")
    return (*(each for each in files if not elsewhere(each.path)), manifest)


def write(artifacts: Sequence[Artifact], output: Path, environment: str | None = None) -> tuple[Change, ...]:
    """Make `output` hold exactly `artifacts`, of which the last is the manifest; returns what was changed.

    With `environment` those of that one and what all share: of the others all stays as it is.

    Everything is written to a folder of its own first and moved to its place last, so that a full disk
    leaves all as it was, and a kill leaves each file as it was or as it is to be. Raises `Unwritable`,
    and then nothing has changed.
    """
    try:
        if output.exists() and not output.is_dir():
            raise Unwritable(f"{output} is a file. Choose a folder with -o.")
        return _write(artifacts, output, environment)
    except OSError as error:
        raise Unwritable(f"cannot write {error.filename or output}: {error.strerror}") from None


def compare(
    artifacts: Sequence[Artifact], output: Path, environment: str | None = None
) -> tuple[Change, ...]:
    """How `output` differs from `artifacts`: what is missing, stale, edited by hand, left over, in the way.

    With `environment` only what `write` would look at.

    Raises `Unwritable` if it cannot be told.
    """
    try:
        ours = read_manifest(output).get("outputs", {})
        found = tuple(_differences(_narrowed(artifacts, output, environment), output, ours))
        return (*found, Change("unfinished", STAGE)) if _abandoned(output / STAGE) else found
    except OSError as error:
        raise Unwritable(f"cannot read {error.filename or output}: {error.strerror}") from None


def _differences(artifacts: Sequence[Artifact], output: Path, ours: Mapping[str, str]) -> Iterator[Change]:
    entered: set[Path] = set()
    for artifact in artifacts:
        path = artifact.path
        found = _look(output, path, entered)
        if found is None:
            yield Change("missing", path)
        elif found.holds(artifact):
            continue
        elif found.other or (path not in ours and path != MANIFEST and not found.says(artifact)):
            yield Change("in the way", path)
        elif path in ours and not found.was(ours[path]):
            yield Change("edited", path)
        else:
            yield Change("stale", path)
    # The new manifest lists the files of other environments too, where only one is built.
    for path in sorted(ours.keys() - json.loads(artifacts[-1].text)["outputs"].keys()):
        if _look(output, path, entered) is not None:
            yield Change("left over", path)


def _look(output: Path, path: str, entered: set[Path]) -> _Found | None:
    """What stands at `path`, or None. Raises `Unwritable` if the way there leads through a link or a file.

    `entered` are the folders that are known to be real; those on the way join them.
    """
    at = output
    for part in PurePosixPath(path).parts[:-1]:
        at /= part
        if at in entered:
            continue
        if at.is_symlink():
            raise Unwritable(f"{at} is a symbolic link, and mlopsgen writes through none. Take it away.")
        if not at.is_dir():
            if at.exists():
                raise Unwritable(f"{at} is a file where a folder has to be. Move it elsewhere.")
            return None
        entered.add(at)
    at = output / path
    if at.is_symlink():
        return _Found(None)
    if at.is_dir():
        return _Found(None, other=True)
    try:
        content, found = regular.read(at)
        return _Found(content, bool(found.st_mode & 0o100))
    except regular.Irregular:
        return _Found(None, other=True)
    except FileNotFoundError:
        return None


def _write(artifacts: Sequence[Artifact], output: Path, environment: str | None) -> tuple[Change, ...]:
    narrowed = _narrowed(artifacts, output, environment)
    if output.exists() and not _work(narrowed, output).pending and not os.path.lexists(output / STAGE):
        return ()
    with _made(output), _stage(output) as stage:
        # Only now is nobody else building here.
        narrowed = _narrowed(artifacts, output, environment)
        work = _work(narrowed, output)
        _replace(output, stage, (*_journal(narrowed, output), *work.pending), work)
    return work.changes


def _work(artifacts: Sequence[Artifact], output: Path) -> _Work:
    """What is to be done so that `output` holds `artifacts`. Raises `Unwritable` if it must not be done."""
    ours = read_manifest(output).get("outputs", {})
    found = tuple(_differences(artifacts, output, ours))
    if strangers := [each.path for each in found if each.kind == "in the way"]:
        raise Unwritable(_refusal(output, strangers))
    left = [each.path for each in found if each.kind == "left over"]
    removed = tuple(path for path in left if (at := _look(output, path, set())) and at.was(ours[path]))
    changes = [Change(_DONE[each.kind], each.path) for each in found if each.kind in _DONE]
    changes += [Change("removed" if path in removed else "kept", path) for path in left]
    differing = {each.path for each in found}
    return _Work(
        tuple(sorted((each for each in changes if each.path != MANIFEST), key=lambda each: each.path)),
        tuple(each for each in artifacts if each.path in differing),
        removed,
        tuple(sorted(ours.keys() - json.loads(artifacts[-1].text)["outputs"].keys())),
    )


_DONE: dict[Kind, Kind] = {"missing": "written", "stale": "updated", "edited": "overwritten"}


def _refusal(output: Path, strangers: Sequence[str]) -> str:
    named = ", ".join(str(output / path) for path in strangers[:_NAMED])
    more = f" and {len(strangers) - _NAMED} more" if len(strangers) > _NAMED else ""
    advice = "Move what is there elsewhere, or choose another folder with -o"
    return f"in the way, and not written by mlopsgen: {named}{more}. {advice}."


def _journal(artifacts: Sequence[Artifact], output: Path) -> Iterator[Artifact]:
    """A manifest of all files, old and new, to be there first: so the next build knows what a kill left."""
    ours = read_manifest(output).get("outputs", {})
    manifest = artifacts[-1]
    document = json.loads(manifest.text)
    if document["outputs"].keys() - ours.keys():
        document["outputs"] = dict(sorted((document["outputs"] | ours).items()))
        yield Artifact(manifest.path, json.dumps(document, indent=2) + "\n")


@contextmanager
def _made(folder: Path) -> Iterator[None]:
    """`folder`, which is taken away again if what is done in it fails and it did not exist."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for each in missing:
            with suppress(OSError):
                each.rmdir()
        raise


@contextmanager
def _stage(output: Path) -> Iterator[Path]:
    """An empty folder in `output` that only this process uses; what a killed build left is thrown away."""
    stage = output / STAGE
    if stage.is_symlink() or (stage.exists() and not stage.is_dir()):
        raise Unwritable(_refusal(output, [STAGE]))
    handle = _hold(stage)
    try:
        if strangers := _clear(stage):
            raise Unwritable(_refusal(output, strangers))
        yield stage
    finally:
        with suppress(OSError):
            _clear(stage)
            stage.rmdir()
        os.close(handle)


def _hold(stage: Path) -> int:
    """Make the folder and wait until no other process holds it; who closes the handle lets go of it."""
    try:
        import fcntl
    except ImportError:
        return _hold_on_windows(stage)
    while True:
        # Whoever had it before us takes the folder away: before it is opened, or while we wait.
        with suppress(FileExistsError):
            stage.mkdir()
        try:
            handle = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), stage.stat()):
                return handle
        os.close(handle)


def _hold_on_windows(stage: Path) -> int:
    """The same, by a file in the user's temporary folder: no folder can be locked there, and no file that is
    locked be removed.
    """
    import errno
    import tempfile
    from importlib import import_module

    msvcrt: Any = import_module("msvcrt")
    name = f"mlopsgen-{digest(os.fsencode(os.path.realpath(stage)))}.lock"
    handle = os.open(Path(tempfile.gettempdir()) / name, os.O_RDWR | os.O_CREAT)
    while True:
        try:
            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)
        except OSError as error:
            # After ten seconds it gives up (Python library reference, "msvcrt"); the other build goes on.
            if error.errno not in (errno.EACCES, errno.EDEADLK):
                raise
        else:
            stage.mkdir(exist_ok=True)
            return handle


def _abandoned(stage: Path) -> bool:
    """Whether a build that was killed has left something there; not while another is at work."""
    try:
        if not any(stage.iterdir()):
            return False
        import fcntl

        handle = os.open(stage, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except ImportError:
        return True
    except OSError:
        return os.path.lexists(stage)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return any(stage.iterdir())
    except OSError:
        return False
    finally:
        os.close(handle)


def _clear(stage: Path) -> list[str]:
    """Take away what a build put there; what else is there, as the output folder calls it."""
    strangers = []
    for each in stage.iterdir():
        if _STAGED.fullmatch(each.name) and (each.is_file() or each.is_symlink()):
            each.unlink()
        else:
            strangers.append(f"{STAGE}/{each.name}")
    return strangers


def _replace(output: Path, stage: Path, artifacts: Iterable[Artifact], work: _Work) -> None:
    """Put the artifacts in their places, one after the other, and take the old away before the last."""
    moves: list[tuple[Path | None, Path]] = []
    for number, artifact in enumerate(artifacts):
        fresh = stage / f"new-{number}"
        mode = 0o777 if artifact.executable else 0o666
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode), "wb") as file:
            file.write(artifact.content)
        moves.append((fresh, output / artifact.path))
    removed: list[tuple[Path | None, Path]] = [(None, output / path) for path in sorted(work.removed)]
    if not moves:
        return
    with _uninterrupted():
        _move(stage, [*moves[:-1], *removed], moves[-1], _folders(output, work.gone))


def _folders(output: Path, paths: Iterable[str]) -> list[Path]:
    """The folders of the paths, the inner ones first."""
    found = {folder for path in paths for folder in PurePosixPath(path).parents if folder.name}
    return [output / folder for folder in sorted(found, reverse=True)]


def _move(
    stage: Path,
    moves: Sequence[tuple[Path | None, Path]],
    manifest: tuple[Path | None, Path],
    emptied: Sequence[Path],
) -> None:
    """Each file to its place, or away for None, the manifest last; all back again if one cannot be moved.

    The folders that are empty then go before the manifest, which is what knows of them.
    """
    done: list[tuple[Path, Path | None]] = []
    made: list[Path] = []
    ready: set[Path] = set()
    try:
        for number, (fresh, target) in enumerate([*moves, manifest]):
            if number == len(moves):
                for folder in emptied:
                    with suppress(OSError):
                        folder.rmdir()
            if target.parent not in ready:
                missing = [each for each in target.parents if not each.exists()]
                target.parent.mkdir(parents=True, exist_ok=True)
                made += reversed(missing)
                ready.add(target.parent)
            backup = stage / f"old-{number}" if os.path.lexists(target) else None
            if backup:
                _keep(target, backup)
            if fresh:
                fresh.replace(target)
            else:
                target.unlink()
            done.append((target, backup))
    except OSError:
        for target, backup in reversed(done):
            with suppress(OSError):
                if backup:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    backup.replace(target)
                else:
                    target.unlink()
        for folder in reversed(made):
            with suppress(OSError):
                folder.rmdir()
        raise


def _keep(target: Path, backup: Path) -> None:
    try:
        os.link(target, backup, follow_symlinks=False)
    except (OSError, NotImplementedError):
        # Not every file system knows hard links.
        import shutil

        shutil.copy2(target, backup, follow_symlinks=False)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals wait for these few milliseconds, so that an impatient Ctrl-C leaves no mixture.

    On Windows they cannot be told to; the next build puts in order what one that was ended there left.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    waiting = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, waiting)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
