"""Small sets of templates, made by hand."""

from __future__ import annotations

from typing import Any

from mlopsgen.motion.replay import DELIVERY, Forecast, forecast
from mlopsgen.motion.stacks import Delivery, Json, StackTemplate, TemplateSet

Resources = dict[str, dict[str, Any]]


def resource(kind: str, **properties: Json) -> dict[str, Any]:
    """A resource; `kind` is its type without `AWS::`. Attributes such as `DependsOn` begin with `_`."""
    body: dict[str, Any] = {"Type": f"AWS::{kind}", "Properties": {}}
    for name, value in properties.items():
        (body if name[0] == "_" else body["Properties"])[name.lstrip("_")] = value
    return body


def ref(name: str) -> dict[str, Json]:
    return {"Ref": name}


def published(path: str, value: Json) -> dict[str, Any]:
    """A parameter in SSM that other stacks read."""
    return resource("SSM::Parameter", Name=path, Type="String", Value=value)


def reads(kind: str, path: str) -> dict[str, Json]:
    """A template's parameter that is read from SSM."""
    return {"Type": f"AWS::SSM::Parameter::Value<{kind}>", "Default": path}


def stacks(parameters: dict[str, dict[str, Any]] | None = None, **resources: Resources) -> TemplateSet:
    """A set of stacks in their order, with the parameters of each by its name."""
    return TemplateSet(
        "shop-prod",
        "eu-west-1",
        tuple(
            StackTemplate(name, {"Parameters": (parameters or {}).get(name, {}), "Resources": own})
            for name, own in resources.items()
        ),
        (("mlopsgen:environment", "prod"), ("mlopsgen:pipeline", "shop")),
    )


def moves(old: TemplateSet | None, new: TemplateSet, delivery: Delivery = DELIVERY) -> Forecast:
    """What becomes of one set when the other is deployed."""
    return forecast(old, new, delivery)


def said(found: Forecast) -> list[tuple[str, str, str]]:
    """What is said, as rule, stack and logical id."""
    return [(each.rule, each.stack, each.logical_id) for each in found.findings]
