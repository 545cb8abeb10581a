"""`spec.patches`: single changes to resources, after everything else, each with its reason."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from mlopsgen.checks.rule import Finding
from mlopsgen.diagnostics.closest import closest
from mlopsgen.plan import Body, Plan, Resource, Stack
from mlopsgen.spec.patches import PatchSpec


class _Gone(Exception):
    """The patch's target is not there; the finding says what is."""

    def __init__(self, step: str, message: str, help_: str | None) -> None:
        self.step, self.message, self.help = step, message, help_


def patch(plan: Plan, patches: Sequence[PatchSpec]) -> tuple[Plan, tuple[tuple[str, Finding], ...]]:
    """The plan with all patches, and a finding with its code for each that has nothing to change."""
    findings: list[tuple[str, Finding]] = []
    for index, spec in enumerate(patches):
        try:
            plan = _apply(plan, spec)
        except _Gone as gone:
            at = ("spec", "patches", index, gone.step)
            # A patch of the base is laid on every environment, and one of them may not have its target.
            where = "" if plan.environment == "default" else f" in environment `{plan.environment}`"
            findings.append(("E250", Finding(at, gone.message + where, gone.help)))
    return plan, tuple(findings)


def _apply(plan: Plan, spec: PatchSpec) -> Plan:
    stack = _named(plan.stacks, spec.stack, "stack", lambda each: each.name, "stack")
    target = _named(stack.resources, spec.resource, "resource", lambda each: each.logical_id, "resource")
    body = Body(target.body.resource_type, copy.deepcopy(target.body.to_dict()))
    _change(body.document.setdefault("Properties", {}), spec)
    note = body.document.setdefault("Metadata", {}).setdefault("mlopsgen", {})
    note.setdefault("patched", []).append(f"{spec.path}: {' '.join(spec.reason.split())}")
    changed = target._replace(body=body)
    resources = tuple(changed if each is target else each for each in stack.resources)
    return plan._replace(stacks=tuple(_swap(plan.stacks, stack, resources)))


def _swap(stacks: Iterable[Stack], target: Stack, resources: tuple[Resource, ...]) -> Iterator[Stack]:
    for each in stacks:
        yield each._replace(resources=resources) if each is target else each


def _named(items: Iterable[Any], name: str, step: str, key: Any, what: str) -> Any:
    known = {key(each): each for each in items}
    if name not in known:
        raise _Gone(step, f"no {what} `{name}`", _suggestion(name, known))
    return known[name]


def _suggestion(name: str, known: Iterable[str]) -> str:
    close = closest(name, known)
    return f"did you mean `{close}`?" if close else f"there are: {', '.join(sorted(known))}"


def _change(properties: dict[str, Any], spec: PatchSpec) -> None:
    node: Any = properties
    if spec.container is not None:
        containers = {each["Name"]: each for each in properties.get("ContainerDefinitions", ())}
        node = _named(
            containers.values(), spec.container, "container", lambda each: each["Name"], "container"
        )
    *parents, last = spec.path.split(".")
    walked: list[str] = []
    for name in parents:
        walked.append(name)
        if name not in node:
            if spec.value is None:
                raise _Gone("path", f"there is no `{'.'.join(walked)}` to take away", _suggestion(name, node))
            node[name] = {}
        node = node[name]
        if not isinstance(node, dict):
            kind = "a list" if isinstance(node, list) else "not a map"
            message = f"`{'.'.join(walked)}` is {kind}: a path goes through maps only"
            raise _Gone("path", message, f"patch `{'.'.join(walked)}` as a whole")
    if spec.value is None:
        if last not in node:
            raise _Gone("path", f"there is no `{spec.path}` to take away", _suggestion(last, node))
        del node[last]
    else:
        node[last] = _ordered(spec.value)


def _ordered(value: Any) -> Any:
    """The same value with its keys in alphabetical order, as those of every property."""
    match value:
        case dict():
            return {key: _ordered(value[key]) for key in sorted(value)}
        case list():
            return [_ordered(item) for item in value]
        case _:
            return value
