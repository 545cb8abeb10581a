"""Environments change what the base declares, and neither add nor remove a thing of their own."""

from __future__ import annotations

import pytest

from mlopsgen.diagnostics.span import SpecPath
from mlopsgen.source.node import key_place, place
from tests.language.small import document, read, seen, spec, told, tree


def test_without_environments_there_is_default():
    """A document that names no environment has one, called `default`."""
    assert list(read("services: []")) == ["default"]


def test_environments_come_in_the_order_of_the_alphabet():
    """Whatever their order in the file; nothing behind a name is an empty part."""
    assert list(read("environments: {prod: {}, dev: null, test: {}}")) == ["dev", "prod", "test"]


def test_maps_and_lists_of_things_merge():
    """What an environment does not name stays as the base has it, in the base's order."""
    found = spec(
        """
        services:
          - {name: one, image: app, env: {a: x, b: y}, cache: {size: 2}}
          - {name: two, image: app}
        environments:
          dev:
            services:
              - {name: two, image: other}
              - {name: one, env: {b: z, c: w}, cache: {}}
        """,
        "dev",
    )
    assert [(each.name, each.image) for each in found.services] == [("one", "app"), ("two", "other")]
    assert found.services[0].env == {"a": "x", "b": "z", "c": "w"}
    assert found.services[0].cache is not None
    assert found.services[0].cache.size == 2


def test_other_lists_and_json_are_replaced():
    """What has no name cannot be found again; `parameters` merges by its own keys and no deeper."""
    found = tree(
        """
        services:
          - name: one
            image: app
            callers: [a, b]
            steps: [{run: first, after: zero}, {run: second}]
            note: {a: [{name: x}], b: 1}
            parameters: {a: {x: 1, y: 2}, b: 2, c: 3}
        environments:
          dev:
            services:
              - name: one
                callers: [c]
                steps: [{run: third}]
                note: {a: [{name: y, z: null}]}
                parameters: {a: {z: null}, b: null, d: [null]}
        """,
        "dev",
    )
    assert found == {
        "services": (
            {
                "name": "one",
                "image": "app",
                "callers": ("c",),
                "steps": ({"run": "third"},),
                "note": {"a": ({"name": "y", "z": None},)},
                "parameters": {"a": {"z": None}, "c": 3, "d": (None,)},
            },
        )
    }


def test_null_takes_away_what_the_base_says():
    """The default holds again: of a key, of a whole list, of a key that the author chose."""
    found = spec(
        """
        services:
          - {name: one, image: app, check: {path: /a, interval: 5s}, routes: [{name: web}], env: {a: x}}
        environments:
          dev: {services: [{name: one, check: {path: null}, routes: null, env: {a: null}}]}
        """,
        "dev",
    ).services[0]
    assert (found.check.path, found.check.interval, found.routes, found.env) == ("/", 5, (), {})


CHOICES = """
pools: [{name: p, big: {size: 3}}]
services: [{name: one, image: app, store: {bucket: {size: 2}}}]
environments:
  dev: {pools: [{name: p, little: {}}], services: [{name: one, store: {disk: {}}}]}
  prod: {pools: [{name: p, big: {size: 4}}], services: [{name: one, store: {bucket: null}}]}
  test: {pools: [{name: p, big: null, little: {}}]}
"""


@pytest.mark.parametrize(
    ("environment", "pool", "store"),
    [
        ("dev", {"little": {}}, {"disk": {}}),
        ("prod", {"big": {"size": 4}}, {}),
        ("test", {"little": {}}, {"bucket": {"size": 2}}),
    ],
)
def test_choice_takes_the_place_of_the_bases(environment: str, pool: object, store: object):
    """An environment that says another one need not take the base's away; the same one merges."""
    assert tree(CHOICES, environment) == {
        "pools": ({"name": "p"} | pool,),
        "services": ({"name": "one", "image": "app", "store": store},),
    }


def test_default_choice_holds_where_none_is_left():
    """What an environment takes away leaves the default of the choices."""
    store = spec(CHOICES, "prod").services[0].store
    assert store.disk is not None
    assert store.bucket is None


LIMITED = """
pools: [{name: p, little: {}, environments: [prod]}]
services:
  - {name: one, image: app, routes: [{name: web, environments: [dev]}, {name: inner}]}
  - {name: two, image: app, environments: [dev], routes: [{name: web}]}
environments: {dev: {}, prod: {}}
"""


