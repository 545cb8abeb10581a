"""Which lines a verdict names."""

from __future__ import annotations

import pytest

from mlopsgen.forecast.edits import edits, groups, mixed
from mlopsgen.forecast.outlook import Outlook, outlook
from mlopsgen.motion.stacks import TemplateSet
from mlopsgen.source.node import plain
from mlopsgen.source.parse import parse
from tests.forecast.known import BASE, compared, dumped, edited
from tests.motion.known import Edit, bases, changed, compiled
from tests.motion.known import edits as corpus

PAIRS = list(zip(corpus(), corpus()[1:], strict=False))[::30]
"""Neighbours in the corpus speak of the same things."""


def seen(before: str, after: str, environment: str) -> Outlook:
    return outlook(compared(before, after), environment)


def owed(found: Outlook, logical_id: str) -> set[str]:
    """The edits that the steps of a resource are owed to, by their paths."""
    return {
        edit.name
        for each in found.changed
        if each.step.logical_id == logical_id
        for edit in each.causes.edits
    }


def test_each_property_has_its_own_line():
    """Of three edits, each resource names those that change it."""
    after = edited(
        BASE,
        ("port: 8080", "port: 9090"),
        ("path: /ready", "path: /health"),
        ("max: 4, metrics", "max: 9, metrics"),
    )
    found = seen(BASE, after, "prod")
    port, check = "services.api.ports.http.port", "services.api.healthCheck.path"
    assert owed(found, "WebPublicTargetGroup") == {check}
    assert owed(found, "TaskDefinition") == {port, check}
    assert owed(found, "FromPublicLoadBalancer9090") == {port}
    assert owed(found, "ScalableTarget") == {"services.api.replicas.max"}


def test_what_needs_two_lines_names_both():
    """An endpoint that only a secret in a network without a way out needs is owed to both lines."""
    after = edited(
        BASE,
        ("natGateways: single", "natGateways: none"),
        ("      reads: [raw]\n", "      reads: [raw]\n      secrets: {TOKEN: {parameter: shop/token}}\n"),
    )
    found = seen(BASE, after, "prod")
    assert owed(found, "EcrApiEndpoint") == {"network.vpc.natGateways"}
    assert owed(found, "SsmEndpoint") == {"network.vpc.natGateways", "services.api.secrets"}


def test_what_either_line_changes_names_both():
    """Two rules of one bucket that both change are owed to both lines."""
    after = edited(
        BASE,
        ("name: raw}", "name: raw, expireAfter: 9d}"),
        ("name: models}", "name: models, expireAfter: 9d}"),
    )
    found = seen(BASE, after, "prod")
    assert owed(found, "DataBucket") == {
        "buckets.data.prefixes.raw.expireAfter", "buckets.data.prefixes.models.expireAfter",
    }  # fmt: skip


def test_another_environments_part_is_not_blamed():
    """What only dev says is no cause in prod, which has nothing to tell."""
    after = edited(BASE, ("min: 1, max: 2", "min: 1, max: 3"))
    assert seen(BASE, after, "prod").way == "same"
    assert owed(seen(BASE, after, "dev"), "ScalableTarget") == {"environments.dev.services.api.replicas.max"}


def test_a_stage_that_goes_is_a_cause_in_the_next():
    """Prod's deployer copies images of dev, until there is none."""
    after = edited(
        BASE, ("    dev: {services: [{name: api, replicas: {min: 1, max: 2}}]}\n", ""), ("{name: dev}, ", "")
    )
    assert owed(seen(BASE, after, "prod"), "DeliveryRole") == {"delivery.stages.dev"}


def test_a_rename_and_what_follows_it_are_one():
    """A model's name and the lines that refer to it stand together, and each is named."""
    after = edited(BASE, ("name: ranker, ", "name: sorter, "), ("loads: [ranker]", "loads: [sorter]"))
    both = compared(BASE, after)
    assert [[each.name for each in group] for group in both.edited("prod")] == [
        ["models.sorter", "services.api.loads"]
    ]
    assert owed(outlook(both, "prod"), "TaskDefinition") == {"models.sorter", "services.api.loads"}


