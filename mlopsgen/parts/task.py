"""What a task of a workload is started from: roles, log group, image, and the task definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from troposphere import GetAtt, Tags, ecs, logs

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.workloads.spec import MountSpec
from mlopsgen.language.values import DAY
from mlopsgen.model.binding import Binding
from mlopsgen.model.names import WORKLOAD_TAG
from mlopsgen.model.plan import Declaration, FlowEdge, FlowNode, Image, Parameter, Phase, Task
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Value
from mlopsgen.model.workload import DEFAULT_USER, Workload, context_of, dockerfile_path, image_command
from mlopsgen.parts.container import containers, given
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import Role, declare_role, trust_service

DIGEST = r"^sha256:[a-f0-9]{64}$"


def scope_of(site: Site, workload: Workload) -> Scope:
    """Where a workload's own resources are declared."""
    return Scope(site, workload.stack, workload.origin)


def declare_task(
    site: Site,
    workload: Workload,
    binding: Binding,
    *,
    entry_point: Sequence[str] = (),
    environment: Iterable[tuple[str, Value]] = (),
    start: tuple[str, ...] = (),
) -> Iterator[Declaration]:
    """The task definition of `workload`, and all that it names.

    The container is called like the workload; `environment` is added to what the binding gives.
    `entry_point` goes before the command, which then has to be known. `start` is how people start it.
    """
    scope = scope_of(site, workload)
    yield FlowNode(workload.name, workload.name, workload.kind.word)
    yield scope.resource(_log_group(site, workload))
    yield from _roles(scope, workload, binding)
    if workload.image:
        yield _image(scope, workload)
        yield FlowEdge(f"image:{workload.image.name}", workload.name, "runs")
        what = f"Digest of image {workload.image.name}: sha256: and 64 hexadecimal digits"
        yield Parameter(workload.stack, "ImageDigest", "String", what, pattern=DIGEST)
    yield scope.resource(_definition(site, workload, binding, entry_point, dict(environment)))
    yield Task(
        workload.name,
        workload.kind.word,
        workload.stack,
        "TaskDefinition",
        workload.image.name if workload.image else None,
        site.cluster,
        workload.origin,
        tuple(sorted(workload.spec.loads)),
        followed_models(site, workload),
        next(iter(workload.spec.produces), None) if isinstance(workload.spec, JobSpec) else None,
        start,
    )


def phase_of(site: Site, workload: Workload) -> Phase:
    """When its stack can be deployed: once each model whose pointer it follows has a version."""
    return Phase.AFTER_FIRST_MODEL if followed_models(site, workload) else Phase.BEFORE_FIRST_MODEL


def followed_models(site: Site, workload: Workload) -> tuple[str, ...]:
    """The models that it loads by their pointer `current`."""
    return tuple(name for name in sorted(workload.spec.loads) if site.model(name).version == "current")


def _roles(scope: Scope, workload: Workload, binding: Binding) -> Iterator[Declaration]:
    trust = trust_service("ecs-tasks.amazonaws.com", scope.site)
    yield from declare_role(
        scope,
        Role(
            logical_id="TaskRole",
            name=f"{workload.name}: the program",
            kind="task",
            trust=trust,
            grants=binding.grants,
            description=f"What the program in {workload.name} may do",
        ),
    )
    yield from declare_role(
        scope,
        Role(
            logical_id="ExecutionRole",
            name=f"{workload.name}: ECS, to start it",
            kind="execution",
            trust=trust,
            grants=binding.execution_grants,
            description=f"What ECS may do to start {workload.name}",
        ),
    )


def _definition(
    site: Site,
    workload: Workload,
    binding: Binding,
    entry_point: Sequence[str],
    environment: Mapping[str, Value],
) -> ecs.TaskDefinition:
    resources = workload.spec.resources
    return ecs.TaskDefinition(
        "TaskDefinition",
        Family=site.family(workload.name),
        Cpu=str(resources.cpu),
        Memory=str(resources.memory),
        NetworkMode="awsvpc",
        RequiresCompatibilities=["EC2" if workload.on_instances else "FARGATE"],
        TaskRoleArn=GetAtt("TaskRole", "Arn"),
        ExecutionRoleArn=GetAtt("ExecutionRole", "Arn"),
        ContainerDefinitions=containers(site, workload, binding, entry_point, environment),
        # Whoever starts tasks of it passes its tags on: rights to stop and to see tasks are told by this one.
        Tags=Tags({WORKLOAD_TAG: workload.name}),
        # A revision that is deregistered starts no more tasks (Amazon ECS API reference,
        # DeregisterTaskDefinition): the one before stays, to go back to and for schedules that still name it.
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Retain",
        **given(
            Volumes=[
                ecs.Volume(Name=each.name, **dict(each.properties))
                for each in sorted(binding.volumes, key=lambda each: each.name)
            ]
        ),
        **_platform(workload),
    )


def _log_group(site: Site, workload: Workload) -> logs.LogGroup:
    key = key_arn(site)
    return logs.LogGroup(
        "LogGroup",
        LogGroupName=site.log_group(workload.name),
        RetentionInDays=site.spec.monitoring.logs.retention // DAY,
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
        **({"KmsKeyId": key} if key else {}),
    )


def _image(scope: Scope, workload: Workload) -> Image:
    image = workload.image
    assert image is not None
    python = image.python
    return Image(
        name=image.name,
        repository=scope.site.repository(image.name),
        context=context_of(image),
        requirements=python.requirements if python else "",
        dockerfile=dockerfile_path(image),
        python=python.version if python else "",
        system_packages=tuple(sorted(set(python.system_packages))) if python else (),
        command=image_command(image),
        user=DEFAULT_USER if workload.user is None else workload.user,
        platform=f"linux/{workload.architecture}",
        port=workload.main_port.port if workload.main_port else None,
        health_path=workload.health_path,
        origin=("spec", "images", image.name),
        volumes=("/tmp", *(each.mount_path for each in _empty_dirs(workload))),
    )


def _empty_dirs(workload: Workload) -> Iterator[MountSpec]:
    own = {each.name for each in workload.spec.volumes if each.empty_dir and each.empty_dir.medium == "disk"}
    yield from sorted(
        (each for each in workload.spec.volume_mounts if each.name in own), key=lambda each: each.mount_path
    )


def _platform(workload: Workload) -> dict[str, Body]:
    platform: dict[str, Body] = {
        "RuntimePlatform": ecs.RuntimePlatform(
            CpuArchitecture="ARM64" if workload.architecture == "arm64" else "X86_64",
            OperatingSystemFamily="LINUX",
        )
    }
    storage = workload.spec.resources.ephemeral_storage
    if storage:
        platform["EphemeralStorage"] = ecs.EphemeralStorage(SizeInGiB=storage // 1024)
    return platform