def test_thing_can_be_in_some_environments():
    """An item of any list says so in the base; the key itself is in no tree."""
    assert tree(LIMITED, "prod") == {
        "pools": ({"name": "p", "little": {}},),
        "services": ({"name": "one", "image": "app", "routes": ({"name": "inner"},)},),
    }


def test_list_whose_things_are_all_elsewhere_is_left_out():
    """It is not the empty list, which would say something."""
    assert tree(LIMITED, "dev") == {
        "services": (
            {"name": "one", "image": "app", "routes": ({"name": "web"}, {"name": "inner"})},
            {"name": "two", "image": "app", "routes": ({"name": "web"},)},
        )
    }


def test_environment_says_what_it_lacks():
    """Rules that meet a reference to such a thing can point to the line that leaves it out."""
    found = read(LIMITED)
    assert [each.path for each in found["dev"].absent] == [("spec", "pools", "p")]
    assert [(each.path[2:], str(each.name), str(each.environments)) for each in found["prod"].absent] == [
        (("one", "routes", "web"), "p.yaml:6:47", "p.yaml:6:52"),
        (("two",), "p.yaml:7:14", "p.yaml:7:31"),
        (("two", "routes", "web"), "p.yaml:7:68", "p.yaml:7:31"),
    ]


CHANGED = """
services: [{name: one, image: app, callers: [a], env: {a: x}}]
environments: {dev: {services: [{name: one, image: other, env: {a: y}}]}}
"""


@pytest.mark.parametrize(
    ("path", "value", "key"),
    [
        (("name",), "4 one", "4 name"),
        (("image",), "5 other", "5 image"),
        (("callers", 0), "4 a", "4 a"),
        (("env",), "4 env", "4 env"),
        (("env", "a"), "5 y", "5 a"),
    ],
)
def test_places_are_those_of_the_file(path: SpecPath, value: str, key: str):
    """Each value points to the line that it came from: the base's, or that of the environment's part."""
    root, lines = read(CHANGED)["dev"].tree, document(CHANGED).splitlines()
    spans = [find_place(root, ("spec", "services", 0, *path)) for find_place in (place, key_place)]
    assert [
        f"{span.line} {lines[span.line - 1][span.column - 1 : span.end_column - 1]}" for span in spans
    ] == [value, key]


@pytest.mark.parametrize(
    ("environments", "said"),
    [
        (
            "{Dev: {}}",
            "E104 4:18 `Dev` cannot be the name of an environment\n"
            "  = use lowercase letters and digits, starting with a letter; at most 16\n",
        ),
        (
            "{pre-prod: {}}",
            "E104 4:18 `pre-prod` cannot be the name of an environment\n"
            "  = use lowercase letters and digits, starting with a letter; at most 16\n",
        ),
        (
            "{images: {}}",
            "E361 4:18 `images` is a folder of the output, and cannot be the name of an environment\n"
            "  = choose another name\n",
        ),
        (
            "{dev: 5}",
            "E103 4:23 environment `dev` should be a map: the part of `spec` that differs\n"
            "  = if nothing does, write `dev: {}`\n",
        ),
        (
            "[dev, prod]",
            "E103 4:3 `environments` should be a map: for each the part of `spec` that differs\n"
            "  = such as `environments: {dev: {}, prod: {}}`; without any leave the key out\n",
        ),
        (
            "null",
            "E103 4:17 `environments` should be a map: for each the part of `spec` that differs\n"
            "  = such as `environments: {dev: {}}`; without any leave the key out\n",
        ),
    ],
)
def test_environments_are_a_map_of_parts(environments: str, said: str):
    """Their names are short, and fit into those of stacks and folders."""
    assert told(f"environments: {environments}") == said


def test_environment_adds_no_thing():
    """A misspelled name is found before anything is said of what it lacks."""
    said = told(
        """
        services: [{name: api, image: app, routes: [{name: web}]}]
        environments:
          dev: {services: [{name: aip, cache: {}}]}
          prod: {services: [{name: api, routes: [{name: x}]}], pools: [{name: common, little: {}}]}
        """
    )
    assert said == (
        "E110 6:29 the base has no service `aip` for environment `dev` to change\n"
        "  = did you mean `api`? A service for dev alone stands in the base with `environments: [dev]`\n"
        "E110 7:51 the base has no route `x` in `spec.services[api]` for environment `prod` to change\n"
        "  = a route for prod alone stands in the base with `environments: [prod]`\n"
        "E110 7:73 the base has no pool `common` for environment `prod` to change\n"
        "  = it is there without being declared: declare it in the base to change it for prod\n"
    )


