"""Known pipelines, edits of them, and what they compile to."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import yaml

from mlopsgen.compile import compile_pipeline
from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.motion.reading import template
from mlopsgen.motion.stacks import StackTemplate, TemplateSet
from tests.cases import KNOWN

HERE = Path(__file__).parent
_FILES = {
    "imdb-sentiment": "imdb-sentiment", "recommender": "recommender", "medical-imaging": "medical-imaging",
    "help-desk": "chatbot", "everything": "everything",
}  # fmt: skip


@dataclass(frozen=True)
class Edit:
    """One edit of one pipeline."""

    base: str
    name: str
    words: Mapping[str, Any]

    @property
    def title(self) -> str:
        """What tests call it."""
        return f"{self.base}-{self.name}"

    @cached_property
    def compiled(self) -> TemplateSet | str:
        """What the edited pipeline compiles to; the codes of its errors if it is refused."""
        return compiled(changed(bases()[self.base], self.words))


@cache
def bases() -> dict[str, dict[str, Any]]:
    """The pipelines by name, each with one environment: what `environments` lays over it is left out."""
    found: dict[str, dict[str, Any]] = yaml.safe_load((HERE / "pipelines.yaml").read_text())
    paths = {each.name: each.pipeline for each in KNOWN}
    for name, case in _FILES.items():
        pipeline = yaml.safe_load(paths[case].read_text())
        pipeline["spec"].pop("environments", None)
        pipeline["spec"].get("delivery", {}).pop("stages", None)
        found[name] = pipeline
    return found


@cache
def base(name: str) -> TemplateSet:
    """What a pipeline compiles to as it is."""
    found = compiled(bases()[name])
    assert isinstance(found, TemplateSet), found
    return found


@cache
def edits() -> tuple[Edit, ...]:
    """All edits, by pipeline and in the order of the file."""
    found = yaml.safe_load((HERE / "edits.yaml").read_text())
    return tuple(Edit(name, edit, words) for name, own in found.items() for edit, words in own.items())


def compiled(pipeline: Mapping[str, Any]) -> TemplateSet | str:
    """The set of templates of a pipeline with one environment; the codes of its errors if it is refused."""
    try:
        (one,) = compile_pipeline(json.dumps(pipeline, default=str), "pipeline.yaml")
    except Rejected as rejected:
        return " ".join(sorted({each.code for each in rejected.diagnostics if each.severity == "error"}))
    stacks = tuple(StackTemplate(name, template(text)) for name, text in one.templates.items())
    return TemplateSet(one.plan.prefix, one.plan.region, stacks, tuple(sorted(one.plan.tags)))


def changed(pipeline: Mapping[str, Any], *edits: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline after some edits."""
    result = copy.deepcopy(dict(pipeline))
    for words in edits:
        for path, name in words.get("rename", {}).items():
            _item(result, path)["name"] = name
        for path, value in words.get("set", {}).items():
            *way, last = _steps(path)
            _put(_held(result, way), last, copy.deepcopy(value))
        for path, item in words.get("add", {}).items():
            *way, last = _steps(path)
            _held(result, way).setdefault(last, []).append(copy.deepcopy(item))
        for path in words.get("drop", ()):
            *way, last = _steps(path)
            _take(_held(result, way), last)
    return result


def _steps(path: str) -> list[str]:
    return path.split(".") if path.startswith("metadata.") else ["spec", *path.split(".")]


def _held(found: Any, way: list[str]) -> Any:
    for step in way:
        if isinstance(found, list):
            found = next(each for each in found if each["name"] == step)
        else:
            found = found.setdefault(step, {})
    return found


def _item(pipeline: Any, path: str) -> Any:
    return _held(pipeline, _steps(path))


def _put(held: Any, last: str, value: Any) -> None:
    if isinstance(held, list):
        held[next(number for number, each in enumerate(held) if each["name"] == last)] = value
    else:
        held[last] = value


def _take(held: Any, last: str) -> None:
    if isinstance(held, list):
        held[:] = [each for each in held if each["name"] != last]
    else:
        held.pop(last, None)


def pairs() -> Iterator[tuple[Edit, Edit]]:
    """Edits of one pipeline that stand near each other, and so speak of the same things."""
    found = edits()
    for number, first in enumerate(found):
        for second in found[number + 1 : number + 2]:
            if first.base == second.base:
                yield first, second
