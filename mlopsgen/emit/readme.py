"""`README.md`: what is here, how it is deployed, and who may do what."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from mlopsgen.artifacts import OUTPUT, Artifact
from mlopsgen.aws.partitions import url_suffix
from mlopsgen.emit.cloudformation import path_text
from mlopsgen.emit.deploy import first_after_images, first_models, last_before_images, staying
from mlopsgen.emit.dockerfile import images
from mlopsgen.emit.load_test import serving
from mlopsgen.emit.task_definition import placeholders
from mlopsgen.emit.workflow import set_up
from mlopsgen.model.plan import Command, Grant, Plan
from mlopsgen.text.templates import mermaid, render

SHAPES = {
    "balancer": "{{{}}}", "image": "[/{}/]", "job": "[[{}]]", "model": "[({})]", "person": "(({}))",
    "schedule": "([{}])", "service": "[{}]", "store": "[({})]", "topic": "[\\{}/]",
    "worker": "[{}]",
}  # fmt: skip


def emit(plans: Sequence[Plan], folder: str = OUTPUT) -> Iterator[Artifact]:
    """One page for all environments; what differs between them is told apart."""
    text = render(
        "README.md.j2",
        plans=plans,
        folder=folder,
        images=images(plans),
        diagrams=_grouped(plans, diagram),
        permissions=_grouped(plans, _permissions),
        wildcards=_grouped(plans, _wildcards),
        load_tests=bool(serving(plans)),
        resources=_grouped(plans, _resources),
        commands=[(plan.environment, found) for plan in plans if (found := _commands(plan, folder))],
        placeholders=placeholders(plans),
        last_before_images=last_before_images,
        first_after_images=first_after_images,
        first_models=first_models,
        staying=staying,
        access=[plan for plan in plans if any(each.name == "access" for each in plan.stacks)],
        url_suffix=url_suffix,
    )
    yield Artifact("README.md", text)


def diagram(plan: Plan) -> str:
    """The data flow as a Mermaid flowchart."""
    linked = {end for edge in plan.edges for end in (edge.source, edge.target)}
    nodes = [node for node in plan.nodes if node.id in linked]
    numbers = {node.id: f"n{number}" for number, node in enumerate(nodes)}
    lines = ["flowchart LR"]
    for node in nodes:
        shape = SHAPES[node.kind]
        left, right = shape.split("{}", 1) if node.kind != "balancer" else ("{{", "}}")
        lines.append(f"  {numbers[node.id]}{left}{mermaid(node.label)}{right}")
    for edge in plan.edges:
        if edge.source in numbers and edge.target in numbers:
            label = f"|{mermaid(edge.label)}|" if edge.label else ""
            lines.append(f"  {numbers[edge.source]} -->{label} {numbers[edge.target]}")
    return "\n".join(lines)


def _grouped(plans: Sequence[Plan], view: Any) -> list[tuple[str, Any]]:
    """The view of each environment, those that look alike under one heading.

    The environment's own name in it counts as alike: it is shown as ENVIRONMENT.
    """
    groups: dict[str, tuple[list[str], Any]] = {}
    for plan in plans:
        shown = view(plan)
        groups.setdefault(repr(shown).replace(plan.prefix, "PREFIX"), ([], shown))[0].append(plan.environment)
    return [(", ".join(names), shown) for names, shown in groups.values()]


def _permissions(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": each.name,
            "role": f"{each.stack}.{each.logical_id}",
            "may": list(dict.fromkeys(_words(grant) for grant in each.grants)),
        }
        for each in plan.principals
    ]


def _words(grant: Grant) -> str:
    return ("must not: " if grant.effect == "Deny" else "") + grant.because


def _wildcards(plan: Plan) -> list[dict[str, str]]:
    """What AWS cannot limit to a resource: the actions of each principal by reason, and who has the same."""
    actions: dict[tuple[str, str], set[str]] = {}
    for principal in plan.principals:
        for grant in principal.grants:
            if "*" in grant.resources and grant.effect == "Allow":
                actions.setdefault((principal.name, grant.reason or ""), set()).update(grant.actions)
    rows: dict[tuple[str, str], list[str]] = {}
    for (name, reason), found in actions.items():
        rows.setdefault((", ".join(sorted(found)), reason), []).append(name)
    return [
        {"actions": found, "reason": reason, "who": ", ".join(dict.fromkeys(names))}
        for (found, reason), names in rows.items()
    ]


def _resources(plan: Plan) -> list[tuple[str, list[tuple[str, str, str]]]]:
    return [
        (
            stack.name,
            [(each.logical_id, each.type, path_text(each.origin)) for each in stack.resources],
        )
        for stack in plan.stacks
    ]


def _commands(plan: Plan, folder: str) -> list[tuple[str, list[Command]]]:
    """What people run by hand, by topic."""
    first = [set_up(plan, plan.workflow, folder)] if plan.workflow else []
    commands = [*first, *plan.commands]
    topics = dict.fromkeys(command.topic for command in commands)
    return [(topic, [command for command in commands if command.topic == topic]) for topic in topics]
