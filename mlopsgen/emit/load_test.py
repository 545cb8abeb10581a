"""`load-tests/SERVICE.py`: a Locust file for each service that answers with a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlopsgen.artifacts import Artifact
from mlopsgen.model.plan import Plan
from mlopsgen.text.templates import render


def emit(plans: Sequence[Plan]) -> Iterator[Artifact]:
    """One file for each service that serves a model, for all environments: Locust is told the host."""
    for service in sorted(serving(plans)):
        yield Artifact(f"load-tests/{service}.py", render("locustfile.py.j2", service=service))


def serving(plans: Sequence[Plan]) -> set[str]:
    """The services with a model, by the arrow between the two."""
    return {
        edge.target
        for plan in plans
        for edge in plan.edges
        if edge.label == "loads" and edge.source.startswith("model:")
    }
