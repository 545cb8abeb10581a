"""`${…}` in texts: what is filled in, what stays as it stands, and what is no name."""

from __future__ import annotations

import pytest

from mlopsgen.source.node import find
from tests.language.small import read, spec, told, tree

VALUES = """
metadata: {name: demo}
spec:
  aws: {region: here, account: "123456789012"}
  variables: {domain: example.com, dollar: "$", brace: "$${x}"}
  services: [{name: api, image: app, env: {a: TEXT}}]
  environments: {dev: {variables: {domain: dev.example.com, more: x}}, prod: {}}
"""


@pytest.mark.parametrize(
    ("text", "dev", "prod"),
    [
        ("${environment}", "dev", "prod"),
        ("${account}/${region}/${pipeline}", "123456789012/here/demo", "123456789012/here/demo"),
        ("https://${domain}/", "https://dev.example.com/", "https://example.com/"),
        ("$${HOME}", "${HOME}", "${HOME}"),
        ("$$${domain}", "$${domain}", "$${domain}"),
        ("$HOME pa$$word $ $(x) a$", "$HOME pa$$word $ $(x) a$", "$HOME pa$$word $ $(x) a$"),
        ("${dollar}{domain}", "${domain}", "${domain}"),
        ("${brace}", "${x}", "${x}"),
        ("{environment}", "{environment}", "{environment}"),
    ],
)
def test_texts_are_filled_in(text: str, dev: str, prod: str):
    """By built-in names and variables, once: what was filled in is not read again."""
    document = VALUES.replace("TEXT", f'"{text}"')
    assert spec(document, "dev").services[0].env == {"a": dev}
    assert spec(document, "prod").services[0].env == {"a": prod}


def test_texts_are_everywhere():
    """In lists, in maps of maps, in `metadata`; in nothing else, and in no key."""
    root = read(
        """
        metadata: {name: demo, labels: {"${a}": "${pipeline}"}}
        spec:
          aws: {region: here}
          services:
            - name: api
              image: app
              secrets: {k: {secret: "${environment}/k"}}
              routes: [{name: web, hosts: ["${region}.example.com"]}]
              callers: ["${region}"]
              parameters: {a: "${HOME}"}
              note: ["${x}"]
        """
    )["default"].pipeline
    assert root.model_dump(exclude_defaults=True) == {
        "metadata": {"name": "demo", "labels": {"${a}": "demo"}},
        "spec": {
            "aws": {"region": "here"},
            "services": (
                {
                    "name": "api",
                    "image": "app",
                    "secrets": {"k": {"secret": "default/k"}},
                    "routes": ({"name": "web", "hosts": ("here.example.com",)},),
                    "callers": ("${region}",),
                    "parameters": {"a": "${HOME}"},
                    "note": ["${x}"],
                },
            ),
        },
    }


def test_filled_texts_keep_their_places():
    """A value points to the line that says it, and remembers what its author wrote."""
    root = read('services: [{name: api, image: app, env: {a: "${region}!"}}]')["default"].tree
    node, _, _ = find(root, ("spec", "services", 0, "env", "a"))
    assert (str(node.span), node[0], node[2]) == ("p.yaml:4:47", "here!", "${region}!")


def test_unknown_names_are_not_left_as_they_stand():
    """The message names the escape, and the nearest name if there is one."""
    said = told(
        """
        services:
          - name: api
            image: app
            env: {a: "${HOME}/x", b: "${regoin}", c: "${}", d: "${a b", e: "${calls.web}", f: "${exports.x}"}
        """
    )
    assert said == (
        "E116 7:16 there is no `${HOME}`\n"
        "  = write `$${HOME}` for the characters themselves; there are: account, environment, pipeline,\n"
        "    region\n"
        "E116 7:32 there is no `${regoin}`\n"
        "  = did you mean `${region}`? Else write `$${regoin}` for the characters themselves\n"
        "E116 7:48 `${}` names nothing\n"
        "  = write `$${}` for the characters themselves; there are: account, environment, pipeline, region\n"
        "E116 7:58 `${` is not closed\n"
        "  = write `${NAME}`, or `$${` for the characters themselves\n"
        "E108 7:70 `${calls.web}` is not built yet\n"
        "  = the language has reserved it for a later version; write `$${calls.web}` for the characters\n"
        "    themselves\n"
        "E108 7:89 `${exports.x}` is not built yet\n"
        "  = the language has reserved it for a later version; write `$${exports.x}` for the characters\n"
        "    themselves\n"
    )


