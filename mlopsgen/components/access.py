"""`spec.access`: roles for people, each by prefix, image, service and trainer.

What is left out of a role gets its usual extent; an empty list gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from troposphere import GetAtt, Ref, Sub

from mlopsgen import iam
from mlopsgen.components import registry, storage
from mlopsgen.components.base import Component, Site
from mlopsgen.components.trainers import EXECUTION_ROLE, NETWORK, TASK_ROLE, may_run, parameter_key
from mlopsgen.components.wiring import take
from mlopsgen.plan import Command, Edge, Grant, Output, Parameter, Part, Thing, Value
from mlopsgen.spec.access import RoleSpec
from mlopsgen.spec.services import ServiceSpec
from mlopsgen.spec.trainers import TrainerSpec

STACK = "people"

SESSION = 4 * 3600
"""Seconds that a person keeps a role before asking for it again; AWS cuts it to an hour from role to role."""

_CANNOT_LIST = "listing tasks takes no resource; the condition holds it to the cluster"
_CANNOT_READ = "CloudWatch gives or refuses all metrics and alarms of the account together"


@dataclass(frozen=True, slots=True)
class Extent:
    """What one role is about, with nothing left open."""

    kind: Literal["developer", "analyst", "model-trainer"]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    images: tuple[str, ...]
    services: tuple[ServiceSpec, ...]
    trainers: tuple[TrainerSpec, ...]


class Access(Component):
    """A developer ships, an analyst reads, a model-trainer trains and publishes."""

    def declare(self, site: Site) -> Iterator[Part]:
        for role in sorted(site.spec.access.roles, key=lambda each: each.name):
            yield from _role(site, role)


def extent(site: Site, role: RoleSpec) -> Extent:
    """What `role` names, or its usual extent.

    A developer: every image, service and trainer, and the prefix `logs`. An analyst: every prefix, and the
    sight of every service and trainer. A model-trainer: every prefix to read, `models` to publish, every
    trainer to run, and the sight of every service.
    """
    prefixes = tuple(each.name for each in storage.prefixes(site))
    images = {registry.image_name(each) for each in (*site.services, *site.trainers) if each.image.build}
    usual_reads = {"developer": tuple(name for name in prefixes if name == "logs")}.get(role.name, prefixes)
    usual_images = tuple(sorted(images)) if role.name == "developer" else ()
    return Extent(
        kind=role.name,
        reads=usual_reads if role.reads is None else tuple(sorted(set(role.reads))),
        writes=_or(role.writes, ("models",) if role.name == "model-trainer" else ()),
        images=_or(role.images, usual_images),
        services=tuple(each for each in site.services if role.services is None or each.name in role.services),
        trainers=tuple(each for each in site.trainers if role.trainers is None or each.name in role.trainers),
    )


def _or(given: tuple[str, ...] | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else tuple(sorted(set(given)))


def _role(site: Site, spec: RoleSpec) -> Iterator[Part]:
    reach = extent(site, spec)
    origin = ("spec", "access", "roles", spec.name)
    logical_id = "".join(word.capitalize() for word in spec.name.split("-")) + "Role"
    data = (*storage.read(site, reach.reads), *storage.write(site, reach.writes))
    encryption = storage.encryption(site, STACK, data)
    grants = [*data, *encryption.grants, *_images(site, reach), *_services(site, reach), *_never(site)]
    yield from encryption.parameters
    for trainer in reach.trainers:
        grants += _sees(site, "training", trainer.name)
        if reach.kind == "model-trainer":
            task_role, task_parameter = _taken(site, trainer, TASK_ROLE)
            execution_role, execution_parameter = _taken(site, trainer, EXECUTION_ROLE)
            yield task_parameter
            yield execution_parameter
            grants += _runs(site, trainer, (execution_role, task_role))
    name = f"{site.prefix}-{spec.name}"
    yield from iam.role(
        site,
        stack=STACK,
        logical_id=logical_id,
        name=spec.name,
        kind="person",
        trust=iam.trust_people(spec.principals),
        grants=grants,
        description=f"People: {spec.name} of {site.prefix}",
        origin=origin,
        max_session=SESSION,
        role_name=name,
    )
    yield Output(STACK, f"{logical_id}Arn", GetAtt(logical_id, "Arn"), f"The role for people: {spec.name}")
    yield from _arrows(reach)
    yield _command(site, spec.name, name)


def _images(site: Site, reach: Extent) -> Iterator[Grant]:
    if not reach.images:
        return
    pulls = (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImageScanFindings",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
    )
    pushes = ("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")
    repositories = tuple(iam.arn("ecr", f"repository/{site.repository(name)}") for name in reach.images)
    developer = reach.kind == "developer"
    yield Grant(
        pulls + pushes if developer else pulls,
        repositories,
        f"{'pushes' if developer else 'pulls'} images {' '.join(reach.images)}",
    )
    yield Grant(
        ("ecr:GetAuthorizationToken",),
        ("*",),
        "logs in to the registry",
        reason="the token is for the account's whole registry; AWS has no narrower resource",
    )


def _services(site: Site, reach: Extent) -> Iterator[Grant]:
    for service in reach.services:
        yield from _sees(site, "serving", service.name)
        arn = iam.arn("ecs", f"service/{site.cluster('serving')}/{service.name}")
        yield Grant(("ecs:DescribeServices",), (arn,), f"sees service {service.name}")
        if reach.kind == "developer":
            yield from _rolls_out(site, service)


def _rolls_out(site: Site, service: ServiceSpec) -> Iterator[Grant]:
    """Start its tasks anew, go to another revision of its definition, or back; never a shell in a task."""
    name, cluster = service.name, site.cluster("serving")
    yield Grant(
        ("ecs:UpdateService",),
        (iam.arn("ecs", f"service/{cluster}/{name}"),),
        f"rolls out service {name}",
        (
            (
                "ArnLikeIfExists",
                "ecs:task-definition",
                iam.arn("ecs", f"task-definition/{site.family(name)}:*"),
            ),
            ("StringEqualsIfExists", "ecs:enable-execute-command", "false"),
        ),
    )
    yield Grant(
        ("ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:StopServiceDeployment"),
        tuple(
            iam.arn("ecs", f"{kind}/{cluster}/{name}/*")
            for kind in ("service-deployment", "service-revision")
        ),
        f"rolls back service {name}",
    )
    yield Grant(
        ("ecs:ListServiceDeployments",),
        (iam.arn("ecs", f"service/{cluster}/{name}"),),
        f"rolls back service {name}",
    )


def _sees(site: Site, kind: str, name: str) -> Iterator[Grant]:
    """Its tasks, its logs, its metrics, its dashboard."""
    cluster = iam.arn("ecs", f"cluster/{site.cluster(kind)}")
    in_cluster = (("ArnEquals", "ecs:cluster", cluster),)
    yield Grant(("ecs:ListTasks",), ("*",), "sees tasks", in_cluster, reason=_CANNOT_LIST)
    tasks = iam.arn("ecs", f"task/{site.cluster(kind)}/*")
    yield Grant(("ecs:DescribeTasks",), (tasks,), "sees tasks", in_cluster)
    group = site.log_group(name)
    yield Grant(
        ("logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"),
        (iam.arn("logs", f"log-group:{group}"), iam.arn("logs", f"log-group:{group}:*")),
        f"sees logs {name}",
    )
    yield Grant(
        (
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
            "cloudwatch:ListMetrics",
            "logs:GetQueryResults",
        ),
        ("*",),
        "sees metrics",
        reason=_CANNOT_READ,
    )
    dashboard = Sub(f"arn:${{AWS::Partition}}:cloudwatch::${{AWS::AccountId}}:dashboard/{site.family(name)}")
    yield Grant(("cloudwatch:GetDashboard",), (dashboard,), f"sees dashboards {name}")


def _taken(site: Site, trainer: TrainerSpec, what: str) -> tuple[Ref, Parameter]:
    name = "".join(word.capitalize() for word in (*trainer.name.split("-"), *what.split("-")))
    description = f"The {what.removesuffix('-arn').replace('-', ' ')} of {trainer.name}"
    return take(site, STACK, name, parameter_key(trainer, what), "String", description)


def _runs(site: Site, trainer: TrainerSpec, roles: tuple[Value, Value]) -> Iterator[Grant]:
    yield from may_run(site, trainer, roles, f"runs trainer {trainer.name}")
    cluster = site.cluster("training")
    yield Grant(
        ("ecs:StopTask",),
        (iam.arn("ecs", f"task/{cluster}/*"),),
        "stops runs",
        (("ArnEquals", "ecs:cluster", iam.arn("ecs", f"cluster/{cluster}")),),
    )
    place = iam.arn("ssm", f"parameter{site.parameter(parameter_key(trainer, NETWORK))}")
    yield Grant(("ssm:GetParameter",), (place,), f"runs trainer {trainer.name}")


def _never(site: Site) -> Iterator[Grant]:
    """Whatever another policy may come to allow these people."""
    bucket = iam.arn("s3", site.data_bucket)
    objects = iam.arn("s3", f"{site.data_bucket}/*")
    yield Grant(("s3:*",), (bucket, objects), "no other data", effect="Confine")
    yield Grant(
        (
            "kms:DisableKey",
            "kms:PutKeyPolicy",
            "kms:ScheduleKeyDeletion",
            "s3:BypassGovernanceRetention",
            "s3:DeleteBucket*",
            "s3:DeleteObjectVersion",
            "s3:PutBucket*",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ),
        ("*",),
        "nothing that data cannot come back from",
        effect="Deny",
    )


def _arrows(reach: Extent) -> Iterator[Part]:
    person = f"person:{reach.kind}"
    yield Thing(person, reach.kind, "person")
    yield from (Edge(f"prefix:{name}", person, "reads") for name in reach.reads)
    yield from (Edge(person, f"prefix:{name}", "writes") for name in reach.writes)
    if reach.kind == "developer":
        yield from (Edge(person, f"image:{name}", "pushes") for name in reach.images)
        yield from (Edge(person, each.name, "rolls out") for each in reach.services)
    if reach.kind == "model-trainer":
        yield from (Edge(person, each.name, "runs") for each in reach.trainers)


def _command(site: Site, name: str, role_name: str) -> Command:
    account = '"$(aws sts get-caller-identity --query Account --output text)"'
    profile = f"aws configure set profile.{role_name}"
    return Command(
        "people",
        f"Work as {name}",
        (
            f"{profile}.role_arn arn:aws:iam::{account}:role{site.role_path}{role_name}",
            f"{profile}.source_profile default",
            f"{profile}.mfa_serial ARN_OF_YOUR_MFA_DEVICE",
            f"aws sts get-caller-identity --profile {role_name}",
        ),
    )
