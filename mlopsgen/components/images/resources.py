"""`spec.registry`: one repository for each image that is built here."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from troposphere import GetAtt, Sub, ecr

from mlopsgen import iam
from mlopsgen.components.base import Binding, Component, Site
from mlopsgen.components.wiring import KEY_ARN, take
from mlopsgen.plan import Grant, Output, Part, Resource, Thing, Value
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
        repository = pulled(site, workload)
        if not repository:
            return Binding()
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


# Both forms of a private registry's address (Amazon ECR user guide, "Amazon ECR private registry").
_PRIVATE = re.compile(
    r"([0-9]{12})\.dkr[.-]ecr\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)/([^@:]+)[@:]"
)


def pulled(site: Site, workload: WorkloadSpec) -> Value | None:
    """The ARN of the repository that its image is pulled from; None outside of private registries of ECR."""
    if workload.image.build:
        return iam.arn("ecr", f"repository/{site.repository(image_name(workload))}")
    found = _PRIVATE.match(workload.image.uri or "")
    return _repository(*found.groups()) if found else None


def others(site: Site) -> tuple[Value, ...]:
    """The ARNs of the repositories of ECR that images which were there before are pulled from."""
    uris = (each.image.uri for each in (*site.services, *site.trainers) if not each.image.build)
    named = {found.groups() for uri in uris if uri and (found := _PRIVATE.match(uri))}
    return tuple(_repository(*each) for each in sorted(named))


def _repository(account: str, region: str, name: str) -> Value:
    return Sub(f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{name}")


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
