"""Reading a document: all that is wrong with it at once, each fault once and at its place."""

from __future__ import annotations

import random
import re

import pytest

from mlopsgen.diagnostics.diagnostic import Rejected
from mlopsgen.language.load import load
from mlopsgen.language.stories import STORIES
from mlopsgen.language.walk import Field, field_at, keys, map_typed, root_field, walk_typed
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.source.node import Mapping, Node, Sequence, plain, walk
from mlopsgen.source.parse import parse
from tests.language.example import EXAMPLE, tree
from tests.language.small import Small, read, seen, told
from tests.overlay import overlay


def test_example_is_read_for_each_environment():
    """A document that says something in every section is what its environments make of it."""
    dev, prod = load(tree(), Pipeline)
    assert (dev.environment, prod.environment) == ("dev", "prod")
    assert [each.name for each in dev.pipeline.spec.jobs] == ["trainer"]
    assert [each.name for each in prod.pipeline.spec.jobs] == []
    assert dev.pipeline.spec.services[0].replicas.max is None
    assert prod.pipeline.spec.services[0].replicas.max == 10
    assert dev.pipeline.spec.services[0].secrets["TOKEN"].secret == "team/dev"
    assert prod.pipeline.spec.services[0].secrets["TOKEN"].secret == "team/prod"
    assert EXAMPLE.count("environments:") == 2


def test_keys_of_ones_own_are_not_read():
    """Those of the first level that begin with `x-`, for anchors; nowhere else."""
    assert list(read("metadata: {name: demo}\nx-any: [1, null]\nspec: {aws: {region: here}}")) == ["default"]
    assert told("x-any: 1") == (
        "E101 4:3 unknown key `x-any`\n  = keys of one's own stand at the first level of the file\n"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a", "E103 1:3 the file should be a map, not a list\n"),
        ("", "E103 1:1 the file should be a map, not nothing\n"),
        (
            "spec: {aws: {region: here}}",
            "E102 1:1 `metadata` is missing in the file\n  = add `metadata:`\n",
        ),
        (
            "spec:\nmetadata: {name: demo}",
            "E109 1:1 `spec` has no value\n  = `spec` has no default: write a value\n",
        ),
    ],
)
def test_what_is_no_document_is_told(text: str, said: str):
    """Whatever the file holds."""
    with pytest.raises(Rejected) as rejected:
        load(parse(text, "p.yaml"), Small)
    first, *others = said.splitlines()
    (found,) = rejected.value.diagnostics
    assert f"{found.code} {str(found.labels[0].span).removeprefix('p.yaml:')} {found.message}" == first
    assert [f"  = {found.help}"] * bool(found.help) == others


def test_not_yet_is_not_unknown():
    """A reserved key or word says so, beside all other faults and instead of what would follow from it."""
    said = told(
        """
        services:
          - name: api
            image: App
            calls: [{any: thing}]
            plan: clever
            secrets: {k: {vault: x}}
        pools: [{name: p, rented: {}}]
        """
    )
    later = "the language has reserved it for a later version"
    assert said == (
        "E104 6:14 `App` does not fit `image`\n"
        "  = write `app`: lowercase letters.\n"
        f"E108 7:7 `calls` is not built yet\n  = {later}: leave it out until then\n"
        f"E108 8:13 `clever` is not built yet\n  = {later}: until then `plan` is `slow` or `fast`\n"
        f"E108 9:21 `vault` is not built yet\n  = {later}: leave it out until then\n"
        f"E108 10:21 `rented` is not built yet\n  = {later}: leave it out until then\n"
    )


def test_one_choice_stands():
    """Two are an error at the second, none is one if there is no default."""
    said = told(
        """
        pools: [{name: p, big: {}, little: {}}, {name: q}, {name: r, bgi: {}}]
        services: [{name: api, image: app, store: {disk: {}, bucket: {}}, secrets: {k: {}}}]
        environments: {dev: {services: [{name: api, secrets: {l: {secret: a, parameter: b}}}]}}
        """
    )
    assert said == (
        "E113 4:30 `little` and `big` stand side by side in `spec.pools[p]`\n"
        "  - 4:21 given already\n"
        "  = keep one of them\n"
        "E113 4:44 `spec.pools[q]` needs `big` or `little`\n"
        "  = add one of them\n"
        "E101 4:64 unknown key `bgi`\n"
        "  = did you mean `big`?\n"
        "E113 5:56 `bucket` and `disk` stand side by side in `spec.services[api].store`\n"
        "  - 5:46 given already\n"
        "  = keep one of them\n"
        "E113 5:79 `spec.services[api].secrets.k` needs `secret` or `parameter`\n"
        "  = add one of them\n"
        "E113 6:72 `parameter` and `secret` stand side by side in `spec.services[api].secrets.l`, in\n"
        "  environment `dev`\n"
        "  - 6:61 given already\n"
        "  = keep one of them\n"
    )


