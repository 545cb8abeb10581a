"""Every pipeline whose whole output is known byte for byte."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Case:
    """A pipeline, and the folder that holds exactly what it becomes."""

    name: str
    pipeline: Path
    expected: Path

    @property
    def templates(self) -> tuple[Path, ...]:
        return tuple(sorted(self.expected.glob("*/stacks/*.yaml")))


def cases() -> tuple[Case, ...]:
    """The pipeline at the root, the examples, and the golden cases."""
    examples = sorted((ROOT / "examples").glob("*/pipeline.yaml"))
    golden = sorted((ROOT / "tests" / "golden").glob("*/pipeline.yaml"))
    return (
        Case("imdb-sentiment", ROOT / "pipeline.yaml", ROOT / "generated"),
        *(Case(path.parent.name, path, path.parent / "generated") for path in examples),
        *(Case(path.parent.name, path, path.parent / "expected") for path in golden),
    )


CASES = cases()
CASE_IDS = tuple(case.name for case in CASES)
