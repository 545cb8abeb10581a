"""`mlopsgen render`: the merged pipeline, and where each value of it was written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlopsgen.cli import main
from mlopsgen.language.load import load
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.source.node import Scalar, plain, walk
from mlopsgen.source.parse import parse
from tests.cases import KNOWN, KNOWN_IDS, Case

PIPELINE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  variables: {stage: nowhere}
  images: [{name: app}]
  jobs:
    - name: trainer
      image: "example.com/trainer@sha256:%s"
      environments: [prod]
      command: [python, -c, "print('#')"]
      parameters: {rate: 0.00005, layers: [[1, 2], []], note: "two\\nlines"}
  services:
    - name: api
      image: app
      env: {STAGE: "in ${stage}"}
      replicas: {min: 2, max: 4, metrics: {cpu: 70%%}}
      resources: {cpu: "1", memory: 2Gi}
    - {name: second, image: app, environments: [dev], env: {DEBUG: "no"}}
  environments:
    dev:
      variables: {stage: the first}
      monitoring: {alarms: {services: {cpu: {enabled: false}, memory: {above: 90%%}}}}
      services:
        - {name: api, replicas: {min: 1, max: null, metrics: null}}
    prod: {}
""" % ("0" * 64)

DEV = """\
apiVersion: mlopsgen.io/v1   # pipeline.yaml:1
kind: Pipeline               # pipeline.yaml:2
metadata:
  name: demo                 # pipeline.yaml:3
spec:
  aws:
    region: eu-west-1        # pipeline.yaml:5
  variables:
    stage: the first         # pipeline.yaml:23 (dev)
  images:
    - name: app              # pipeline.yaml:7
  services:
    - name: api              # pipeline.yaml:15
      image: app             # pipeline.yaml:16
      env:
        STAGE: in the first  # pipeline.yaml:17
      replicas:
        min: 1               # pipeline.yaml:26 (dev)
      resources:
        cpu: "1"             # pipeline.yaml:19
        memory: 2Gi          # pipeline.yaml:19
    - name: second           # pipeline.yaml:20
      image: app             # pipeline.yaml:20
      env:
        DEBUG: "no"          # pipeline.yaml:20
  monitoring:
    alarms:
      services:
        cpu:
          enabled: false     # pipeline.yaml:24 (dev)
        memory:
          above: 90%         # pipeline.yaml:24 (dev)
"""

COMMENT = re.compile(r"  # \S+:(\d+)( \(.+\))?$")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(PIPELINE)
    return tmp_path


def rendered(capsys: pytest.CaptureFixture[str], *arguments: object) -> str:
    assert main(["render", *map(str, arguments)]) == 0
    return capsys.readouterr().out


def test_says_where_each_value_was_written(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Base, environment and what an environment took away, as a person reads it."""
    assert rendered(capsys, "--env", "dev") == DEV


def test_awkward_values_stay_what_they_are(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Lists in lists, several lines, a number sign and small numbers read back the same."""
    text = rendered(capsys, "--env", "prod")
    assert meaning(text) == means(PIPELINE, "prod")
    assert r'note: "two\nlines"' in text
    assert "rate: 0.00005 " in text


ENVIRONMENTS = [
    pytest.param(case, each.environment, id=f"{case.name}-{each.environment}")
    for case in KNOWN
    for each in load(parse(case.pipeline.read_text(), ""), Pipeline)
]


def means(text: str, environment: str) -> Pipeline:
    """What an environment of a pipeline means."""
    found = load(parse(text, ""), Pipeline)
    return next(each.pipeline for each in found if each.environment == environment)


def meaning(text: str) -> Pipeline:
    """What a pipeline without environments means."""
    return means(text, "default")


@pytest.mark.parametrize(("case", "name"), ENVIRONMENTS)
def test_output_means_the_same(case: Case, name: str, capsys: pytest.CaptureFixture[str]):
    """What is rendered, with defaults or without, is a pipeline that means what the environment does."""
    expected = means(case.pipeline.read_text(), name)
    short = rendered(capsys, case.pipeline, "--env", name)
    long = rendered(capsys, case.pipeline, "--env", name, "--defaults")
    assert meaning(short) == meaning(long) == expected
    for text, options in ((short, ()), (long, ("--defaults",))):
        as_json = rendered(capsys, case.pipeline, "--env", name, "-o", "json", *options)
        assert json.loads(as_json) == json.loads(json.dumps(plain(parse(text, ""))))


@pytest.mark.parametrize(("case", "name"), ENVIRONMENTS)
def test_comments_lead_to_the_value(case: Case, name: str, capsys: pytest.CaptureFixture[str]):
    """On the line that a comment names stands that value, or the text that was filled in to become it."""
    written: dict[int, list[Scalar]] = {}
    for _, node in walk(parse(case.pipeline.read_text(), "")):
        if isinstance(node, Scalar):
            written.setdefault(node.span.line, []).append(node)
    lines = rendered(capsys, case.pipeline, "--env", name).splitlines()
    for _, node in walk(parse("\n".join(lines), "")):
        if isinstance(node, Scalar):
            line = lines[node.span.line - 1]
            found = COMMENT.search(line)
            assert found, line
            assert any(became(each, node) for each in written[int(found[1])]), line


def became(written: Scalar, found: Scalar) -> bool:
    """Whether a value is the one that was written, with whatever `${…}` in it filled in."""
    if not isinstance(written.value, str) or "${" not in written.value:
        return written.value == found.value
    parts = re.split(r"(?<!\$)\$\{[^}]*\}", written.value)
    return re.fullmatch(".*".join(map(re.escape, parts)), str(found.value)) is not None


@pytest.mark.parametrize("case", KNOWN, ids=KNOWN_IDS)
def test_defaults_are_written_out_once(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Rendered again, a pipeline with its defaults written out has none left to write."""
    name = load(parse(case.pipeline.read_text(), ""), Pipeline)[0].environment
    path = tmp_path / "pipeline.yaml"
    path.write_text(rendered(capsys, case.pipeline, "--env", name, "--defaults"))
    again = rendered(capsys, path, "--defaults")
    assert [line for line in again.splitlines() if line.endswith("# default")] == []


def test_environment_must_be_one_that_is_there(folder: Path, capsys: pytest.CaptureFixture[str]):
    """Without a name there is a choice to make; a wrong name is told the nearest."""
    assert main(["render"]) == 1
    assert capsys.readouterr().err == "mlopsgen: choose an environment with --env: dev, prod\n"
    assert main(["render", "--env", "prd"]) == 1
    assert capsys.readouterr().err == "mlopsgen: there is no environment `prd`; did you mean `prod`?\n"
    assert main(["render", "--env", "x"]) == 1
    assert capsys.readouterr().err == "mlopsgen: there is no environment `x`; there are: dev, prod\n"


def test_a_pipeline_that_does_not_fit_is_not_rendered(folder: Path, capsys: pytest.CaptureFixture[str]):
    """A fault of the shape is said at its line; faults between components do not hinder a look."""
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("resources:", "resource:"))
    assert main(["render", "--env", "prod"]) == 1
    assert "error[E101]: unknown key `resource`" in capsys.readouterr().err
    (folder / "pipeline.yaml").write_text(
        PIPELINE.replace("      resources:", "      reads: [nosuch]\n      resources:")
    )
    assert "nosuch" in rendered(capsys, "--env", "prod")
