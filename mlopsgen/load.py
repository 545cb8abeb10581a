"""From nodes to the language: validate with pydantic, and say each fault at its place."""

from __future__ import annotations

from pydantic import ValidationError

from mlopsgen.diagnostics.diagnostic import Diagnostic, Label, Rejected
from mlopsgen.source.node import Mapping, Node, place, plain
from mlopsgen.source.overlay import overlay
from mlopsgen.spec.pipeline import Pipeline


def environments(root: Node) -> dict[str, Node]:
    """Each environment's whole document: the base with its partial spec laid over it."""
    spec = root.get("spec") if isinstance(root, Mapping) else None
    declared = spec.get("environments") if isinstance(spec, Mapping) else None
    if not isinstance(root, Mapping) or not isinstance(spec, Mapping):
        return {"default": root}
    base = Mapping(tuple(pair for pair in spec.items if pair[0].value != "environments"), spec.span)
    if not isinstance(declared, Mapping) or not declared.items:
        return {"default": _with_spec(root, base)}
    return {
        str(key.value): _with_spec(root, overlay(base, part) if isinstance(part, Mapping) else base)
        for key, part in declared.items
    }


def load(root: Node) -> Pipeline:
    """The pipeline that `root` describes. Raises `Rejected` with everything that does not fit."""
    try:
        return Pipeline.model_validate(plain(root))
    except ValidationError as error:
        raise Rejected(
            Diagnostic("E101", "error", each["msg"], (Label(place(root, each["loc"])),))
            for each in error.errors(include_url=False)
        ) from None


def _with_spec(root: Mapping, spec: Node) -> Mapping:
    return Mapping(
        tuple((key, spec if key.value == "spec" else value) for key, value in root.items), root.span
    )
