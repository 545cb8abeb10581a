"""The language as JSON Schema, beside the models that it is made from."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema import ValidationError as SchemaFault
from pydantic import ValidationError

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.language.reference import model_at
from mlopsgen.language.schema import schema
from mlopsgen.model.pipeline import Pipeline
from tests.language.example import example, loaded

EXAMPLE = example()
BASE = EXAMPLE | {"spec": {word: each for word, each in EXAMPLE["spec"].items() if word != "environments"}}
SCHEMA = schema(Pipeline)


@cache
def validator() -> Draft202012Validator:
    return Draft202012Validator(SCHEMA)


def places(value: Any, path: SpecPath = ()) -> Iterator[SpecPath]:
    """The path of every value, the root's too."""
    yield path
    match value:
        case dict():
            for word, item in value.items():
                yield from places(item, (*path, word))
        case list():
            for index, item in enumerate(value):
                yield from places(item, (*path, index))


def at(value: Any, path: SpecPath) -> Any:
    for step in path:
        value = value[step]
    return value


def changed(path: SpecPath, value: Any, document: Any = EXAMPLE) -> Any:
    """The example with another value at `path`."""
    result = copy.deepcopy(document)
    at(result, path[:-1])[path[-1]] = value
    return result


def dev(part: Any) -> bool:
    """Whether the schema takes that part as an environment's."""
    return validator().is_valid(changed(("spec", "environments", "dev"), part))


def loads(value: Any) -> bool:
    try:
        loaded(value)
    except ValidationError:
        return False
    return True


def test_is_json_schema():
    """It is valid under the dialect that it names."""
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(SCHEMA)


def test_accepts_a_pipeline_of_every_section():
    """An editor underlines nothing in it."""
    assert [each.message for each in validator().iter_errors(EXAMPLE)] == []


MAPS = [path for path in places(EXAMPLE) if isinstance(at(EXAMPLE, path), dict) and model_at(Pipeline, path)]


@pytest.mark.parametrize("path", MAPS, ids=lambda path: ".".join(map(str, path)) or "root")
def test_rejects_unknown_keys(path: SpecPath):
    """A key that the language does not know is refused in every map, those of environments too."""
    assert not validator().is_valid(changed((*path, "nosuch"), 1))


def test_words_of_other_tools_are_answered_in_environments_too():
    """An editor says there what it says in the base: what the word is called here."""
    base = changed(("spec", "services", 0, "livenessProbe"), {})
    part = changed(("spec", "environments", "dev"), {"services": [{"name": "api", "livenessProbe": {}}]})
    for document in (base, part):
        said = [text for fault in validator().iter_errors(document) for text in messages(fault)]
        assert [text for text in said if "There is no `livenessProbe` here: write `healthCheck`" in text]


def messages(fault: SchemaFault) -> Iterator[str]:
    """What an editor shows of it."""
    if isinstance(fault.schema, dict) and "errorMessage" in fault.schema:
        yield fault.schema["errorMessage"]
    for each in fault.context or ():
        yield from messages(each)


VALUES = (True, 0, "x", [], {})


def test_accepts_exactly_what_the_models_do():
    """With any one value of the base changed, an editor and the compiler are of one mind."""
    differ = [
        (path, value)
        for path in places(BASE)
        if path
        for value in VALUES
        if validator().is_valid(altered := changed(path, value, BASE)) != loads(altered)
    ]
    # A map without any of its choices is for the rules of loading to refuse.
    assert {(path[-1], str(value)) for path, value in differ} == {
        ("TOKEN", "{}"),
        ("KEY", "{}"),
        ("delivery", "{}"),
    }


def test_null_is_for_environments():
    """In the base `null` is data below `parameters` and in the value of a patch, and nowhere else."""
    taken = [path for path in places(BASE) if path and validator().is_valid(changed(path, None, BASE))]
    assert {(path[1], path[3]) for path in taken} == {("jobs", "parameters"), ("patches", "value")}


def test_environments_are_partial():
    """An environment may say any part of the spec, and `null` for what it takes away."""
    assert dev({})
    assert dev(None)
    assert dev(
        {
            "aws": {},
            "services": [{"name": "api", "alarms": None, "env": {"STAGE": None, "MORE": "x"}}],
            "jobs": None,
            "models": [{"name": "sentiment", "promotion": {"metrics": {"accuracy": {"atLeast": 0.5}}}}],
            "volumes": [{"name": "team", "existing": {"path": "/x"}}],
        }
    )


