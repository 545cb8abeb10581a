"""What ECS needs to pull a workload's image."""

from __future__ import annotations

import re

from troposphere import Sub

from mlopsgen.model.binding import Binding, Contribution
from mlopsgen.model.plan import Grant
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.model.workload import Workload
from mlopsgen.parts.policies import arn

PULL = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")

SERVICES = ("ecr.api", "ecr.dkr")

# Both forms of a private registry's address (Amazon ECR user guide, "Amazon ECR private registry").
PRIVATE = re.compile(
    r"([0-9]{12})\.dkr[.-]ecr\.([a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)/([^@:]+)[@:]"
)


def bind(site: Site, workload: Workload) -> Binding:
    """The execution role may pull the workload's own image and no other; nothing for public registries."""
    if workload.image:
        repository: Value = arn("ecr", f"repository/{site.repository(workload.image.name)}")
        return Binding(execution_grants=_pull(repository), services=SERVICES)
    found = PRIVATE.match(workload.spec.image)
    if not found:
        return Binding()
    account, region, name = found.groups()
    repository = Sub(f"arn:${{AWS::Partition}}:ecr:{region}:{account}:repository/{name}")
    grants = _pull(repository)
    # The boundary knows the pipeline's own repositories; this one is somebody else's.
    return Binding(
        execution_grants=grants, services=SERVICES, contributions=(Contribution("boundary", grants[0]),)
    )


def _pull(repository: Value) -> tuple[Grant, ...]:
    return (
        Grant(PULL, (repository,), "pull image"),
        Grant(
            ("ecr:GetAuthorizationToken",),
            ("*",),
            "log in to the registry",
            reason="the token is for the account's whole registry; AWS has no narrower resource",
        ),
    )
