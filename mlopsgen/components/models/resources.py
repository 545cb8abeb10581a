"""`spec.models`: where versions live, who may write one, and who may make one current."""

from __future__ import annotations

import json
from collections.abc import Iterator

from troposphere import Ref, Sub

from mlopsgen import iam
from mlopsgen.components import storage
from mlopsgen.components.base import Binding, Component, Site, total
from mlopsgen.plan import Command, Edge, Grant, Parameter, Part, Thing
from mlopsgen.spec.models import PromotionSpec
from mlopsgen.spec.services import ServiceSpec
from mlopsgen.spec.trainers import TrainerSpec
from mlopsgen.spec.workload import WorkloadSpec

VERSION = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"


class Models(Component):
    """A model is a folder of versions; trainers add to it, services load from it."""

    def declare(self, site: Site) -> Iterator[Part]:
        for model in site.models:
            yield Thing(f"model:{model.name}", f"models/{model.name}/", "model")
            yield from _commands(site, model.name)

    def bind(self, site: Site, workload: WorkloadSpec, stack: str) -> Binding:
        """What a trainer may write because it `produces`, and a service may read because it `serves`."""
        match workload:
            case TrainerSpec(produces=str(name)):
                return _produces(site, workload, name, stack)
            case ServiceSpec(serves=str(name)):
                return _serves(site, workload, name, stack)
            case _:
                return Binding()


def _commands(site: Site, model: str) -> Iterator[Command]:
    """What a person does to look at versions and to make one current, as docs/contracts.md describes."""
    account = "$(aws sts get-caller-identity --query Account --output text)"
    bucket = site.data_bucket.replace("${AWS::AccountId}", account)
    store = f'"s3://{bucket}/{folder(model)}'
    region = f"--region {site.spec.aws.region}"
    yield Command(
        "Models",
        f"See the versions of {model} in {site.environment}, and what one of them measured",
        (f'aws s3 ls {store}/" {region}', f'aws s3 cp {store}/VERSION/metrics.json" - {region}'),
    )
    yield Command(
        "Models",
        f"Promote a version of {model} in {site.environment}",
        (
            """printf '{"version": "%s"}\\n' VERSION |""",
            f'  aws s3 cp - {store}/current.json" --content-type application/json {region}',
        ),
    )


def folder(model: str) -> str:
    """Where a model's versions live in the data bucket."""
    return f"models/{model}"


def _uri(site: Site, path: str) -> Sub:
    return Sub(f"s3://{site.data_bucket}/{path}/")


def _produces(site: Site, workload: TrainerSpec, name: str, stack: str) -> Binding:
    promotion = next((each.promotion for each in site.models if each.name == name), PromotionSpec())
    grants = (*storage.read(site, (folder(name),)), *storage.write(site, (folder(name),)))
    if promotion.policy == "manual":
        current = iam.arn("s3", f"{site.data_bucket}/{folder(name)}/current.json")
        grants += (Grant(("s3:PutObject",), (current,), f"promotion of {name} is manual", effect="Deny"),)
    binding = Binding(
        environment=(
            ("CHECKPOINT_URI", _uri(site, f"{folder(name)}/checkpoints")),
            ("MODEL_NAME", name),
            ("MODEL_URI", _uri(site, folder(name))),
            ("PROMOTION", _json(promotion)),
        ),
        grants=grants,
        edges=(Edge(workload.name, f"model:{name}", "produces"),),
    )
    return total(storage.encryption(site, stack, grants), binding)


def _serves(site: Site, workload: ServiceSpec, name: str, stack: str) -> Binding:
    grants = storage.read(site, (folder(name),))
    parameter = Parameter(
        stack,
        "ModelVersion",
        "String",
        f"The version of model {name} to serve, or `current`",
        default="current",
        pattern=VERSION,
    )
    binding = Binding(
        environment=(
            ("MODEL_NAME", name),
            ("MODEL_URI", _uri(site, folder(name))),
            ("MODEL_VERSION", Ref("ModelVersion")),
        ),
        grants=grants,
        parameters=(parameter,),
        edges=(Edge(f"model:{name}", workload.name, "serves"),),
    )
    return total(storage.encryption(site, stack, grants), binding)


def _json(promotion: PromotionSpec) -> str:
    gate = {"minimum": dict(promotion.minimum), "policy": promotion.policy}
    return json.dumps(gate, sort_keys=True, separators=(",", ":"))