def test_of_many_edits_each_resource_names_its_own():
    """With more edits than are tried one by one, a service's resources name the lines of that service."""
    services = "".join(f"    - {{name: extra-{number}, image: app}}\n" for number in range(30))
    after = edited(
        BASE, ("  delivery:\n", f"{services}  delivery:\n"), ("max: 4, metrics", "max: 9, metrics")
    )
    found = seen(BASE, after, "prod")
    assert owed(found, "ScalableTarget") == {"services.api.replicas.max"}
    definitions = {
        each.step.stack: [edit.name for edit in each.causes.edits]
        for each in found.changed
        if each.step.logical_id == "TaskDefinition"
    }
    assert definitions == {f"serving-extra-{number}": [f"services.extra-{number}"] for number in range(30)}


def test_the_shortest_advice():
    """Of two edits, only the one that stops the deployment is to be left out."""
    after = edited(
        BASE,
        ("natGateways: single", "natGateways: single, cidr: 10.9.0.0/16"),
        ("max: 4, metrics", "max: 9, metrics"),
    )
    found = seen(BASE, after, "prod")
    assert found.stopped_at == "network"
    assert [[each.name for each in group] for group in found.ways_out] == [["network.vpc.cidr"]]


def test_what_the_compiler_changes_is_told_apart():
    """A side before that another version wrote differs without any edit; the edit is not blamed for it."""
    from tests.cases import case

    built = {
        path.relative_to(case("imdb-sentiment").built).as_posix(): path.read_text()
        for path in case("imdb-sentiment").built.rglob("*")
        if path.is_file()
    }
    name = "prod/stacks/registry-sentiment-api.yaml"
    assert "ScanOnPush: true" in built[name]
    built[name] = built[name].replace("ScanOnPush: true", "ScanOnPush: false")
    text = case("imdb-sentiment").pipeline.read_text()
    after = edited(text, ("max: 10, metrics", "max: 11, metrics"))
    found = outlook(compared(text, after, built), "prod")
    (scan,) = (each for each in found.changed if each.step.type == "AWS::ECR::Repository")
    (scaling,) = (each for each in found.changed if each.step.logical_id == "ScalableTarget")
    assert (scan.causes.compiler, scan.causes.edits) == (True, ())
    assert (scaling.causes.compiler, [each.name for each in scaling.causes.edits]) == (
        False, ["services.sentiment-api.replicas.max"],
    )  # fmt: skip


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0].title}+{pair[1].name}")
def test_of_two_edits_each_step_names_the_one_that_brings_it(pair: tuple[Edit, Edit]):
    """What an edit does by itself is owed to its lines when both are made at once."""
    one, other = pair
    if one.base != other.base or not all(isinstance(each.compiled, TemplateSet) for each in pair):
        return
    base = bases()[one.base]
    try:
        both = changed(base, one.words, other.words)
    except (KeyError, StopIteration):
        return  # One takes away what the other changes.
    if not isinstance(compiled(both), TemplateSet):
        return
    before, after = dumped(base), dumped(both)
    lines = [
        {each.name for each in edits(parse(before, "p"), parse(dumped(changed(base, each.words)), "p"))}
        for each in pair
    ]
    alone = [seen(before, dumped(changed(base, each.words)), "default") for each in pair]
    brought = [
        {(each.step.stack, each.step.logical_id, each.step.action) for each in found.changed}
        for found in alone
    ]
    found = seen(before, after, "default")
    if {each.name for each in found.edits} != lines[0] | lines[1]:
        return  # Both lie in one thing that is new.
    for each in found.changed:
        key = (each.step.stack, each.step.logical_id, each.step.action)
        named = {edit.name for edit in each.causes.edits}
        for mine, here, there in ((lines[0], *brought), (lines[1], *reversed(brought))):
            if key in here and key not in there:
                assert named and named <= mine, (key, named)


def test_edits_lead_from_one_document_to_the_other():
    """All edits together make the new document, none of them the old one, whatever was changed."""
    for one in corpus()[::5]:
        base = bases()[one.base]
        old, new = parse(dumped(base), "p"), parse(dumped(changed(base, one.words)), "p")
        found = edits(old, new)
        assert _sorted(plain(mixed(old, new, found))) == _sorted(plain(new)), one.title
        assert _sorted(plain(mixed(old, new, ()))) == _sorted(plain(old)), one.title
        assert sorted(each.path for group in groups(found) for each in group) == sorted(
            each.path for each in found
        )


def _sorted(value: object) -> object:
    """The value with lists of named things in the order of their names."""
    if isinstance(value, dict):
        return {key: _sorted(item) for key, item in value.items()}
    if isinstance(value, tuple):
        items = [_sorted(item) for item in value]
        named = all(isinstance(item, dict) and "name" in item for item in items)
        return sorted(items, key=lambda item: item["name"]) if named else items
    return value
