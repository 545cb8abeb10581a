"""`load-tests/SERVICE.py`: a Locust file for each service that answers with a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.model.plan import Plan
from mlopsgen.text.templates import render


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """One file for each service that serves a model, for all environments: Locust is told the host."""
    for service in sorted(serving(plans)):
        yield Artifact(f"load-tests/{service}.py", render("locustfile.py.j2", service=service))


def serving(plans: Sequence[Plan]) -> set[str]:
    """The services that load a model."""
    return {task.name for plan in plans for task in plan.tasks if task.kind == "service" and task.loads}
