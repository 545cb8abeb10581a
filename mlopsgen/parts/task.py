"""What a task of a workload is started from: roles, log group, image, and the task definition."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from troposphere import GetAtt, Ref, Sub, ecs, logs

from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.workloads.spec import PortSpec
from mlopsgen.language.values import DAY
from mlopsgen.model.binding import Binding, Mount
from mlopsgen.model.plan import Declaration, FlowEdge, FlowNode, Image, Parameter, Task
from mlopsgen.model.site import Site
from mlopsgen.model.values import Value
from mlopsgen.model.workload import DEFAULT_USER, Workload, context_of, image_command
from mlopsgen.parts.key import key_arn
from mlopsgen.parts.resource import Scope
from mlopsgen.parts.roles import Role, declare_role, trust_service

DIGEST = r"^sha256:[a-f0-9]{64}$"

LOG_BUFFER = "25m"
"""How much a container may log faster than CloudWatch takes it before lines are dropped."""

OPENER = "mlopsgen-volumes"
"""The container that opens the task's empty volumes to every user, before the main one starts."""

# What Docker gives a container, but for FOWNER: `chmod` of a folder that an image gave to another user needs
# it, and on Fargate nothing can be added to what was dropped (Amazon ECS API reference, KernelCapabilities).
_ALL_BUT_FOWNER = [
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
]  # fmt: skip


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
) -> Iterator[Declaration]:
    """The task definition of `workload`, and all that it names.

    The container is called like the workload; `environment` is added to what the binding gives.
    `entry_point` goes before the command, which then has to be known.
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
    yield scope.resource(_definition(site, workload, binding, tuple(entry_point), dict(environment)))
    yield Task(
        workload.name,
        workload.kind.word,
        workload.stack,
        "TaskDefinition",
        workload.image.name if workload.image else None,
        site.cluster,
        workload.origin,
        tuple(name for name in sorted(workload.spec.loads) if site.model(name).version == "current"),
        next(iter(workload.spec.produces), None) if isinstance(workload.spec, JobSpec) else None,
    )


def command_of(workload: Workload) -> tuple[str, ...]:
    """What runs when the task names nothing else: its own words, or those of the image built here.

    Empty for an image from outside, or with a Dockerfile of its own, whose command nobody here knows.
    """
    own = (*workload.spec.command, *workload.spec.args)
    if workload.spec.command or not workload.built_with_python:
        return tuple(own)
    assert workload.image is not None
    return own or image_command(workload.image)


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
    entry_point: tuple[str, ...],
    environment: dict[str, Value],
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
        ContainerDefinitions=[
            _container(site, workload, binding, entry_point, environment),
            *([_opener(site, workload, binding)] if binding.opened else []),
        ],
        **_given(
            Volumes=[
                ecs.Volume(Name=each.name, **dict(each.properties))
                for each in sorted(binding.volumes, key=lambda each: each.name)
            ]
        ),
        **_platform(workload),
    )


def _container(
    site: Site,
    workload: Workload,
    binding: Binding,
    entry_point: tuple[str, ...],
    environment: dict[str, Value],
) -> ecs.ContainerDefinition:
    # On Fargate ECS gives the region too, on instances it does not; boto3 reads AWS_DEFAULT_REGION alone.
    region = dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), site.region)
    variables = region | dict(binding.environment) | environment | workload.spec.env
    spec = workload.spec
    return ecs.ContainerDefinition(
        Name=workload.name,
        Image=image_uri(site, workload),
        Essential=True,
        ReadonlyRootFilesystem=workload.read_only,
        LinuxParameters=_linux(workload, binding),
        Environment=[ecs.Environment(Name=name, Value=variables[name]) for name in sorted(variables)],
        LogConfiguration=_logging(workload.name),
        StopTimeout=workload.stop_timeout,
        **_given(
            User=str(workload.user) if workload.user is not None else None,
            EntryPoint=list(entry_point or spec.command),
            Command=list(command_of(workload) if entry_point else spec.args),
            MountPoints=[_mount(each) for each in _by_path(binding.mounts)],
            PortMappings=[_port(each) for each in workload.ports],
            HealthCheck=_health_check(workload),
            Secrets=[ecs.Secret(Name=name, ValueFrom=value) for name, value in sorted(binding.secrets)],
            ResourceRequirements=_gpus(workload),
            DependsOn=_after_opener() if binding.opened else [],
        ),
    )


def _opener(site: Site, workload: Workload, binding: Binding) -> ecs.ContainerDefinition:
    """The same image once more, as root and with nothing else to do: it needs `chmod` and no other image."""
    return ecs.ContainerDefinition(
        Name=OPENER,
        Image=image_uri(site, workload),
        Essential=False,
        ReadonlyRootFilesystem=True,
        User="0",
        EntryPoint=["chmod", "1777", *(each.path for each in _by_path(binding.opened))],
        LinuxParameters=ecs.LinuxParameters(Capabilities=ecs.KernelCapabilities(Drop=_ALL_BUT_FOWNER)),
        MountPoints=[_mount(each._replace(read_only=False)) for each in _by_path(binding.opened)],
        LogConfiguration=_logging(OPENER),
    )


def _after_opener() -> list[ecs.ContainerDependency]:
    return [ecs.ContainerDependency(ContainerName=OPENER, Condition="SUCCESS")]


def _given(**properties: Any) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value}


def _by_path(mounts: Iterable[Mount]) -> list[Mount]:
    return sorted(mounts, key=lambda each: each.path)


def _mount(mount: Mount) -> ecs.MountPoint:
    return ecs.MountPoint(SourceVolume=mount.volume, ContainerPath=mount.path, ReadOnly=mount.read_only)


def _port(port: PortSpec) -> ecs.PortMapping:
    return ecs.PortMapping(ContainerPort=port.port, Protocol="tcp")


def _linux(workload: Workload, binding: Binding) -> ecs.LinuxParameters:
    parameters = ecs.LinuxParameters(
        Capabilities=ecs.KernelCapabilities(Drop=["ALL"]), InitProcessEnabled=True
    )
    if binding.tmpfs:
        parameters.Tmpfs = [
            ecs.Tmpfs(ContainerPath=each.path, Size=each.size)
            for each in sorted(binding.tmpfs, key=lambda each: each.path)
        ]
    if workload.spec.resources.gpu and not any(each.path == "/dev/shm" for each in binding.tmpfs):
        # Data loaders hand batches to the program through it, and Docker's 64 MiB are too few for any.
        parameters.SharedMemorySize = workload.spec.resources.memory // 2
    return parameters


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


def _logging(container: str) -> ecs.LogConfiguration:
    """To CloudWatch, without waiting for it: a program must not stand still because its log does."""
    return ecs.LogConfiguration(
        LogDriver="awslogs",
        Options={
            "awslogs-group": Ref("LogGroup"),
            "awslogs-region": Ref("AWS::Region"),
            "awslogs-stream-prefix": container,
            "max-buffer-size": LOG_BUFFER,
            "mode": "non-blocking",
        },
    )


def image_uri(site: Site, workload: Workload) -> Value:
    """What the container runs: the repository's image by its digest, or the reference from outside."""
    if not workload.image:
        return workload.spec.image
    repository = site.repository(workload.image.name)
    return Sub(
        f"${{AWS::AccountId}}.dkr.ecr.${{AWS::Region}}.${{AWS::URLSuffix}}/{repository}@${{ImageDigest}}"
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
        dockerfile=dockerfile_of(workload),
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


def dockerfile_of(workload: Workload) -> str | None:
    """One's own Dockerfile of its image, from the folder of `pipeline.yaml`; None for the generated one."""
    image = workload.image
    if image is None or image.dockerfile is None:
        return None
    context = context_of(image)
    return image.dockerfile.path or ("Dockerfile" if context == "." else f"{context}/Dockerfile")


def _empty_dirs(workload: Workload) -> Iterator[Any]:
    own = {each.name for each in workload.spec.volumes if each.empty_dir and each.empty_dir.medium == "disk"}
    yield from sorted(
        (each for each in workload.spec.volume_mounts if each.name in own), key=lambda each: each.mount_path
    )


def _health_check(workload: Workload) -> ecs.HealthCheck | None:
    """ECS's own check: the command that is given, or one with the Python that images built here have."""
    health, port, path = workload.health, workload.main_port, workload.health_path
    if health is None:
        return None
    command = ["CMD", *health.command]
    if not health.command:
        if not (workload.built_with_python and port and path):
            return None
        ask = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port.port}{path}')"
        command = ["CMD", "python", "-c", ask]
    return ecs.HealthCheck(
        Command=command,
        Interval=health.interval,
        # Where a load balancer waits for up to 120 s, ECS waits for 60 (Amazon ECS API, "HealthCheck").
        Timeout=min(health.timeout, 60),
        Retries=health.unhealthy_threshold,
        StartPeriod=min(health.start_period, 300),
    )


def _gpus(workload: Workload) -> list[ecs.ResourceRequirement]:
    gpus = workload.spec.resources.gpu
    return [ecs.ResourceRequirement(Type="GPU", Value=str(gpus))] if gpus else []


def _platform(workload: Workload) -> dict[str, Any]:
    platform: dict[str, Any] = {
        "RuntimePlatform": ecs.RuntimePlatform(
            CpuArchitecture="ARM64" if workload.architecture == "arm64" else "X86_64",
            OperatingSystemFamily="LINUX",
        )
    }
    storage = workload.spec.resources.ephemeral_storage
    if storage:
        platform["EphemeralStorage"] = ecs.EphemeralStorage(SizeInGiB=storage // 1024)
    return platform