def test_environment_changes_nothing_that_it_does_not_have():
    """Both lines are shown, and nothing that is below is looked at."""
    said = seen(
        """
        services: [{name: api, image: app, environments: [dev]}]
        environments: {dev: {}, prod: {services: [{name: api, imagee: x}]}}
        """
    )
    assert said == (
        """\
error[E111]: environment `prod` does not have the service `api` that it changes
 --> p.yaml:5:52
  |
5 |   environments: {dev: {}, prod: {services: [{name: api, imagee: x}]}}
  |                                                    ^^^
 --> p.yaml:4:38
  |
4 |   services: [{name: api, image: app, environments: [dev]}]
  |                                      ------------ the service is there alone
  = help: take it out here, or add `prod` to its `environments`

1 error
"""
    )


def test_environment_does_not_change_what_is_the_same_in_all():
    """But what is marked as varying below it; both lines are shown."""
    said = told(
        """
        images: [{name: app}]
        delivery: {branch: main}
        environments:
          dev: {images: [{name: app}], delivery: {branch: next, provider: create}}
          prod: {delivery: null}
        """
    )
    assert said == (
        "E114 7:11 environment `dev` changes `images`, which is the same in all of them\n"
        "  - 4:3 the base's\n"
        "  = one build and one workflow serve them all: say it in the base\n"
        "E114 7:45 environment `dev` changes `branch`, which is the same in all of them\n"
        "  - 5:22 the base's\n"
        "  = one build and one workflow serve them all: say it in the base\n"
        "E114 8:12 environment `prod` changes `delivery`, which is the same in all of them\n"
        "  - 5:3 the base's\n"
        "  = one build and one workflow serve them all: say it in the base\n"
    )
    varied = "delivery: {branch: main}\nenvironments: {dev: {delivery: {provider: create}}, prod: {}}"
    delivery = {name: spec(varied, name).delivery for name in ("dev", "prod")}
    assert {name: each and (each.branch, each.provider) for name, each in delivery.items()} == {
        "dev": ("main", "create"),
        "prod": ("main", "existing"),
    }


def test_thing_is_in_one_declared_environment_at_least():
    """The key is a list of names, in the base alone."""
    said = told(
        """
        services:
          - {name: api, image: app, environments: [prod, prdo]}
          - {name: web, image: app, routes: [{name: web, environments: []}]}
          - {name: one, image: app, environments: dev}
          - {name: two, image: app, environments: [5]}
          - {name: six, image: app, environments: null}
        environments:
          dev: {environments: {}}
          prod: {services: [{name: api, environments: [prod]}]}
        """
    )
    assert said == (
        "E112 5:52 there is no environment `prdo`\n"
        "  = did you mean `prod`?\n"
        "E112 6:52 the route `web` is in no environment\n"
        "  = leave the key out for all of them\n"
        "E103 7:45 `environments` should be a list of names\n"
        "  = write a list: [dev]\n"
        "E103 8:46 a name of `environments` should be a string\n"
        "E109 9:45 `environments: null` takes nothing away in the base\n"
        "  = leave the key out\n"
        "E112 11:11 `environments` stands in the base alone, and not in environment `dev`\n"
        "  = take it out\n"
        "E112 12:35 `environments` stands in the base alone, and not in environment `prod`\n"
        "  - 5:31 the base's\n"
        "  = say in the base where the service is\n"
    )


def test_thing_without_environments_is_in_default():
    """Where no environment is declared, there is one all the same."""
    assert tree("pools: [{name: p, little: {}, environments: [default]}]") == {
        "pools": ({"name": "p", "little": {}},)
    }
    assert told("pools: [{name: p, little: {}, environments: [dev]}]") == (
        "E112 4:48 there is no environment `dev`\n"
        "  = `spec.environments` names them; without any there is `default` alone\n"
    )


def test_null_in_the_base_takes_nothing_away():
    """Whoever writes it hears what to write instead; in `note` and `parameters` it is data."""
    said = told(
        """
        pools: [{name: p, big: null}]
        services:
          - name: api
            image:
            check: null
            callers: ~
            routes: null
            env: {a: }
            steps: [null]
            note: null
            parameters: {x: null}
        """
    )
    assert said == (
        "E109 4:26 `big: null` takes nothing away in the base\n"
        "  = leave the key out, or write `big: {}` for one with all its defaults\n"
        "E109 7:7 `image` has no value\n"
        "  = `image` has no default: write a value\n"
        "E109 8:14 `check: null` takes nothing away in the base\n"
        "  = leave the key out, or turn it off: `check: {enabled: false}`\n"
        "E109 9:16 `callers: ~` takes nothing away in the base\n"
        "  = leave the key out, or write `callers: []` for none at all\n"
        "E109 10:15 `routes: null` takes nothing away in the base\n"
        "  = leave the key out\n"
        "E109 11:13 `a` has no value\n"
        '  = leave the key out, or write `a: ""` for an empty text\n'
        "E109 12:15 an item of `steps` has no value\n"
        "  = take it out\n"
    )
    assert tree("services: [{name: api, image: app, note: null, parameters: {x: null}}]") == {
        "services": ({"name": "api", "image": "app", "note": None, "parameters": {"x": None}},)
    }


