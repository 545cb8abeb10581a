"""What is just outside of what AWS takes is refused, whatever AWS says in its own descriptions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import botocore.session
import pytest

from tests.test_errors import said


class Field(NamedTuple):
    """A field of the language, and the property that it becomes."""

    part: str
    """A part of a pipeline with `{}` where the value stands."""
    service: str
    """botocore's name of the service, or the resource type of CloudFormation."""
    shape: str
    """The shape, or the path of the property in the registry's schema."""
    unit: str = ""
    """What stands behind the number in the file."""


SERVICE = "spec: {services: [{name: api, ingress: [{name: web}], %s}]}"
CANARY = "DeploymentConfiguration/CanaryConfiguration"
LINEAR = "DeploymentConfiguration/LinearConfiguration"

NUMBERS = (
    Field(SERVICE % "healthCheck: {interval: {}}", "elbv2", "HealthCheckIntervalSeconds", "s"),
    Field(SERVICE % "healthCheck: {interval: 5m, timeout: {}}", "elbv2", "HealthCheckTimeoutSeconds", "s"),
    Field(SERVICE % "healthCheck: {healthyThreshold: {}}", "elbv2", "HealthCheckThresholdCount"),
    Field(SERVICE % "healthCheck: {unhealthyThreshold: {}}", "elbv2", "HealthCheckThresholdCount"),
    Field(SERVICE % "ports: [{name: http, port: {}}]", "elbv2", "Port"),
    Field("spec: {services: [{name: api, ingress: [{name: web, priority: {}}]}]}", "elbv2", "RulePriority"),
    Field(SERVICE % "deployment: {canary: {share: {}}}", "AWS::ECS::Service", f"{CANARY}/CanaryPercent", "%"),
    Field(SERVICE % "deployment: {linear: {share: {}}}", "AWS::ECS::Service", f"{LINEAR}/StepPercent", "%"),
    Field(
        SERVICE % "deployment: {canary: {stepTime: {}}}",
        "AWS::ECS::Service",
        f"{CANARY}/CanaryBakeTimeInMinutes",
        "m",
    ),
    Field(
        SERVICE % "deployment: {linear: {stepTime: {}}}",
        "AWS::ECS::Service",
        f"{LINEAR}/StepBakeTimeInMinutes",
        "m",
    ),
    Field(
        SERVICE % "deployment: {blueGreen: {bakeTime: {}}}",
        "AWS::ECS::Service",
        "DeploymentConfiguration/BakeTimeInMinutes",
        "m",
    ),
    Field("spec: {volumes: [{name: data, efs: {user: {}}}]}", "efs", "Uid"),
    Field(
        "spec: {capacity: [{name: p, fargate: {spot: {onDemandBase: {}}}}]}",
        "AWS::ECS::Service",
        "CapacityProviderStrategy/[]/Base",
    ),
)

CHOICES = (
    Field("spec: {monitoring: {logs: {retention: {}}}}", "AWS::Logs::LogGroup", "RetentionInDays", "d"),
    Field(
        "spec: {network: {vpc: {flowLogs: {retention: {}}}}}", "AWS::Logs::LogGroup", "RetentionInDays", "d"
    ),
)

TEXTS = (
    Field("metadata: {labels: {?: x}}", "iam", "tagKeyType"),
    Field("metadata: {labels: {team: ?}}", "iam", "tagValueType"),
    Field(
        "spec: {jobs: [{name: trainer, triggers: [{name: ?, schedule: {cron: '0 3 * * *'}}]}]}",
        "scheduler",
        "Name",
    ),
    Field("spec: {services: [{name: ?, image: app}]}", "events", "RuleName"),
    Field("spec: {images: [{name: ?, context: app}]}", "ecr", "RepositoryName"),
)


