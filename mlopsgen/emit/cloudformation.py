"""CloudFormation templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from mlopsgen.artifacts import Artifact
from mlopsgen.plan import Parameter, Plan, Stack


def emit(plan: Plan) -> Iterator[Artifact]:
    """One template per stack: `ENVIRONMENT/stacks/STACK.yaml`."""
    for stack in plan.stacks:
        text = yaml.safe_dump(template(stack), sort_keys=False, width=110)
        yield Artifact(f"{plan.environment}/stacks/{stack.name}.yaml", text)


def template(stack: Stack) -> dict[str, Any]:
    """The template as plain maps and lists."""
    sections = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": stack.description,
        "Parameters": {each.name: _parameter(each) for each in stack.parameters},
        "Resources": {each.logical_id: each.body.to_dict() for each in stack.resources},
        "Outputs": {
            each.name: {"Description": each.description, "Value": _plain(each.value)} for each in stack.outputs
        },
    }
    return {name: section for name, section in sections.items() if section}


def _parameter(parameter: Parameter) -> dict[str, str]:
    fields = {
        "Type": parameter.type,
        "Description": parameter.description,
        "Default": parameter.default,
        "AllowedPattern": parameter.pattern,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _plain(value: Any) -> Any:
    return value.to_dict() if hasattr(value, "to_dict") else value
