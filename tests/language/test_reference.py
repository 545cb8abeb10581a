"""The reference of the language, as `explain` and the page show it."""

from __future__ import annotations

import re

import pytest

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.models.spec import GateSpec
from mlopsgen.components.services.spec import RouteSpec, ServiceSpec
from mlopsgen.components.workloads.spec import ReplicasSpec
from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.base import Called
from mlopsgen.language.page import entry, page
from mlopsgen.language.reference import (
    bounds,
    describe,
    fields,
    form,
    is_later,
    key,
    model_at,
    models,
    type_name,
    typed,
)
from mlopsgen.language.values import Unit
from mlopsgen.model.pipeline import Pipeline, PipelineSpec

PAGE = page(Pipeline)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ((), Pipeline),
        (("spec",), PipelineSpec),
        (("spec", "services"), ServiceSpec),
        (("spec", "services", 0), ServiceSpec),
        (("spec", "services", "api", "replicas"), ReplicasSpec),
        (("spec", "services", 0, "ingress", 1), RouteSpec),
        (("spec", "models", 0, "promotion", "metrics", "accuracy"), GateSpec),
        (("spec", "environments", "dev"), PipelineSpec),
        (("spec", "environments", "services", "jobs", 0), JobSpec),
        (("spec", "environments", "dev", "services", 0, "replicas"), ReplicasSpec),
        (("spec", "services", 0, "env"), None),
        (("spec", "services", 0, "environments"), None),
        (("spec", "services", 0, "sidecars"), None),
        (("spec", "nosuch"), None),
    ],
)
def test_model_at_a_path(path: tuple[str | int, ...], model: type | None):
    """Lists, names of things and environments are stepped through."""
    assert model_at(Pipeline, path) is model


def test_key_is_described_wherever_it_stands():
    """An environment's part means what it means in the base."""
    said = "The fewest. Without `max`: exactly so many."
    assert describe(Pipeline, ("spec", "services", 0, "replicas", "min")) == said
    assert describe(Pipeline, ("spec", "environments", "dev", "services", 0, "replicas", "min")) == said
    assert describe(Pipeline, ("spec", "services", 0, "nosuch")) is None


def test_keys_of_a_map_are_listed():
    """What may stand there, reserved keys too."""
    known = fields(Pipeline, ("spec", "services", 0, "replicas", "metrics"))
    assert list(known) == ["cpu", "memory", "gpu", "requests", "latency", "backlog", "own"]
    assert fields(Pipeline, ("spec", "services"))["replicas"] is ReplicasSpec


WORDS = r"^[A-Za-z][A-Za-z0-9_]*$"

FORMS = {
    (("spec", "aws", "account"), r"^[0-9]{12}$"): "twelve digits, in quotes",
    (("spec", "environments", "dev", "aws", "account"), r"^[0-9]{12}$"): "twelve digits, in quotes",
    (("spec", "jobs", 0, "parameters", "a-b"), WORDS): "as the program calls the parameter",
    (("spec", "models", 0, "promotion", "metrics", "a-b"), WORDS): "as the trainer calls the metric",
}


@pytest.mark.parametrize(("path", "pattern"), FORMS, ids=str)
def test_form_of_a_field_is_its_own(path: SpecPath, pattern: str):
    """Types of one pattern are told apart: a parameter is no metric."""
    assert FORMS[path, pattern] in str(form(Pipeline, path, pattern))
    assert form(Pipeline, ("spec", "services", 0, "nosuch"), pattern) is None


TYPES = {
    ("ServiceSpec", "name"): "name",
    ("ServiceSpec", "image"): "image",
    ("ServiceSpec", "env"): "map of text",
    ("ServiceSpec", "secrets"): "map of maps",
    ("ServiceSpec", "reads"): "list of name",
    ("ServiceSpec", "command"): "list of string",
    ("ServiceSpec", "ports"): "list of maps",
    ("ServiceSpec", "architecture"): "one of amd64, arm64",
    ("RouteSpec", "hosts"): "list of text",
    ("ResourcesSpec", "cpu"): "cpu",
    ("ResourcesSpec", "ephemeral_storage"): "size",
    ("ScalingMetricsSpec", "requests"): "rate",
    ("ScalingMetricsSpec", "latency"): "latency",
    ("RollingSpec", "max_surge"): "percent",
    ("VpcSpec", "cidr"): "string",
    ("LoadBalancerSpec", "allow_from"): "list of peer",
    ("ImageSpec", "context"): "file",
    ("TriggerScheduleSpec", "cron"): "cron",
    ("JobSpec", "parameters"): "map of json",
    ("AwsSpec", "permissions_boundary"): "text",
    ("PipelineSpec", "environments"): "map of maps",
    ("GateSpec", "at_least"): "number",
    ("FlowLogsSpec", "enabled"): "boolean",
    ("AwsSpec", "account"): "string",
    ("PatchSpec", "value"): "json",
}


