"""CloudFormation templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import cast

from mlopsgen.artifacts import Artifact
from mlopsgen.document import Document, Template, TemplateResource
from mlopsgen.model.plan import Parameter, Plan, Resource, Stack
from mlopsgen.text import yaml

ATTRIBUTES = ("DependsOn", "DeletionPolicy", "UpdateReplacePolicy", "UpdatePolicy", "CreationPolicy")


def written(plan: Plan, texts: Mapping[str, str]) -> Iterator[Artifact]:
    """One template per stack: `ENVIRONMENT/stacks/STACK.yaml`. `texts` are theirs, by the stacks' names."""
    for name, text in texts.items():
        yield Artifact(f"{plan.environment}/stacks/{name}.yaml", text)


def write(template: Template) -> str:
    """The template's text, with a blank line between resources."""
    head = {name: section for name, section in template.items() if name not in ("Resources", "Outputs")}
    text = "# Compiled by mlopsgen. Edit the pipeline, not this file.\n" + yaml.dump(head)
    text += "Resources:\n" + "\n".join(
        yaml.dump({name: resource}, "  ") for name, resource in template["Resources"].items()
    )
    outputs = template.get("Outputs")
    return text + yaml.dump({"Outputs": outputs}) if outputs else text


def template(stack: Stack) -> Template:
    """The template as plain maps and lists."""
    result: Template = {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": stack.description,
        "Resources": {each.logical_id: _resource(each) for each in stack.resources},
    }
    if stack.parameters:
        result["Parameters"] = {each.name: _parameter(each) for each in stack.parameters}
    if stack.outputs:
        result["Outputs"] = {
            each.name: {"Description": each.description, "Value": each.value} for each in stack.outputs
        }
    return result


def path_text(origin: tuple[str | int, ...]) -> str:
    """A path of the spec as people write it: `spec.services.sentiment-api.ingress`."""
    return ".".join(map(str, origin))


def _resource(resource: Resource) -> TemplateResource:
    """The type first, then where it comes from, then what CloudFormation does with it, then what it is."""
    body = resource.document
    own = body.get("Metadata", {})
    assert isinstance(own, dict)
    more = own.get("mlopsgen", {})
    assert isinstance(more, dict)
    metadata = {**own, "mlopsgen": {"from": path_text(resource.origin), **more}}
    result: dict[str, Document] = {"Type": body["Type"], "Metadata": metadata}
    result |= {name: body[name] for name in ATTRIBUTES if name in body}
    if body.get("Properties"):
        result["Properties"] = _literal(body["Properties"])
    return cast(TemplateResource, result)


# What a linter takes for a substitution, but for IAM's own variables such as ${aws:username}.
_SUBSTITUTION = re.compile(r"\$\{(?!aws:)[A-Za-z0-9_:.]+\}")


def _literal(value: Document) -> Document:
    """The same value, where plain text such as `${HOME}` cannot be taken for a forgotten substitution."""
    match value:
        case str():
            if "${" in value and _SUBSTITUTION.search(value):
                return {"Fn::Join": ["${", [*value.split("${")]]}
            return value
        case {"Fn::Sub": _}:
            return value
        case dict():
            return {
                key: item if isinstance(item, str) and "${" not in item else _literal(item)
                for key, item in value.items()
            }
        case list():
            return [item if isinstance(item, str) and "${" not in item else _literal(item) for item in value]
        case _:
            return value


def _parameter(parameter: Parameter) -> dict[str, Document]:
    fields = {
        "Type": parameter.type,
        "Description": parameter.description,
        "Default": parameter.default,
        "AllowedPattern": parameter.pattern,
    }
    return {name: value for name, value in fields.items() if value is not None}
