"""One file per kind of output. Emitters read the plan and nothing above it."""

from __future__ import annotations

from collections.abc import Sequence

from mlopsgen.artifacts import Artifact
from mlopsgen.emit import cloudformation
from mlopsgen.plan import Plan


def emit(plans: Sequence[Plan]) -> tuple[Artifact, ...]:
    """Every file that the plans become, sorted by path."""
    artifacts = [artifact for plan in plans for artifact in cloudformation.emit(plan)]
    return tuple(sorted(artifacts, key=lambda each: each.path))