def test_unknown_key_is_told_with_what_was_meant():
    """The nearest key, the map that has it, or all that there are; and nothing is missing in its place."""
    said = told(
        """
        servces: []
        services:
          - {name: api, imag: app, routes: [{name: web, env: {}}], check: {zzz: 1}, cals: x}
        """
    )
    assert said == (
        "E101 4:3 unknown key `servces`\n"
        "  = did you mean `services`?\n"
        "E101 6:19 unknown key `imag`\n"
        "  = did you mean `image`?\n"
        "E101 6:51 unknown key `env`\n"
        "  = `spec.services[api]` has such a key: is it indented too far?\n"
        "E101 6:70 unknown key `zzz`\n"
        "  = there are: enabled, interval, path\n"
        "E101 6:79 unknown key `cals`\n"
        "  = did you mean `calls`? It is not built yet\n"
    )
    assert told("metadata: {name: demo}\nspec: {aws: {region: here}}\nservices: []") == (
        "E101 3:1 unknown key `services`\n  = `services` stands inside `spec`\n"
    )


def test_value_of_another_kind_is_told_with_the_authors_own_words():
    """What is wanted, what stands there, and how to write it."""
    said = told(
        """
        services:
          - {name: api, image: 5, callers: all, check: false, cache: {size: "2"}}
          - {name: web, image: app, check: {enabled: no, path: /, interval: 5}, steps: [run]}
          - {name: two, image: app, routes: [web], env: [a], cache: {size: 1.5}}
          - six
        pools: {p: {big: {}}}
        """
    )
    assert said == (
        "E103 5:26 `image` should be a string, not the number `5`\n"
        '  = put it in quotes: "5"\n'
        "E103 5:38 `callers` should be a list, not the string `all`\n"
        "  = write a list: [all]\n"
        "E103 5:50 `check` should be a map, not `false`\n"
        "  = write {enabled: false}\n"
        "E103 5:71 `size` should be a whole number, not the string `2`\n"
        "  = write it without quotes\n"
        "E103 6:48 `enabled` should be true or false, not the string `no`\n"
        "  = write false\n"
        "E107 6:71 `5` has no unit: write 5s, 5m, 5h or 5d\n"
        "E103 6:83 an item of `steps` should be a map, not the string `run`\n"
        "E103 7:40 an item of `routes` should be a map, not the string `web`\n"
        "  = write {name: web}\n"
        "E103 7:46 `env` should be a map, not a list\n"
        "E103 7:70 `size` should be a whole number, not the number `1.5`\n"
        "E103 8:7 an item of `services` should be a map, not the string `six`\n"
        "  = write {name: six}\n"
        "E103 9:3 `pools` should be a list, not a map\n"
        "  = write a list of named things: [{name: p, …}]\n"
    )


def test_ranges_forms_and_words_are_told():
    """Each with what the reference says of it."""
    said = told(
        """
        services: [{name: Api, image: app, env: {A: x}, routes: [{name: web, weight: 10}], plan: fats}]
        """
    )
    assert said == (
        "E104 4:21 `Api` does not fit `name`\n"
        "  = write `api`: lowercase letters, digits and single hyphens, as Kubernetes names are; "
        "at most 32\n    characters.\n"
        "E104 4:44 `A` cannot be a key of `env`\n"
        "  = write `a`: lowercase letters.\n"
        "E105 4:80 `weight`: must be at most 9\n"
        "  = Its share.\n"
        "E106 4:92 `fats` is not one of slow, fast\n"
        "  = did you mean `fast`?\n"
    )


def test_faults_stand_at_scalars_and_keys():
    """A whole block is never underlined."""
    said = seen("services:\n  - name: api\n    image: app\n    cache:\n      - a\n      - b\n")
    assert said == (
        """\
error[E103]: `cache` should be a map, not a list
 --> p.yaml:7:7
  |
7 |       cache:
  |       ^^^^^

1 error
"""
    )


