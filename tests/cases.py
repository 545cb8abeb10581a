"""Every pipeline that the tests know, and what it becomes."""

from __future__ import annotations

import atexit
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mlopsgen.compile import Compilation

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline, by the name of its folder."""

    name: str
    pipeline: Path

    @property
    def compilations(self) -> tuple[Compilation, ...]:
        """Its environments, compiled once in a process."""
        return _compiled(self.pipeline)

    @property
    def built(self) -> Path:
        """What `mlopsgen build` writes of it, in a folder of this process; not to be changed."""
        return _built(self.pipeline)

    @property
    def templates(self) -> tuple[Path, ...]:
        """The templates among that."""
        return tuple(sorted(self.built.glob("*/stacks/*.yaml")))


def cases() -> tuple[Case, ...]:
    """The pipeline at the root, the examples, and those that the tests have of their own."""
    examples = sorted((ROOT / "examples").glob("*/pipeline.yaml"))
    own = sorted((ROOT / "tests" / "pipelines").glob("*/pipeline.yaml"))
    named = [Case(path.parent.name, path) for path in (*examples, *own)]
    return (Case("imdb-sentiment", ROOT / "pipeline.yaml"), *named)


def case(name: str) -> Case:
    """The pipeline of that name."""
    return next(each for each in KNOWN if each.name == name)


@cache
def _compiled(pipeline: Path) -> tuple[Compilation, ...]:
    from mlopsgen.compile import compile_pipeline

    return compile_pipeline(pipeline.read_text(), str(pipeline), pipeline.parent)


@cache
def _built(pipeline: Path) -> Path:
    from mlopsgen.artifacts import write
    from mlopsgen.compile import artifacts
    from mlopsgen.manifest import digest

    folder = Path(tempfile.mkdtemp(prefix="mlopsgen-built-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    inputs = {pipeline.name: digest(pipeline.read_bytes())}
    write(artifacts(_compiled(pipeline), inputs), folder / "generated")
    return folder / "generated"


CASES = cases()
CASE_IDS = tuple(each.name for each in CASES)

KNOWN = (*CASES, Case("everything", ROOT / "tests" / "golden" / "pipeline.yaml"))
"""These, and the pipeline that says as much of the language as two workloads can."""
KNOWN_IDS = tuple(each.name for each in KNOWN)
