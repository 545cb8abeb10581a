"""Comparisons of pipelines, from their texts alone."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import yaml

from mlopsgen.forecast.report import Report, report
from mlopsgen.forecast.reviewed import Reviewed
from mlopsgen.forecast.sides import Sides, sides

BASE = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: shop}
spec:
  aws: {region: us-east-1}
  network:
    vpc: {natGateways: single}
  images: [{name: app}]
  buckets:
    - name: data
      prefixes:
        - {name: raw}
        - {name: models}
  models:
    - {name: ranker, version: v1}
  services:
    - name: api
      image: app
      loads: [ranker]
      reads: [raw]
      ports: [{name: http, port: 8080}]
      healthCheck: {path: /ready}
      replicas: {min: 2, max: 4, metrics: {cpu: 70%}}
      ingress:
        - {name: web, loadBalancer: public}
  delivery:
    github: {repository: example/shop}
    stages: [{name: dev}, {name: prod, approval: true}]
  environments:
    dev: {services: [{name: api, replicas: {min: 1, max: 2}}]}
    prod: {}
"""


def compared(before: str | None, after: str, files: Mapping[str, str] | None = None) -> Sides:
    """Two texts of a pipeline; without `files` the one before is compiled again."""
    return _compared(before, after, tuple((files or {}).items()))


@cache
def _compared(before: str | None, after: str, files: tuple[tuple[str, str], ...]) -> Sides:
    return sides(Reviewed("main (a1b2c3d)", dict(files), before), after, "pipeline.yaml")


def told(before: str | None, after: str, *environments: str) -> Report:
    """What is told of a merge."""
    both = compared(before, after)
    return report(both, "pipeline.yaml", environments or both.environments)


def edited(text: str, *changes: tuple[str, str]) -> str:
    """The text with some words in place of others, each of which must be there."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def dumped(pipeline: Mapping[str, Any]) -> str:
    """A pipeline as a text with a line for each value."""
    return yaml.safe_dump(dict(pipeline), sort_keys=False, allow_unicode=True)
