"""Models in the picture, and what a person does with their versions."""

from __future__ import annotations

from collections.abc import Iterator

from mlopsgen.components.models.spec import ModelSpec
from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Command, Declaration, FlowNode, Pointer
from mlopsgen.model.site import Site
from mlopsgen.parts.objects import versions


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """A model is a folder of versions; jobs add to it, whoever loads it reads from it."""
    for model in site.models:
        yield FlowNode(f"model:{model.name}", versions(site, model).name, "model")
        folder = versions(site, model)
        yield Pointer(model.name, f"s3://{folder.bucket}/{folder.path}current.json")
        yield from _commands(site, model)


def _commands(site: Site, model: ModelSpec) -> Iterator[Command]:
    """What a person does to look at versions and to make one current, as docs/contracts.md describes."""
    account = "$(aws sts get-caller-identity --query Account --output text)"
    folder = versions(site, model)
    store = f'"s3://{folder.bucket.replace("${AWS::AccountId}", account)}/{folder.path}'
    region = f"--region {site.region}"
    yield Command(
        "Models",
        f"See the versions of {model.name} in {site.environment}, and what is known of one of them",
        (f'aws s3 ls {store}" {region}', f'aws s3 cp {store}VERSION/manifest.json" - {region}'),
    )
    yield Command(
        "Models",
        f"Promote a version of {model.name} in {site.environment}",
        (
            f'aws s3 cp {store}VERSION/manifest.json" manifest.json {region} &&',
            # The digest ties the promotion to what was read just now: whatever is written over the version
            # later is refused.
            """  printf '{"version": "%s", "manifestSha256": "%s"}\\n' VERSION \\""",
            """    "$(openssl dgst -sha256 -r manifest.json | cut -c 1-64)" |""",
            f'  aws s3 cp - {store}current.json" --content-type application/json {region}',
        ),
    )
