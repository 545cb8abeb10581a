"""`spec.access`: roles for people, each by prefix, image, service and trainer.

What is left out of a role gets its usual extent; an empty list gives nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from troposphere import GetAtt, Sub

from mlopsgen import iam
from mlopsgen.components import registry, storage
from mlopsgen.components.base import Component, Site
from mlopsgen.components.trainers import may_run, network_key
from mlopsgen.plan import Command, Edge, Grant, Output, Part, Thing, Value
from mlopsgen.spec.access import RoleSpec

STACK = "people"

SESSION = 4 * 3600
"""Seconds that a person keeps a role before asking for it again; AWS cuts it to an hour from role to role."""

ALL = ("*",)
"""Every one there is, now and later: one pattern, however many there are."""

_CANNOT_LIST = "listing tasks names no task; the condition holds it to the cluster"
_CANNOT_READ = "CloudWatch gives or refuses the metrics and alarms of the account as a whole"


class Extent(NamedTuple):
    """What one role is about, with nothing left open."""

    kind: Literal["developer", "analyst", "model-trainer"]
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    images: tuple[str, ...]
    services: tuple[str, ...]
    trainers: tuple[str, ...]


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
    logs = tuple(name for name in prefixes if name == "logs")
    return Extent(
        kind=role.name,
        reads=_or(role.reads, logs if role.name == "developer" else prefixes),
        writes=_or(role.writes, ("models",) if role.name == "model-trainer" else ()),
        images=_or(role.images, ALL if role.name == "developer" else ()),
        services=_or(role.services, ALL if site.services else ()),
        trainers=_or(role.trainers, ALL if site.trainers else ()),
    )


def _or(given: tuple[str, ...] | None, usual: tuple[str, ...]) -> tuple[str, ...]:
    return usual if given is None else tuple(sorted(set(given)))


def _role(site: Site, spec: RoleSpec) -> Iterator[Part]:
    reach = extent(site, spec)
    logical_id = registry.logical(spec.name) + "Role"
    data = (*storage.read(site, reach.reads), *storage.write(site, reach.writes))
    encryption = storage.encryption(site, STACK, data)
    yield from encryption.parameters
    name = f"{site.prefix}-{spec.name}"
    yield from iam.role(
        site,
        stack=STACK,
        logical_id=logical_id,
        name=spec.name,
        kind="person",
        trust=iam.trust_people(spec.principals),
        grants=(
            *data,
            *encryption.grants,
            *_images(site, reach),
            *_sees(site, reach),
            *(_rolls_out(site, reach.services) if reach.kind == "developer" else ()),
            *(_runs(site, reach.trainers) if reach.kind == "model-trainer" else ()),
            *_never(site),
        ),
        description=f"People: {spec.name} of {site.prefix}",
        origin=("spec", "access", "roles", spec.name),
        max_session=SESSION,
        role_name=name,
    )
    yield Output(STACK, f"{logical_id}Arn", GetAtt(logical_id, "Arn"), f"The role for people: {spec.name}")
    yield from _arrows(site, reach)
    yield _command(site, spec.name, name)


def _images(site: Site, reach: Extent) -> Iterator[Grant]:
    if not reach.images:
        return
    pull = (
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:DescribeImageScanFindings",
        "ecr:DescribeImages",
        "ecr:GetDownloadUrlForLayer",
    )
    push = ("ecr:CompleteLayerUpload", "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart")
    repositories = tuple(iam.arn("ecr", f"repository/{site.repository(name)}") for name in reach.images)
    pushes = reach.kind == "developer"
    yield Grant(pull + push if pushes else pull, repositories, "pushes images" if pushes else "pulls images")
    yield Grant(
        ("ecr:GetAuthorizationToken",),
        ("*",),
        "logs in to the registry",
        reason="the token is for the account's whole registry; AWS has no narrower resource",
    )


def _sees(site: Site, reach: Extent) -> Iterator[Grant]:
    """Tasks, logs, metrics and dashboards."""
    if not reach.services and not reach.trainers:
        return
    kinds = [kind for kind, names in (("serving", reach.services), ("training", reach.trainers)) if names]
    clusters = tuple(iam.arn("ecs", f"cluster/{site.cluster(kind)}") for kind in kinds)
    in_clusters = (("ArnEquals", "ecs:cluster", clusters),)
    yield Grant(("ecs:ListTasks",), ("*",), "lists tasks", in_clusters, reason=_CANNOT_LIST)
    tasks = tuple(iam.arn("ecs", f"task/{site.cluster(kind)}/*") for kind in kinds)
    yield Grant(("ecs:DescribeTasks",), tasks, "sees tasks")
    yield Grant(
        ("logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"),
        _log_groups(site, reach),
        "sees logs",
    )
    metrics = ("cloudwatch:DescribeAlarms", "cloudwatch:GetMetricData", "cloudwatch:ListMetrics")
    yield Grant((*metrics, "logs:GetQueryResults"), ("*",), "sees metrics", reason=_CANNOT_READ)
    if reach.services:
        yield Grant(("ecs:DescribeServices",), _services(site, reach.services), "sees services")
        dashboards = tuple(_dashboard(site.family(name)) for name in reach.services)
        yield Grant(("cloudwatch:GetDashboard",), dashboards, "sees dashboards")


def _log_groups(site: Site, reach: Extent) -> tuple[Value, ...]:
    if (reach.services == ALL or not site.services) and (reach.trainers == ALL or not site.trainers):
        return (iam.arn("logs", f"log-group:{site.log_group('*')}"),)
    services = [each.name for each in site.services] if reach.services == ALL else reach.services
    trainers = [each.name for each in site.trainers] if reach.trainers == ALL else reach.trainers
    return tuple(
        iam.arn("logs", f"log-group:{site.log_group(name)}{streams}")
        for name in (*services, *trainers)
        for streams in ("", ":*")
    )


def _dashboard(name: str) -> Sub:
    """Dashboards belong to an account and no region."""
    return Sub(f"arn:${{AWS::Partition}}:cloudwatch::${{AWS::AccountId}}:dashboard/{name}")


def _services(site: Site, names: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(iam.arn("ecs", f"service/{site.cluster('serving')}/{name}") for name in names)


def _rolls_out(site: Site, services: tuple[str, ...]) -> Iterator[Grant]:
    """Start tasks anew, go to another revision or back; never a shell in a task.

    What a revision says comes from Git alone.
    """
    if not services:
        return
    families = tuple(iam.arn("ecs", f"task-definition/{site.family(name)}:*") for name in services)
    yield Grant(
        ("ecs:UpdateService",),
        _services(site, services),
        "rolls out services",
        (
            ("ArnLikeIfExists", "ecs:task-definition", families),
            ("StringEqualsIfExists", "ecs:enable-execute-command", "false"),
        ),
    )
    cluster = site.cluster("serving")
    yield Grant(
        ("ecs:DescribeServiceDeployments", "ecs:DescribeServiceRevisions", "ecs:StopServiceDeployment"),
        tuple(
            iam.arn("ecs", f"{kind}/{cluster}/{name}/*")
            for kind in ("service-deployment", "service-revision")
            for name in services
        ),
        "rolls back services",
    )
    yield Grant(("ecs:ListServiceDeployments",), _services(site, services), "rolls back services")
    yield _passes(site, "serving", services, "rolls out services")


def _runs(site: Site, trainers: tuple[str, ...]) -> Iterator[Grant]:
    if not trainers:
        return
    passes = _passes(site, "training", trainers, "runs trainers")
    yield from may_run(site, trainers, passes.resources, "runs trainers")
    cluster = site.cluster("training")
    yield Grant(("ecs:StopTask",), (iam.arn("ecs", f"task/{cluster}/*"),), "stops runs")
    places = tuple(iam.arn("ssm", f"parameter{site.parameter(network_key(name))}") for name in trainers)
    yield Grant(("ssm:GetParameter",), places, "runs trainers")


def _passes(site: Site, kind: str, names: tuple[str, ...], because: str) -> Grant:
    """The roles of these components' own stacks."""
    paths = (iam.role_path(site, f"{kind}-{name}") for name in names)
    return iam.pass_role(
        (iam.arn("iam", f"role{path}*") for path in paths), "ecs-tasks.amazonaws.com", because
    )