def test_account_must_be_known():
    """In the environment that uses it; the line that could say it is shown."""
    said = told(
        """
        services: [{name: api, image: app, env: {a: "${account}"}}]
        environments: {dev: {}, prod: {aws: {account: "123456789012"}}}
        """
    )
    assert said == (
        "E116 4:47 `${account}` is not known, in environment `dev`\n"
        "  - 3:3 `account` is missing here\n"
        '  = add it to `spec.aws`: `account: "…"`, with its twelve digits\n'
    )


def test_variables_are_not_nested():
    """Nor can they take the names of what is filled in by itself."""
    said = told(
        """
        variables: {region: x, calls: y, a: "${environment}", b: 5}
        services: [{name: api, image: app, env: {a: "${a} ${b} ${region}"}}]
        """
    )
    assert said == (
        "E117 4:15 `region` cannot be the name of a variable: `${region}` is filled in by itself\n"
        "  = choose another name\n"
        "E117 4:26 `calls` cannot be the name of a variable: `${calls}` is kept by the language\n"
        "  = choose another name\n"
        "E116 4:39 `${environment}` cannot stand in the value of a variable\n"
        "  = variables are not nested: write the value out, or write `$${environment}` for the characters\n"
        "    themselves\n"
        "E103 4:60 `b` should be a string, not the number `5`\n"
        '  = put it in quotes: "5"\n'
    )


def test_names_and_quantities_are_not_filled_in():
    """What is no text says so, where the form shows that it was meant."""
    said = told(
        'services: [{name: api, image: "${region}", plan: "${region}", check: {interval: "${region}"}}]'
    )
    hint = "  = `${…}` is filled in in texts, and not in keys, names and quantities\n"
    assert said == (
        f"E104 4:33 `${{region}}` does not fit `image`\n{hint}"
        f"E106 4:52 `${{region}}` is not one of slow, fast\n{hint}"
        f"E107 4:83 expected a duration such as 30s, 15m, 6h or 90d, not `${{region}}`\n{hint}"
    )


def test_values_of_faulty_names_are_not_faults_too():
    """Where the region is missing, every text that names it waits for it."""
    said = told(
        """
        metadata: {name: demo}
        spec:
          aws: {}
          variables: [a]
          services: [{name: api, image: app, env: {a: "${region} ${a}"}}]
        """
    )
    assert said == (
        "E102 3:3 `region` is missing in `spec.aws`\n  = add `region:`\n"
        "E103 4:3 `variables` should be a map, not a list\n"
    )


def test_no_value_is_a_reference_of_cloudformations():
    """Not even one that comes about by filling in; `secrets` are how it is done."""
    said = told(
        """
        variables: {brace: "{"}
        services:
          - name: api
            image: app
            env: {a: "{${brace}resolve:ssm:x}}"}
            note: [{deep: "x{{resolve:secretsmanager:y}}"}]
        """
    )
    help_ = "  = a task reads secrets when it starts: `secrets: {NAME: {secret: …}}`, or `{parameter: …}`\n"
    assert said == (
        f"E118 8:16 `{{{{resolve:` cannot stand in a value\n{help_}"
        f"E118 9:21 `{{{{resolve:` cannot stand in a value\n{help_}"
    )


def test_text_without_names_is_the_same_tree():
    """Nothing is made anew where nothing is filled in."""
    assert tree("services: [{name: api, image: app}]") == {"services": ({"name": "api", "image": "app"},)}