@pytest.mark.parametrize(("model", "name"), TYPES)
def test_types_have_the_references_words(model: str, name: str):
    """The page and `explain` say `percent` and `list of name`, not Python's words."""
    field = models(Pipeline)[model].model_fields[name]
    assert type_name(field.annotation, tuple(field.metadata)) == TYPES[model, name]


BOUNDS = {
    ("ReplicasSpec", "min"): "0 to 5000",
    ("ReplicasSpec", "max"): "0 to 5000",
    ("RouteSpec", "priority"): "1 to 50000",
    ("SecurityContextSpec", "run_as_user"): "0 to 65534",
    ("GithubIdsSpec", "owner"): "at least 1",
    ("Metadata", "labels"): "at most 40 items",
    ("ServiceSpec", "ports"): "at least 1 item",
    ("PatchSpec", "reason"): "10 to 500 characters",
    ("ServiceSpec", "name"): None,
    ("ResourcesSpec", "cpu"): None,
}


@pytest.mark.parametrize(("model", "name"), BOUNDS)
def test_bounds_are_told_of_optional_fields_too(model: str, name: str):
    """What a number may be stands beside its type, whether it must be given or not."""
    assert bounds(models(Pipeline)[model].model_fields[name]) == BOUNDS[model, name]


def test_entry_says_what_a_key_is():
    """`explain` has all that the page has."""
    choice = models(Pipeline)["NetworkSpec"].model_fields["vpc"]
    assert entry(choice) == {
        "type": "map",
        "range": None,
        "required": False,
        "default": {},
        "choice": True,
        "later": False,
    }


def rows(heading: str) -> dict[str, list[str]]:
    """The cells of a table of the page, by its keys."""
    section = PAGE.split(f"\n{heading}\n")[1].split("\n#")[0]
    found = re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| (.*) \|$", section, re.MULTILINE)
    return {word: [kind, said, text] for word, kind, said, text in found}


def test_page_has_types_bounds_and_defaults():
    """A reader need not try what is allowed."""
    replicas = rows("### `spec.services.replicas`")
    assert replicas["max"][:2] == ["integer, 0 to 5000", ""]
    assert rows("### `spec.services.deployment.rolling`")["maxSurge"][:2] == ["percent", "`100%`"]
    assert rows("### `spec.images.python`")["version"][:2] == ["string", '`"3.11"`']
    assert rows("### `spec.capacity.ec2`")["rootVolume"][:2] == ["map", "`size: 100Gi`"]
    assert rows("## `spec.services`")["ports"][:2] == ["list of maps, at least 1 item", "`http`"]
    assert rows("## `spec.aws`")["region"][1] == "**required**"


def test_page_marks_choices():
    """Of which keys one stands, and which holds by itself."""
    network = rows("## `spec.network`")
    assert network["vpc"][1:] == ["`{}`", "Choice. A new VPC. See [`spec.network.vpc`](#specnetworkvpc)."]
    assert network["existing"][2].startswith("Choice. ")


def test_page_lists_what_is_reserved():
    """A key that comes later is named as such, and in no table."""
    for model in models(Pipeline).values():
        later = [key(name, field) for name, field in model.model_fields.items() if is_later(field)]
        if later:
            assert f"\nReserved, and not built yet: {', '.join(f'`{word}`' for word in later)}.\n" in PAGE
    assert "sidecars" not in rows("## `spec.services`")


def test_page_explains_every_type():
    """Each word of a type column has its row among the values."""
    known = set(re.findall(r"^\| (\w+) \| ", PAGE.split("## Values")[1].split("\n## ")[0], re.MULTILINE))
    called = {
        mark.word
        for model in models(Pipeline).values()
        for field in model.model_fields.values()
        for mark in typed(field)[1]
        if isinstance(mark, Called | Unit)
    }
    assert called - known == {"map of maps"}


def test_links_lead_somewhere():
    """Each link within the page leads to a heading of it."""
    headings = re.findall(r"^#+ `?(.+?)`?$", PAGE, re.MULTILINE)
    anchors = [heading.replace(".", "").replace(" ", "-").lower() for heading in headings]
    assert set(re.findall(r"\(#([^)]+)\)", PAGE)) <= set(anchors)
    assert len(set(anchors)) == len(headings)
