"""A private repository, in a stack of its own, for each image that is built here and that a workload runs.

So a pipeline may have as many images as it likes: templates are bounded, and stacks are not.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from troposphere import GetAtt, ecr

from mlopsgen.model.binding import Bindings
from mlopsgen.model.plan import Declaration, FlowNode, StackDescription
from mlopsgen.model.site import Site
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.resource import Scope, output


def declare(site: Site, bindings: Bindings) -> Iterator[Declaration]:
    """Tags never move, pushed images are scanned, old ones expire."""
    for name in sorted({each.image.name for each in site.workloads if each.image}):
        stack = f"registry-{name}"
        yield StackDescription(stack, f"repository of image {name}")
        repository = _repository(site, name)
        yield Scope(site, stack, ("spec", "images", name)).resource(repository)
        uri = GetAtt(repository.title, "RepositoryUri")
        yield output(stack, "RepositoryUri", uri, f"Where image {name} is pushed")
        yield FlowNode(f"image:{name}", name, "image")


def _repository(site: Site, name: str) -> ecr.Repository:
    spec = site.spec.registry
    key = key_arn(site)
    own = {"EncryptionType": "KMS", "KmsKey": key} if key else {"EncryptionType": "AES256"}
    return ecr.Repository(
        # Another one for each encryption: CloudFormation takes a repository that was kept back only where it
        # makes a new resource (AWS CloudFormation API reference, CreateChangeSet, ImportExistingResources).
        "Repository" if key else "Aes256Repository",
        RepositoryName=site.repository(name),
        ImageTagMutability="IMMUTABLE",
        ImageScanningConfiguration=ecr.ImageScanningConfiguration(ScanOnPush=spec.scan_on_push),
        EncryptionConfiguration=ecr.EncryptionConfiguration(**own),
        LifecyclePolicy=ecr.LifecyclePolicy(LifecyclePolicyText=_lifecycle(spec.keep_images)),
        # Images outlive the stack: a service that still runs must be able to start another task.
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
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