def test_walk_knows_the_place_of_every_value():
    """Each with its path, its field, and what another document has there."""
    root = parse("spec: {services: [{name: b, env: {x: y}, zzz: 1}, {name: c}]}", "p.yaml")
    beside = parse("spec: {services: [{name: a}, {name: b, env: {x: z}}]}", "p.yaml")
    found = {at.path: at for at in walk_typed(root, root_field(Small), beside=beside)}
    assert list(found) == [
        ("spec",),
        ("spec", "services"),
        ("spec", "services", 0),
        ("spec", "services", 0, "name"),
        ("spec", "services", 0, "env"),
        ("spec", "services", 0, "env", "x"),
        ("spec", "services", 0, "zzz"),
        ("spec", "services", 1),
        ("spec", "services", 1, "name"),
    ]
    text = found["spec", "services", 0, "env", "x"]
    assert text.field is not None and text.field.filled
    assert text.beside is not None and plain(text.beside) == "z"
    assert found["spec", "services", 0, "zzz"].field is None
    assert found["spec", "services", 1].beside is None


def test_map_changes_what_the_language_knows():
    """From the outside inwards; what it does not know stays as it is."""
    root = parse("spec: {services: [{name: b, zzz: [1]}]}", "p.yaml")
    kinds: list[str] = []

    def change(node: Node, field: Field) -> Node:
        kinds.append(field.kind)
        return node

    assert map_typed(root, root_field(Small), change) == root
    assert kinds == ["map", "map", "list", "map", "scalar"]


def test_every_field_of_the_language_has_a_kind():
    """The walk understands each type that the models use."""
    waiting, known = [Pipeline], set()
    while waiting:
        model = waiting.pop()
        for key, field in keys(model).items():
            assert field.kind in ("map", "values", "list", "scalar", "json"), (model, key)
            inner = field
            while inner.each:
                inner = inner.each
            if inner.model and inner.model not in known:
                known.add(inner.model)
                waiting.append(inner.model)
    assert len(known) > 30
    env = field_at(root_field(Pipeline), ("spec", "services", 0, "env", "X"))
    assert env is not None and env.filled
    parameters = field_at(root_field(Pipeline), ("spec", "jobs", 0, "parameters", "x"))
    assert parameters is not None and parameters.kind == "json"


def changed(node: Node, others: list[Node], chance: random.Random, share: float) -> Node:
    """The tree with some of its values, keys and items changed for others, taken away or doubled."""
    if chance.random() < share:
        return chance.choice(others)
    match node:
        case Mapping(items=pairs, span=span):
            kept = [pair for pair in pairs if chance.random() > share / 2]
            below = [(key, changed(value, others, chance, share)) for key, value in kept]
            words = [
                key._replace(value="x", text="x") if chance.random() < share / 2 else key for key, _ in below
            ]
            found = {word.text: (word, value) for word, (_, value) in zip(words, below, strict=True)}
            return Mapping(tuple(found.values()), span)
        case Sequence(items=items, span=span):
            twice = [item for item in items for _ in range(1 + (chance.random() < share))]
            return Sequence(tuple(changed(item, others, chance, share) for item in twice), span)
        case _:
            return node


@pytest.mark.parametrize("seed", range(40))
def test_whatever_stands_in_a_document_is_read_or_told(seed: int):
    """Nothing but `Rejected` is raised, and every fault has a code, a place and printable words."""
    texts = "'', x, '${y', '${calls.x}', '{{resolve:x}}'"
    values = parse(
        f"[null, 5, 1.5, true, {texts}, {{}}, [], [x], [null], [{{name: x}}], {{a: null}}]", "p.yaml"
    )
    assert isinstance(values, Sequence)
    others = [*values.items, *(node for _, node in walk(tree()))]
    chance = random.Random(seed)
    root = changed(tree(), others, chance, 0.03)
    try:
        load(root, Pipeline)
    except Rejected as rejected:
        assert rejected.diagnostics
        for each in rejected.diagnostics:
            assert re.fullmatch("E1[01][0-9]|E361", each.code)
            assert each.labels and min(label.span.line for label in each.labels) >= 1
            assert f"{each.message}{each.help or ''}".isprintable()


# The pipeline that the examples of the stories are laid over.
BASE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  images: [{name: train}, {name: app}]
  models: [{name: sentiment}]
  jobs: [{name: trainer, image: train, produces: [sentiment]}]
  services: [{name: api, image: app, loads: [sentiment]}]
"""


def codes(part: str) -> list[str]:
    """The codes that a part of a pipeline gets."""
    try:
        load(overlay(parse(BASE, "p.yaml"), parse(part, "p.yaml")), Pipeline)
    except Rejected as rejected:
        return [each.code for each in rejected.diagnostics]
    return []


@pytest.mark.parametrize("code", sorted(STORIES))
def test_story_is_true(code: str):
    """What it shows as wrong gets that code and no other, and what it shows as right gets none."""
    story = STORIES[code]
    assert codes(story.wrong) == [code]
    assert codes(story.right) == []
