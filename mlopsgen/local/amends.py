"""Where the embedded AWS does not take what AWS takes: amended for as long as it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

Tags = Callable[[Any], list[dict[str, str]]]


@contextmanager
def amended(region: str) -> Iterator[None]:
    """Let templates tag whatever takes tags, and get the zones of their own region.

    CloudFormation has each type's own form of tags; moto 5.2 hands them to an API that has another one. And
    `Fn::GetAZs: ""` means the stack's region ("Fn::GetAZs", AWS CloudFormation template reference), where
    moto takes us-east-1 for every empty name. Termination protection it takes for new stacks alone.
    """
    from unittest.mock import patch

    from moto.cloudformation import parsing
    from moto.cloudformation.responses import CloudFormationResponse
    from moto.kms.models import Key
    from moto.ssm.models import Parameter

    with ExitStack() as stack:
        stack.enter_context(patch.object(parsing, "DEFAULT_REGION", region))
        protect = "update_termination_protection"
        stack.enter_context(patch.object(CloudFormationResponse, protect, _protect, create=True))
        stack.enter_context(_with_tags(Key, _as_kms_takes_them))
        stack.enter_context(_with_tags(Parameter, _as_list))
        yield


def _protect(self: Any) -> Any:
    """What UpdateTerminationProtection answers (AWS CloudFormation API reference)."""
    from moto.core.responses import ActionResult

    found = self.cloudformation_backend.get_stack(self._get_param("StackName"))
    found.enable_termination_protection = self._get_bool_param("EnableTerminationProtection")
    return ActionResult({"StackId": found.stack_id})


def _as_kms_takes_them(tags: list[dict[str, str]]) -> list[dict[str, str]]:
    return [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in tags]


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": name, "Value": value} for name, value in tags.items()]


@contextmanager
def _with_tags(model: Any, convert: Tags) -> Iterator[None]:
    """Resources of that model are made of templates with their tags converted."""
    usual = model.__dict__["create_from_cloudformation_json"]

    def create(cls: Any, resource_name: str, cloudformation_json: Any, *rest: Any, **more: Any) -> Any:
        properties = dict(cloudformation_json["Properties"])
        if "Tags" in properties:
            properties["Tags"] = convert(properties["Tags"])
        document = {**cloudformation_json, "Properties": properties}
        return usual.__func__(cls, resource_name, document, *rest, **more)

    model.create_from_cloudformation_json = classmethod(create)
    try:
        yield
    finally:
        model.create_from_cloudformation_json = usual
