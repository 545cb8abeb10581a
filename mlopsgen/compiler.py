"""The phases, in order: text → nodes → one pipeline per environment → plans → artifacts."""

from __future__ import annotations

from mlopsgen.artifacts import Artifact
from mlopsgen.emit import emit
from mlopsgen.load import environments, load
from mlopsgen.lower import lower
from mlopsgen.plan import Plan
from mlopsgen.source.parse import parse


def compile_pipeline(text: str, file: str) -> tuple[Artifact, ...]:
    """Compile one pipeline, or raise `Rejected` with everything that is wrong."""
    return emit(plans(text, file))


def plans(text: str, file: str) -> tuple[Plan, ...]:
    """One plan per environment, in the order of the file. Raises `Rejected`."""
    trees = environments(parse(text, file))
    return tuple(lower(load(tree), name) for name, tree in trees.items())