def _never(site: Site) -> Iterator[Grant]:
    """Whatever another policy may come to allow these people."""
    bucket = iam.arn("s3", site.data_bucket)
    objects = iam.arn("s3", f"{site.data_bucket}/*")
    yield Grant(("s3:*",), (bucket, objects), "reaches no other data", effect="Confine")
    yield Grant(
        (
            "kms:DisableKey",
            "kms:PutKeyPolicy",
            "kms:ScheduleKeyDeletion",
            "s3:DeleteBucket*",
            "s3:DeleteObjectVersion",
            "s3:PutBucket*",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
        ),
        ("*",),
        "destroy data for good",
        effect="Deny",
    )


def _arrows(site: Site, reach: Extent) -> Iterator[Part]:
    person = f"person:{reach.kind}"
    images = {registry.image_name(each) for each in (*site.services, *site.trainers) if each.image.build}
    yield Thing(person, reach.kind, "person")
    yield from (Edge(f"prefix:{name}", person, "reads") for name in reach.reads)
    yield from (Edge(person, f"prefix:{name}", "writes") for name in reach.writes)
    if reach.kind == "developer":
        pushed = sorted(images) if reach.images == ALL else reach.images
        yield from (Edge(person, f"image:{name}", "pushes") for name in pushed)
        rolled = [each.name for each in site.services] if reach.services == ALL else reach.services
        yield from (Edge(person, name, "rolls out") for name in rolled)
    if reach.kind == "model-trainer":
        run = [each.name for each in site.trainers] if reach.trainers == ALL else reach.trainers
        yield from (Edge(person, name, "runs") for name in run)


def _command(site: Site, name: str, role_name: str) -> Command:
    account = '"$(aws sts get-caller-identity --query Account --output text)"'
    profile = f"aws configure set profile.{role_name}"
    return Command(
        "People",
        f"Work as {name} in {site.environment}",
        (
            f"{profile}.role_arn arn:aws:iam::{account}:role{iam.role_path(site, STACK)}{role_name}",
            f"{profile}.source_profile default",
            f"{profile}.mfa_serial ARN_OF_YOUR_MFA_DEVICE",
            f"aws sts get-caller-identity --profile {role_name}",
        ),
    )
