"""`mlopsgen render`: the merged pipeline, and where each value of it was written."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from mlopsgen.cli import main
from mlopsgen.load import environments, load_all
from mlopsgen.source.node import Scalar, plain, walk
from mlopsgen.source.parse import parse
from mlopsgen.spec.pipeline import Pipeline
from tests.cases import Case, cases

PIPELINE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
  aws: {region: eu-west-1}
  trainers:
    - name: trainer
      image: {uri: "example.com/trainer@sha256:%s"}
      command: [python, -c, "print('#')"]
      hyperparameters: {rate: 0.00005, layers: [[1, 2], []], note: "two\\nlines"}
  services:
    - name: api
      image: {build: {context: app}}
      autoscaling: [{metric: cpu, target: 70}]
      resources: {cpu: "1", memory: 2Gi}
  environments:
    dev:
      trainers: null
      monitoring: {alarms: {cpu: null, memory: 90}}
      services:
        - {name: api, autoscaling: null, replicas: {min: 1}}
        - {name: second, image: {build: {context: app}}, env: {DEBUG: "no"}}
    prod: {}
""" % ("0" * 64)

DEV = """\
apiVersion: mlopsgen.io/v1  # pipeline.yaml:1
kind: Pipeline              # pipeline.yaml:2
metadata:
  name: demo                # pipeline.yaml:3
spec:
  aws:
    region: eu-west-1       # pipeline.yaml:5
  services:
    - name: api             # pipeline.yaml:12
      image:
        build:
          context: app      # pipeline.yaml:13
      resources:
        cpu: "1"            # pipeline.yaml:15
        memory: 2Gi         # pipeline.yaml:15
      replicas:
        min: 1              # pipeline.yaml:21 (dev)
    - name: second          # pipeline.yaml:22 (dev)
      image:
        build:
          context: app      # pipeline.yaml:22 (dev)
      env:
        DEBUG: "no"         # pipeline.yaml:22 (dev)
  monitoring:
    alarms:
      cpu: null             # pipeline.yaml:19 (dev)
      memory: 90            # pipeline.yaml:19 (dev)
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
    assert meaning(text) == load_all(environments(parse(PIPELINE, "")))["prod"]
    assert r'note: "two\nlines"' in text
    assert "rate: 0.00005 " in text


ENVIRONMENTS = [
    pytest.param(case, name, id=f"{case.name}-{name}")
    for case in cases()
    for name in environments(parse(case.pipeline.read_text(), ""))
]


def meaning(text: str) -> Pipeline:
    (pipeline,) = load_all(environments(parse(text, ""))).values()
    return pipeline


@pytest.mark.parametrize(("case", "name"), ENVIRONMENTS)
def test_output_means_the_same(case: Case, name: str, capsys: pytest.CaptureFixture[str]):
    """What is rendered, with defaults or without, is a pipeline that means what the environment does."""
    expected = load_all(environments(parse(case.pipeline.read_text(), "")))[name]
    short = rendered(capsys, case.pipeline, "--env", name)
    long = rendered(capsys, case.pipeline, "--env", name, "--defaults")
    assert meaning(short) == meaning(long) == expected
    for text, options in ((short, ()), (long, ("--defaults",))):
        as_json = rendered(capsys, case.pipeline, "--env", name, "-o", "json", *options)
        assert json.loads(as_json) == json.loads(json.dumps(plain(parse(text, ""))))


@pytest.mark.parametrize(("case", "name"), ENVIRONMENTS)
def test_comments_lead_to_the_value(case: Case, name: str, capsys: pytest.CaptureFixture[str]):
    """On the line that a comment names stands that value."""
    written = {
        (node.span.line, node.value)
        for _, node in walk(parse(case.pipeline.read_text(), ""))
        if isinstance(node, Scalar)
    }
    lines = rendered(capsys, case.pipeline, "--env", name).splitlines()
    for _, node in walk(parse("\n".join(lines), "")):
        if isinstance(node, Scalar):
            found = COMMENT.search(lines[node.span.line - 1])
            assert found and (int(found[1]), node.value) in written, lines[node.span.line - 1]


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_defaults_are_written_out_once(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Rendered again, a pipeline with its defaults written out has none left to write."""
    name = next(iter(environments(parse(case.pipeline.read_text(), ""))))
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
    (folder / "pipeline.yaml").write_text(PIPELINE.replace("autoscaling: [", "autoscalings: ["))
    assert main(["render", "--env", "prod"]) == 1
    assert "error[E101]: unknown key `autoscalings`" in capsys.readouterr().err
    (folder / "pipeline.yaml").write_text(
        PIPELINE.replace("      resources:", "      reads: [nosuch]\n      resources:")
    )
    assert "nosuch" in rendered(capsys, "--env", "prod")
