"""`mlopsgen validate` for programs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import BaseModel
from sarif_pydantic import Sarif

from mlopsgen.cli import main
from mlopsgen.diagnostics.diagnostic import Diagnostic, Label
from mlopsgen.diagnostics.machine import to_github, to_json, to_sarif
from mlopsgen.diagnostics.span import Span
from mlopsgen.rules.catalogue import stories

CODES = stories()

BROKEN = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1, acount: "1"}
  servces: []
"""

AWKWARD = Diagnostic(
    "E101",
    "error",
    "100% of\nthis: a, b",
    (Label(Span("sub dir/ö#1.yaml", 3, 5, 3, 9)), Label(Span("sub dir/ö#1.yaml", 1, 1, 1, 4), "because")),
    "take it, away",
)
WARNING = Diagnostic("W201", "warning", "unused")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(BROKEN)
    return tmp_path


def test_json(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Every fault with its code, place and help; what stands at the place is what is wrong."""
    assert main(["validate", "--output", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    lines = BROKEN.splitlines()
    pointed = [
        lines[label["line"] - 1][label["column"] - 1 : label["endColumn"] - 1]
        for each in found
        for label in each["labels"]
    ]
    assert pointed == ["acount", "servces"]
    assert [each["code"] for each in found] == ["E101", "E101"]
    assert [each["help"] for each in found] == ["did you mean `account`?", "did you mean `services`?"]


def test_nothing_wrong_is_an_empty_list(folder: Path, capsys: pytest.CaptureFixture[str]):
    """A sound pipeline gives the same form, with nothing in it."""
    (folder / "pipeline.yaml").write_text(
        "".join(BROKEN.splitlines(keepends=True)[:4]) + "  aws: {region: eu-west-1}\n"
    )
    assert main(["validate", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"diagnostics": []}
    assert main(["validate", "--output", "sarif"]) == 0
    assert json.loads(capsys.readouterr().out)["runs"][0]["results"] == []
    assert main(["validate", "--output", "github"]) == 0
    assert capsys.readouterr().out == ""


def unknown(value: object, path: str = "") -> Iterator[str]:
    """Whatever the standard's models have no field for."""
    match value:
        case BaseModel():
            yield from (f"{path}.{name}" for name in value.model_extra or ())
            for name in type(value).model_fields:
                yield from unknown(getattr(value, name), f"{path}.{name}")
        case list():
            for item in value:
                yield from unknown(item, path)


def test_sarif_is_of_the_standard():
    """An independent reading of SARIF 2.1.0 takes it whole."""
    text = to_sarif([AWKWARD, WARNING], CODES)
    # The models do not know `columnKind` (3.14.17 of the standard).
    assert list(unknown(Sarif.model_validate_json(text))) == [".runs.columnKind"]


def test_sarif_serves_code_scanning():
    """Each result has its rule with a story, and its place as a URI below the checkout."""
    (run,) = json.loads(to_sarif([AWKWARD, WARNING], CODES))["runs"]
    rules = run["tool"]["driver"]["rules"]
    first, second = run["results"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == ["E101", "W201"]
    assert [each["defaultConfiguration"]["level"] for each in rules] == ["error", "warning"]
    assert all(each["help"]["text"] and each["fullDescription"]["text"] for each in rules)
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub%20dir/%C3%B6%231.yaml"
    assert place["region"] == {"startLine": 3, "startColumn": 5, "endLine": 3, "endColumn": 9}
    assert first["relatedLocations"][0]["message"]["text"] == "because"
    assert second["locations"] == []


def test_absolute_path_is_a_file_uri(tmp_path: Path):
    """A file named in full is one everywhere."""
    label = Label(Span(str(tmp_path / "a b.yaml"), 1, 1, 1, 2))
    (run,) = json.loads(to_sarif([Diagnostic("E001", "error", "x", (label,))], CODES))["runs"]
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert uri == f"file://{tmp_path}/a%20b.yaml"


def test_github_cannot_be_led_astray():
    """Per cent signs, commas, colons and line breaks stay within their property or message."""
    assert to_github([AWKWARD, WARNING]) == (
        "::error file=sub dir/ö#1.yaml,line=3,endLine=3,col=5,endColumn=9,title=mlopsgen E101::"
        "100%25 of\\nthis: a, b%0Atake it, away\n"
        "::warning title=mlopsgen W201::unused\n"
    )
    sly = Diagnostic("E101", "error", "x\n::set-output name=a::b", (Label(Span("a,b:c%", 1, 1, 1, 2)),))
    assert to_github([sly]) == (
        "::error file=a%2Cb%3Ac%25,line=1,endLine=1,col=1,endColumn=2,title=mlopsgen E101::"
        "x\\n::set-output name=a::b\n"
    )


def test_github_gets_no_columns_of_several_lines():
    """It takes columns within one line alone."""
    long = Diagnostic("E103", "error", "x", (Label(Span("a.yaml", 1, 3, 4, 2)),))
    assert to_github([long]) == "::error file=a.yaml,line=1,endLine=4,title=mlopsgen E103::x\n"


SEVERAL = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1, %s}
  images: [{name: app, dockerfile: {}}]
  services:
    - {name: web, image: app, environments: [prod]}
    - {name: api, image: app, %s}
  environments:
    dev: {services: [{name: api, replicas: {max: 3}}]}
    prod: {services: [{name: api, replicas: {min: 3, %s}}]}
"""


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (("acount: '1'", "stopTimeout: 5s", "max: 3"), [(["dev", "prod"], ["spec", "aws", "acount"])]),
        (("", "replicas: {min: x}", "max: 3"), [(["dev"], ["spec", "services", "api", "replicas", "min"])]),
        (("", "", "mxa: 4"), [(["prod"], ["spec", "services", "api", "replicas", "mxa"])]),
        (
            ("", "reads: [raw, rwa]", "max: 3"),
            [(["dev", "prod"], ["spec", "services", "api", "reads", 1])],
        ),
        (("", "capacity: big", "max: 3"), [(["dev", "prod"], ["spec", "services", "api", "capacity"])]),
    ],
)
def test_json_has_environments_and_path(
    faults: tuple[str, str, str],
    expected: list[tuple[list[str], list[str | int]]],
    folder: Path,
    capsys: pytest.CaptureFixture[str],
):
    """Whichever room finds a fault says where it is in the merged document, and of which environments."""
    (folder / "app").mkdir()
    (folder / "app" / "Dockerfile").touch()
    (folder / "pipeline.yaml").write_text(SEVERAL % faults)
    assert main(["validate", "--output", "json"]) == 1
    found = json.loads(capsys.readouterr().out)["diagnostics"]
    assert [(each["environments"], each["path"]) for each in found if each["severity"] == "error"] == expected


def test_json_has_no_place_where_there_is_none():
    """A fault of no file in particular has no labels."""
    assert json.loads(to_json([WARNING]))["diagnostics"][0]["labels"] == []
