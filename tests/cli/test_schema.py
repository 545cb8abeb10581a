"""The language as JSON Schema, beside the compiler that it is made from."""

from __future__ import annotations

import copy
import json
import pathlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.diagnostics.span import SpecPath as Path
from mlopsgen.language import schema as language
from mlopsgen.language.load import load
from mlopsgen.language.reference import model_at
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.source.node import plain
from mlopsgen.source.parse import parse
from tests.cases import KNOWN, KNOWN_IDS, ROOT, Case, case


@cache
def schema() -> Any:
    """The schema of a pipeline's file."""
    return language.schema(Pipeline)


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(schema())


def document(case: Case) -> Any:
    """The pipeline with lists as lists, as JSON has them."""
    return json.loads(json.dumps(plain(parse(case.pipeline.read_text(), "pipeline.yaml"))))


IMDB = document(case("imdb-sentiment"))


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value, the root's too."""
    yield path
    match value:
        case dict():
            for key, item in value.items():
                yield from places(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from places(item, (*path, index))


def at(value: Any, path: Path) -> Any:
    for step in path:
        value = value[step]
    return value


def changed(path: Path, value: Any) -> Any:
    """The example with another value at `path`."""
    result = copy.deepcopy(IMDB)
    at(result, path[:-1])[path[-1]] = value
    return result


def loads(value: Any) -> bool:
    """Whether the compiler takes the document's shape."""
    try:
        load(parse(json.dumps(value), "pipeline.yaml"), Pipeline)
    except Rejected:
        return False
    return True


def test_is_json_schema():
    """It is valid under the dialect that it names."""
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_accepts_every_known_pipeline(case: Case):
    """An editor underlines nothing in a pipeline that builds."""
    assert [each.message for each in validator().iter_errors(document(case))] == []


MAPS = [
    path for path in places(IMDB) if isinstance(at(IMDB, path), dict) and model_at(Pipeline, path) is not None
]


@pytest.mark.parametrize("path", MAPS, ids=lambda path: ".".join(map(str, path)) or "root")
def test_rejects_unknown_keys(path: Path):
    """A key that the language does not know is refused in every map, those of environments too."""
    assert not validator().is_valid(changed((*path, "nosuch"), 1))


VALUES = (None, True, 0, 1.5, "x", "10m", [], {})


def test_accepts_exactly_what_loads():
    """With any one value of the example changed, an editor and the compiler are of one mind."""
    known, services = validator(), ("spec", "services")
    differ = [
        (path, value)
        for path in places(IMDB)
        if path
        for value in VALUES
        if known.is_valid(altered := changed(path, value)) != loads(altered)
    ]
    # Only the compiler sees that an environment changes a part of a service that the base has no longer.
    assert differ == [(services, []), ((*services, 0, "name"), "x"), (DEV_NAME, "x")]


DEV_NAME = ("spec", "environments", "dev", "services", 0, "name")


def test_environments_are_partial():
    """An environment may say any part of the spec, and `null` for what it takes away."""
    part = {
        "services": [
            {"name": "sentiment-api", "replicas": None, "ingress": [{"name": "web", "hosts": None}]},
        ],
        "monitoring": {"alarms": {"services": {"cpu": None}}},
        "aws": {},
        "jobs": None,
    }
    assert validator().is_valid(changed(("spec", "environments", "dev"), part))
    unnamed = {"services": [{"replicas": {"min": 1}}]}
    assert not validator().is_valid(changed(("spec", "environments", "dev"), unnamed))
    nested = changed(("spec", "environments", "dev"), {"environments": {"x": {}}})
    assert not validator().is_valid(nested)
    assert not loads(nested)


def definitions() -> Iterator[tuple[str, str, Any]]:
    for name, each in schema()["$defs"].items():
        for key, value in each["properties"].items():
            yield name, key, value


def test_every_key_is_described():
    """Whatever key an editor offers, it can say what that means."""
    assert [(name, key) for name, key, value in definitions() if not value.get("description")] == []
    assert [name for name, each in schema()["$defs"].items() if not each.get("description")] == []


def test_defaults_and_examples_fit():
    """What is shown as a default or an example could be written so."""
    for name, key, value in definitions():
        known = validator().evolve(schema=value)
        shown = [*value.get("examples", ()), *([value["default"]] if "default" in value else ())]
        assert [each for each in shown if not known.is_valid(each)] == [], (name, key)


EDITOR = ROOT / "tests" / "editor"
SERVER = ("Missing property ", "Property ", "Value is ")
"""How messages begin that are the language server's own."""


def test_messages_for_editors():
    """What an editor is to say of faults is the schema's, but for what the server says well itself."""
    told = [line.split(": ", 1)[1] for line in (EDITOR / "faults.txt").read_text().splitlines()]
    ours = {each for each in told if not each.startswith(SERVER)}
    assert ours - set(messages(schema())) == set()
    assert len(ours) > 15


def messages(value: Any) -> Iterator[str]:
    """Every message of the schema."""
    match value:
        case dict():
            yield from (value[word] for word in ("errorMessage", "patternErrorMessage") if word in value)
            for each in value.values():
                yield from messages(each)
        case list():
            for each in value:
                yield from messages(each)


def test_what_is_not_offered_is_refused_with_a_reason():
    """Whatever stands there, an editor says why it must not."""
    refused = [value for _, _, value in definitions() if value.get("doNotSuggest")]
    assert [each for each in refused if not each["errorMessage"]] == []
    for value in refused:
        known = validator().evolve(schema=value)
        assert not any(known.is_valid(each) for each in (None, True, 0, "", [], {}, {"-": 1}))


def test_words_of_other_tools_are_not_offered():
    """They are refused with what to write instead, wherever their map may stand."""
    properties = schema()["$defs"]["ServiceSpec"]["properties"]
    assert properties["livenessProbe"]["doNotSuggest"] is True
    assert properties["desiredCount"]["errorMessage"] == (
        "There is no `desiredCount` here: write `replicas: {min: 2}`."
    )


def test_command_prints_it(capsys: pytest.CaptureFixture[str]):
    """`mlopsgen schema` prints the same, as JSON."""
    from mlopsgen.cli import main

    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == schema()


@pytest.mark.parametrize(
    "file",
    [
        ROOT / "templates" / "init" / "pipeline.yaml.j2",
        ROOT / "pipeline.yaml",
        *ROOT.glob("examples/*/pipeline.yaml"),
    ],
    ids=lambda file: file.parent.name,
)
def test_pipelines_name_it(file: pathlib.Path):
    """The line that editors look for stands first, in what `init` writes and in all pipelines here."""
    place = "../../" if file.parent.parent.name == "examples" else ""
    first = file.read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={place}pipeline.schema.json"