def test_null_in_an_environment_takes_something_away():
    """It needs something of the base's, and something that can do without; a thing is not removed by it."""
    said = told(
        """
        pools: [{name: p, big: {}}]
        services: [{name: api, image: app, parameters: {a: 1}}]
        environments:
          dev:
            aws: {region: null}
            pools: [{name: p, big: null}]
            services: [null, {name: api, cache: null, parameters: {a: null, b: null}}]
        """
    )
    assert said == (
        "E109 8:21 `region` cannot be taken away, in environment `dev`\n"
        "  = it has no default: write another value, or leave the key out\n"
        "E109 9:30 `big` cannot be taken away, in environment `dev`\n"
        "  = nothing takes its place: write `big` or `little`\n"
        "E109 10:18 an item of `services` has no value, in environment `dev`\n"
        "  = the base says which environments have a service: `environments: [..]`\n"
        "E109 10:43 `cache: null` takes nothing away, in environment `dev`\n"
        "  = the base says nothing of it: leave the key out, or write `cache: {}` for one with all its\n"
        "    defaults\n"
        "E109 10:74 `b: null` takes nothing away, in environment `dev`\n"
        "  = the base says nothing of it: leave the key out\n"
    )


def test_name_stands_once_in_a_list():
    """In the base and in an environment's part; what has no name changes nothing."""
    said = told(
        """
        services: [{name: api, image: app}, {name: api, image: App}]
        environments:
          dev: {services: [{name: api}, {name: api}, {image: app}, api, {name: 5}]}
        """
    )
    assert said == (
        "E115 4:46 the name `api` stands twice in `spec.services`\n"
        "  - 4:21 first given here\n"
        "  = what differs between environments stands in `spec.environments`\n"
        "E104 4:58 `App` does not fit `image`\n"
        "  = write `app`: lowercase letters.\n"
        "E115 6:42 the name `api` stands twice in `spec.services`, in environment `dev`\n"
        "  - 6:29 first given here\n"
        "E102 6:49 `name` is missing in `spec.services[2]`, in environment `dev`\n"
        "  = say which service it changes: add `name:`\n"
        "E103 6:62 an item of `services` should be a map, in environment `dev`\n"
        "  = write `{name: api, …}`, and what is to change\n"
        "E103 6:74 `name` should be a string, in environment `dev`\n"
        '  = put it in quotes: "5"\n'
    )


def test_fault_of_the_base_is_told_once():
    """Whatever the number of environments, and without the name of any."""
    said = told("services: [{name: api, image: App}]\nenvironments: {dev: {}, prod: {}, test: {}}")
    assert said == "E104 4:33 `App` does not fit `image`\n  = write `app`: lowercase letters.\n"


def test_fault_of_an_environment_names_it():
    """Those of a part, and those of the base that only some environments have."""
    said = told(
        """
        services: [{name: api, image: App, cache: {size: x}}]
        environments:
          dev: {services: [{name: api, image: app}]}
          prod: {services: [{name: api, cache: null}]}
          test: {services: [{name: api, image: 5, cache: {sice: 1}}]}
        """
    )
    assert said == (
        "E104 4:33 `App` does not fit `image`, in environment `prod`\n"
        "  = write `app`: lowercase letters.\n"
        "E103 4:52 `size` should be a whole number, not the string `x`, in environments `dev` and `test`\n"
        "E103 8:42 `image` should be a string, not the number `5`, in environment `test`\n"
        '  = put it in quotes: "5"\n'
        "E101 8:53 unknown key `sice`, in environment `test`\n"
        "  = did you mean `size`?\n"
    )


def test_one_part_of_two_environments_is_told_once():
    """What stands behind an anchor is the fault of both."""
    said = told(
        """
        services: [{name: api, image: app}]
        environments:
          dev: &part {services: [{name: api, cache: {size: x}}]}
          prod: *part
        """
    )
    assert said == (
        "E103 6:54 `size` should be a whole number, not the string `x`, in environments `dev` and `prod`\n"
    )
