"""Log files, read beside the run that writes them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

from mlopsgen.diagnostics.fault import UserFault
from mlopsgen.local.logs import measured

ASIDE = ("build", "deploy", "embedded-aws", "load-balancer", "up")
"""Logs that are shown only when they are asked for."""

PAUSE = 0.2


class NoLogs(UserFault):
    """There is nothing to show; the text, if any, says what there would be."""


def last(folder: Path, name: str | None, lines: int) -> Iterator[str]:
    """The last lines of each log of `name`, or of all tasks. Raises `NoLogs`."""
    found = _files(folder, name)
    if not found:
        known = sorted({_owner(path) for path in folder.glob("*.log")})
        raise NoLogs(
            *([f"there is no log of `{name}`; there are: {', '.join(known)}"] if name and known else [])
        )
    for path in found:
        for line in _shown(path.read_bytes())[-lines:] if lines > 0 else []:
            yield f"{path.stem} | {line}"


def follow(folder: Path, name: str | None, running: Callable[[], bool]) -> Iterator[str]:
    """What is written from now on, until nothing runs any more."""
    seen = {path: path.stat().st_size for path in _files(folder, name)}
    while True:
        going = running()
        for path in _files(folder, name):
            with path.open("rb") as file:
                file.seek(seen.get(path, 0))
                new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            seen[path] = seen.get(path, 0) + len(whole)
            for line in _shown(whole):
                yield f"{path.stem} | {line}"
        if not going:
            return
        time.sleep(PAUSE)


def _files(folder: Path, name: str | None) -> list[Path]:
    every = list(folder.glob("*.log"))
    # A run that came to no task has told all it has in the logs aside.
    paths = [path for path in every if _wanted(path, name)] or (every if name is None else [])
    return sorted(paths, key=lambda path: (path.stat().st_mtime, path.name))


def _wanted(path: Path, name: str | None) -> bool:
    if name is None:
        return _owner(path) not in ASIDE
    return name in (_owner(path), path.stem)


def _owner(path: Path) -> str:
    """`sentiment-api` of `sentiment-api-3f2a91bc.log`."""
    return path.stem.rpartition("-")[0] or path.stem


def _shown(content: bytes) -> list[str]:
    lines = content.decode("utf-8", "replace").splitlines()
    return [line for line in lines if measured(line) is None]
