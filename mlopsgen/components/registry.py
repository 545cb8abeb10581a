"""`spec.registry`: one repository for each image that is built here."""

from __future__ import annotations

import json
from collections.abc import Iterator

from troposphere import GetAtt, ecr

from mlopsgen import iam
from mlopsgen.components.base import Binding, Component, Site
from mlopsgen.components.wiring import KEY_ARN, take
from mlopsgen.plan import Grant, Output, Part, Resource, Thing
from mlopsgen.spec.workload import WorkloadSpec

STACK = "registry"
ORIGIN = ("spec", "registry")


def image_name(workload: WorkloadSpec) -> str:
    """What the image is called: by itself, or after its component."""
    return workload.image.name or workload.name


def logical(name: str) -> str:
    """`sentiment-api` as the start of a logical id: `SentimentApi`."""
    return "".join(word.capitalize() for word in name.split("-"))


class Registry(Component):
    """Private repositories: tags never move, pushed images are scanned, old ones expire."""

    def declare(self, site: Site) -> Iterator[Part]:
        spec = site.spec.registry
        workloads = [each for each in (*site.services, *site.trainers) if each.image.build]
        encryption = ecr.EncryptionConfiguration(EncryptionType="AES256")
        if workloads and spec.encryption == "KMS":
            key, parameter = take(site, STACK, "KeyArn", KEY_ARN, "String", "The pipeline's key")
            yield parameter
            encryption = ecr.EncryptionConfiguration(EncryptionType="KMS", KmsKey=key)
        for name in sorted({image_name(each) for each in workloads}):
            logical_id = f"{logical(name)}Repository"
            repository = ecr.Repository(
                logical_id,
                RepositoryName=site.repository(name),
                ImageTagMutability="IMMUTABLE",
                ImageScanningConfiguration=ecr.ImageScanningConfiguration(ScanOnPush=spec.scan_on_push),
                EncryptionConfiguration=encryption,
                LifecyclePolicy=ecr.LifecyclePolicy(LifecyclePolicyText=_lifecycle(spec.keep_images)),
                # Images outlive the stack: a service that still runs must be able to start another task.
                DeletionPolicy="RetainExceptOnCreate",
                UpdateReplacePolicy="Retain",
            )
            yield Resource(STACK, logical_id, repository, ORIGIN)
            uri = GetAtt(logical_id, "RepositoryUri")
            yield Output(STACK, f"{logical(name)}RepositoryUri", uri, f"Where image {name} is pushed")
            yield Thing(f"image:{name}", name, "image")

    def bind(self, site: Site, workload: WorkloadSpec, stack: str) -> Binding:
        """The execution role may pull its own image, and no other."""
        if not workload.image.build:
            return Binding()
        repository = iam.arn("ecr", f"repository/{site.repository(image_name(workload))}")
        return Binding(
            execution_grants=(
                Grant(
                    ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
                    (repository,),
                    "pull image",
                ),
                Grant(
                    ("ecr:GetAuthorizationToken",),
                    ("*",),
                    "log in to the registry",
                    reason="the token is for the account's whole registry; AWS has no narrower resource",
                ),
            )
        )


def _lifecycle(keep: int) -> str:
    rules = [
        {
            "rulePriority": 1,
            "description": "Untagged images go after a day",
            "selection": {
                "tagStatus": "untagged",
                "countType": "sinceImagePushed",
                "countUnit": "days",
                "countNumber": 1,
            },
            "action": {"type": "expire"},
        },
        {
            "rulePriority": 2,
            "description": f"The newest {keep} images stay",
            "selection": {"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keep},
            "action": {"type": "expire"},
        },
    ]
    return json.dumps({"rules": rules}, separators=(",", ":"))
