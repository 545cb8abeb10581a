"""`spec.patches`: single changes to finished resources, after everything else, each with its reason."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from mlopsgen.components.patches.spec import PatchSpec
from mlopsgen.diagnostics.closest import closest
from mlopsgen.diagnostics.finding import Finding
from mlopsgen.document import Document
from mlopsgen.model.plan import Plan, Resource

GONE = "E250"
"""The code of a patch that has nothing to change."""

T = TypeVar("T")


class _Gone(Exception):
    """The patch's target is not there; the finding says what is."""

    def __init__(self, step: str, message: str, help_: str | None) -> None:
        self.step, self.message, self.help = step, message, help_


def patch(plan: Plan, patches: Sequence[PatchSpec]) -> tuple[Plan, tuple[tuple[str, Finding], ...]]:
    """The plan with all patches, and a finding with its code for each that has nothing to change."""
    findings: list[tuple[str, Finding]] = []
    for spec in patches:
        try:
            plan = _apply(plan, spec)
        except _Gone as gone:
            at = ("spec", "patches", spec.name, gone.step)
            findings.append((GONE, Finding(at, gone.message, gone.help)))
    return plan, tuple(findings)


def _apply(plan: Plan, spec: PatchSpec) -> Plan:
    stack = _named(plan.stacks, spec.stack, "stack", lambda each: each.name)
    target = _named(stack.resources, spec.resource, "resource", lambda each: each.logical_id)
    changed = _changed(target, spec)
    resources = tuple(changed if each is target else each for each in stack.resources)
    return plan._replace(
        stacks=tuple(each._replace(resources=resources) if each is stack else each for each in plan.stacks)
    )


def _changed(target: Resource, spec: PatchSpec) -> Resource:
    """The resource with the patch, and the reason for it in its metadata."""
    document = copy.deepcopy(target.document)
    _change(_map(document, "Properties"), spec)
    note = _map(_map(document, "Metadata"), "mlopsgen")
    patched = note.setdefault("patched", [])
    assert isinstance(patched, list)
    patched.append(f"{spec.path}: {' '.join(spec.reason.split())}")
    return target._replace(document=document)


def _map(document: dict[str, Document], key: str) -> dict[str, Document]:
    """The map at a key, which is there from now on."""
    found = document.setdefault(key, {})
    assert isinstance(found, dict)
    return found


def _named(items: Iterable[T], name: str, what: str, key: Callable[[T], str]) -> T:
    known = {key(each): each for each in items}
    if name not in known:
        raise _Gone(what, f"no {what} `{name}`", _suggestion(name, known))
    return known[name]


def _suggestion(name: str, known: Iterable[str]) -> str:
    close, names = closest(name, known), sorted(known)
    if close:
        return f"did you mean `{close}`?"
    return f"there are: {', '.join(names)}" if names else "there is none: leave it out"


def _change(properties: dict[str, Document], spec: PatchSpec) -> None:
    node = properties
    if spec.container is not None:
        given = properties.get("ContainerDefinitions")
        containers = [each for each in given if isinstance(each, dict)] if isinstance(given, list) else []
        node = _named(containers, spec.container, "container", lambda each: str(each.get("Name")))
    *parents, last = spec.path.split(".")
    walked: list[str] = []
    for name in parents:
        walked.append(name)
        if name not in node:
            if spec.value is None:
                raise _Gone("path", f"there is no `{'.'.join(walked)}` to take away", _suggestion(name, node))
            node[name] = {}
        below = node[name]
        if not isinstance(below, dict):
            kind = "a list" if isinstance(below, list) else "not a map"
            message = f"`{'.'.join(walked)}` is {kind}: a path goes through maps only"
            raise _Gone("path", message, f"patch `{'.'.join(walked)}` as a whole")
        node = below
    if spec.value is None:
        if last not in node:
            raise _Gone("path", f"there is no `{spec.path}` to take away", _suggestion(last, node))
        del node[last]
    else:
        node[last] = _ordered(spec.value)


def _ordered(value: Document) -> Document:
    """The same value with its keys in alphabetical order, as those of every property."""
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value)}
        case list():
            return [_ordered(item) for item in value]
        case _:
            return value
