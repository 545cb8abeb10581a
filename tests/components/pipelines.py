"""Small pipelines for the tests of single components."""

from __future__ import annotations

from mlopsgen.components.base import Site
from mlopsgen.load import environments, load
from mlopsgen.lower import lower
from mlopsgen.plan import Plan
from mlopsgen.source.parse import parse

HEAD = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
"""

AWS = "  aws: {region: ap-southeast-1}\n"

TRAINER = """\
  models: [{name: model}]
  trainers: [{name: trainer, image: {build: {context: train}}, produces: model%s}]
"""

SERVICE = """\
  services: [{name: api, image: {build: {context: app}}}]
"""


def site(*sections: str, environment: str = "default", aws: str = AWS) -> Site:
    """One environment of a pipeline whose spec holds `sections`, each indented by two spaces."""
    trees = environments(parse(HEAD + aws + "".join(sections), "pipeline.yaml"))
    return Site(load(trees[environment]), environment)


def plan(*sections: str, environment: str = "default", aws: str = AWS) -> Plan:
    """The plan of that environment."""
    return lower(site(*sections, environment=environment, aws=aws).pipeline, environment)


def trainer(**fields: str) -> str:
    """A trainer with further fields, in YAML's flow style."""
    return TRAINER % "".join(f", {name}: {value}" for name, value in fields.items())