@pytest.mark.parametrize(
    "part",
    [
        {"services": [{"replicas": {"min": 1}}]},
        {"services": [{"name": None}]},
        {"services": [{"name": "api", "image": None}]},
        {"services": [{"name": "api", "environments": ["dev"]}]},
        {"environments": {"x": {}}},
        {"services": [{"name": "api", "replicas": {"min": "1"}}]},
        {"jobs": [{"name": "trainer", "sidecars": []}]},
        {"buckets": [{"name": "data", "prefixes": [{"name": "raw", "transitions": [{"after": "1d"}]}]}]},
    ],
    ids=str,
)
def test_environments_are_closed(part: Any):
    """What an environment cannot change is refused: names, where a thing exists, what is required."""
    assert not dev(part)


@pytest.mark.parametrize(
    "part",
    [
        {"images": [{"name": "app"}]},
        {"registry": {"keepImages": 5}},
        {"registry": None},
        {"delivery": None},
        {"delivery": {"branch": "dev"}},
        {"delivery": {"github": {"repository": "a/b"}}},
        {"delivery": {"stages": [{"name": "dev"}]}},
    ],
    ids=str,
)
def test_what_is_the_same_everywhere_stays(part: Any):
    """One build and one workflow serve all environments; each account has its own provider, though."""
    assert dev({"delivery": {"github": {"oidcProvider": "create"}}})
    assert not dev(part)


CHOICES = [
    ({"name": "v"}, False),
    ({"name": "v", "efs": {}}, True),
    ({"name": "v", "efs": {}, "existing": EXAMPLE["spec"]["volumes"][1]["existing"]}, False),
]


@pytest.mark.parametrize(("volume", "right"), CHOICES, ids=["none", "one", "two"])
def test_exactly_one_choice_stands(volume: Any, right: bool):
    """A volume is new or somebody else's."""
    assert validator().is_valid(changed(("spec", "volumes", 0), volume)) == right


def test_default_choice_may_be_left_out():
    """Of choices with a default at most one stands, and an environment may take another."""
    network = ("spec", "network")
    existing = {"vpcId": "vpc-0123456789abcdef0", "cidrs": ["10.0.0.0/16"]}
    assert validator().is_valid(changed(network, {}))
    assert validator().is_valid(changed(network, {"existing": existing}))
    assert not validator().is_valid(changed(network, {"vpc": {}, "existing": existing}))
    assert dev({"network": {"vpc": None, "existing": existing}})
    assert not dev({"network": {"vpc": {}, "existing": existing}})


def test_reserved_keys_are_refused_and_described():
    """An editor says what such a key will be, and does not offer it."""
    assert not validator().is_valid(changed(("spec", "services", 0, "calls"), ["api"]))
    calls = SCHEMA["$defs"]["ServiceSpec"]["properties"]["calls"]
    assert calls["description"].startswith("Not yet: Services, all their ports.")
    assert calls["doNotSuggest"] is True
    assert not validator().is_valid(changed(("spec", "models", 0, "promotion", "policy"), "pullRequest"))


def test_text_may_hold_placeholders():
    """What `${…}` becomes is not the editor's to judge; in a string it means nothing."""
    assert validator().is_valid(changed(("spec", "services", 0, "ingress", 0, "hosts"), ["${host}"]))
    assert validator().is_valid(changed(("spec", "services", 0, "secrets", "KEY"), {"secret": "a b${x}"}))
    assert not validator().is_valid(changed(("spec", "services", 0, "secrets", "KEY"), {"secret": "a b"}))
    assert not validator().is_valid(changed(("spec", "aws", "region"), "${region}"))


def test_keys_for_anchors_are_left_alone():
    """Below a key of the root that begins with `x-` anything may stand."""
    assert validator().is_valid(EXAMPLE | {"x-common": {"env": [None]}})
    assert not validator().is_valid(EXAMPLE | {"common": {}})


def definitions() -> Iterator[tuple[str, str, Any]]:
    for name, each in SCHEMA["$defs"].items():
        for word, value in each["properties"].items():
            yield name, word, value


def test_every_key_is_described():
    """Whatever key an editor offers, it can say what that means."""
    assert [(name, word) for name, word, value in definitions() if not value.get("description")] == []
    assert [name for name, each in SCHEMA["$defs"].items() if not each.get("description")] == []


def test_defaults_and_examples_fit():
    """What is shown as a default or an example could be written so."""
    for name, word, value in definitions():
        known = validator().evolve(schema=value)
        shown = [*value.get("examples", ()), *([value["default"]] if "default" in value else ())]
        assert [each for each in shown if not known.is_valid(each)] == [], (name, word)