@cache
def shape(service: str, name: str) -> dict[str, Any]:
    """The bounds of a shape of botocore, or of a property in the schema that cfn-lint has of the registry."""
    if not service.startswith("AWS::"):
        model = botocore.session.get_session().get_service_model(service)
        return dict(model.shape_for(name).metadata)
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", service).schema
    node = schema
    for step in name.split("/"):
        node = _resolved(schema, node)
        node = node["items"] if step == "[]" else node["properties"][step]
    found = _resolved(schema, node)
    bounds = {"min": found.get("minimum"), "max": found.get("maximum"), "enum": found.get("enum")}
    return {key: bound for key, bound in bounds.items() if bound is not None}


def _resolved(schema: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        found = schema
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        node = found
    return node


def outside(field: Field) -> Iterator[str]:
    """The value below the least, and the one above the most, as the file has them."""
    bounds = shape(field.service, field.shape)
    step = 0.1 if field.unit == "%" else 1
    for bound, by in ((bounds["min"], -step), (bounds["max"], step)):
        yield f"{round(bound + by, 1):g}" if isinstance(bound + by, float) else str(bound + by)


@pytest.mark.parametrize("field", (*NUMBERS, *CHOICES, *TEXTS), ids=lambda field: field.part)
def test_part_is_sound_by_itself(field: Field, project: Path):
    """With a value that AWS takes the pipeline is right, so that what is refused below is the value."""
    value = f"{30 if field in CHOICES else 10}{field.unit}"
    codes = said(field.part.replace("{}", value).replace("?", "ab"), project)
    assert not [code for code in codes if code.startswith("E")]


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.shape)
def test_number_just_outside_is_refused(field: Field, project: Path):
    """One less than the least, and one more than the most."""
    for value in outside(field):
        codes = said(field.part.replace("{}", f"{value}{field.unit}"), project)
        assert any(code.startswith("E") for code in codes), f"{field.part}: {value}"


@pytest.mark.parametrize("field", CHOICES, ids=lambda field: field.part)
def test_number_beside_a_choice_is_refused(field: Field, project: Path):
    """Where AWS offers some numbers, the one after each is refused unless it is offered too."""
    offered = shape(field.service, field.shape)["enum"]
    for value in (number + 1 for number in offered if number + 1 not in offered):
        codes = said(field.part.replace("{}", f"{value}{field.unit}"), project)
        assert any(code.startswith("E") for code in codes), f"{field.part}: {value}"


LETTERS = (*map(chr, range(33, 127)), "ü", "日", "٣", "€", "😀", "\u0301", "\u200b", "\u00a0", "\t")


@pytest.mark.parametrize("field", TEXTS, ids=lambda field: field.part)
def test_letter_that_aws_does_not_take_is_refused(field: Field, project: Path):
    """Each letter that AWS's pattern refuses in the middle of a name, and a name one letter too long."""
    bounds = shape(field.service, field.shape)
    refused = [letter for letter in LETTERS if not _fits(f"a{letter}b", bounds["pattern"])]
    assert refused
    for text in (*(f"a{letter}b" for letter in refused), "a" * (bounds["max"] + 1)):
        codes = said(field.part.replace("?", _quoted(text)), project)
        assert any(code.startswith("E") for code in codes), f"{field.part}: {text}"


def _fits(text: str, pattern: str) -> bool:
    """Whether the whole text fits a pattern, with IAM's `\\p` spelt out."""
    plain = pattern.replace(r"\p{L}\p{Z}\p{N}", "A-Za-z0-9ü日٣\u00a0 ")
    return re.fullmatch(plain, text) is not None


def _quoted(text: str) -> str:
    return (
        '"'
        + "".join(f"\\u{ord(each):04x}" if ord(each) < 0x10000 else f"\\U{ord(each):08x}" for each in text)
        + '"'
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder with the two programs that the pipelines speak of."""
    for name in ("app", "train"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__main__.py").touch()
        (tmp_path / name / "requirements.txt").write_text("numpy==2.0.0\n")
    return tmp_path
