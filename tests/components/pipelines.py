"""Small pipelines for the tests of single components."""

from __future__ import annotations

from typing import Any

from mlopsgen.language.load import load
from mlopsgen.lower import lower
from mlopsgen.model.pipeline import Pipeline
from mlopsgen.model.plan import Plan
from mlopsgen.model.site import Site
from mlopsgen.source.parse import parse

HEAD = """\
apiVersion: mlopsgen.io/v1
kind: Pipeline
metadata: {name: demo}
spec:
"""

AWS = "  aws: {region: ap-southeast-1}\n"

TRAINER = """\
  images: [{name: train}]
  models: [{name: model}]
  jobs: [{name: trainer, image: train, produces: [model]%s}]
"""

SERVICE = """\
  images: [{name: app}]
  services: [{name: api, image: app%s}]
"""


def site(*sections: str, environment: str = "default", aws: str = AWS) -> Site:
    """One environment of a pipeline whose spec holds `sections`, each indented by two spaces."""
    loaded = load(parse(HEAD + aws + "".join(sections), "pipeline.yaml"), Pipeline)
    found = next(each for each in loaded if each.environment == environment)
    return Site(found.pipeline, environment)


def plan(*sections: str, environment: str = "default", aws: str = AWS) -> Plan:
    """The plan of that environment."""
    return lower(site(*sections, environment=environment, aws=aws))


def trainer(**fields: str) -> str:
    """An image, a model, and the job that produces it, with further fields in YAML's flow style."""
    return TRAINER % _fields(fields)


def service(**fields: str) -> str:
    """An image and a service that runs it, with further fields in YAML's flow style."""
    return SERVICE % _fields(fields)


def _fields(fields: dict[str, str]) -> str:
    return "".join(f", {name}: {value}" for name, value in fields.items())


def held(found: Plan, stack: str, logical_id: str) -> dict[str, Any]:
    """The properties of a resource, as the template holds them."""
    resources = next(each.resources for each in found.stacks if each.name == stack)
    return next(dict(each.properties) for each in resources if each.logical_id == logical_id)
