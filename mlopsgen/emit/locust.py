"""`load-tests/SERVICE.py`: a Locust file for each service that answers with a model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlopsgen.artifacts import Artifact
from mlopsgen.emit.render import render
from mlopsgen.plan import Plan


def emit(plans: Sequence[Plan]) -> Iterator[Artifact]:
    """One file for each service that serves a model, for all environments: Locust is told the host."""
    for service, model in sorted(_serving(plans).items()):
        text = render("locustfile.py.j2", service=service, model=model)
        yield Artifact(f"load-tests/{service}.py", text)


def _serving(plans: Sequence[Plan]) -> dict[str, str]:
    """The model that each service serves, by the arrow between the two."""
    return {
        edge.target: edge.source.removeprefix("model:")
        for plan in plans
        for edge in plan.edges
        if edge.label == "serves" and edge.source.startswith("model:")
    }
