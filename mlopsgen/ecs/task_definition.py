"""A task: its log group, its two roles, and the definition that ECS starts it from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

from troposphere import GetAtt, Ref, Sub, ecs, logs

from mlopsgen import iam
from mlopsgen.components import bind
from mlopsgen.components.base import Site
from mlopsgen.components.registry import image_name
from mlopsgen.components.wiring import KEY_ARN, take
from mlopsgen.plan import Edge, Image, Parameter, Part, Resource, Task, Thing, Value
from mlopsgen.source.node import Path
from mlopsgen.spec.services import HealthCheckSpec
from mlopsgen.spec.workload import WorkloadSpec

DAY = 86400
DIGEST = r"^sha256:[a-f0-9]{64}$"

LOG_BUFFER = "25m"
"""How much a container may log faster than CloudWatch takes it before lines are dropped."""


def task(
    site: Site,
    workload: WorkloadSpec,
    *,
    kind: Literal["service", "trainer"],
    stack: str,
    origin: Path,
    command: Sequence[str] | None = None,
    entry_point: Sequence[str] | None = None,
    environment: Iterable[tuple[str, Value]] = (),
    port: int | None = None,
    health: HealthCheckSpec | None = None,
) -> Iterator[Part]:
    """Everything that a task of `workload` is started from, addressed to `stack`.

    The container is called like the workload; `environment` is added to what the bindings give.
    """
    binding = bind(site, workload, stack)
    key, key_parameter = take(site, stack, "KeyArn", KEY_ARN, "String", "The pipeline's key")
    yield key_parameter
    yield from binding.parameters
    yield from binding.edges
    yield Thing(workload.name, workload.name, kind)
    yield _log_group(site, workload, stack, origin, key)
    yield from iam.role(
        site,
        stack=stack,
        logical_id="TaskRole",
        name=f"{workload.name}: the program",
        kind="task",
        trust=iam.trust_service("ecs-tasks.amazonaws.com", site),
        grants=binding.grants,
        description=f"What the program in {workload.name} may do",
        origin=origin,
    )
    yield from iam.role(
        site,
        stack=stack,
        logical_id="ExecutionRole",
        name=f"{workload.name}: ECS, to start it",
        kind="execution",
        trust=iam.trust_service("ecs-tasks.amazonaws.com", site),
        grants=binding.execution_grants,
        description=f"What ECS may do to start {workload.name}",
        origin=origin,
    )
    if workload.image.build:
        yield _image(site, workload, origin, command, port, health.path if health else None)
        yield Edge(f"image:{image_name(workload)}", workload.name, "runs")
        what = f"Digest of image {image_name(workload)}: sha256: and 64 hexadecimal digits"
        yield Parameter(stack, "ImageDigest", "String", what, pattern=DIGEST)
    # On Fargate ECS gives the region too, on instances it does not; boto3 reads AWS_DEFAULT_REGION alone.
    region = dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), site.spec.aws.region)
    variables = region | dict((*binding.environment, *environment, *workload.env.items()))
    container = ecs.ContainerDefinition(
        Name=workload.name,
        Image=_image_uri(site, workload),
        Essential=True,
        User=str(workload.user),
        ReadonlyRootFilesystem=True,
        LinuxParameters=ecs.LinuxParameters(
            Capabilities=ecs.KernelCapabilities(Drop=["ALL"]), InitProcessEnabled=True
        ),
        MountPoints=[ecs.MountPoint(SourceVolume="tmp", ContainerPath="/tmp", ReadOnly=False)],
        Environment=[ecs.Environment(Name=name, Value=variables[name]) for name in sorted(variables)],
        LogConfiguration=_logging(workload),
        StopTimeout=workload.stop_timeout,
        **_optional(
            Command=list(command) if command else None,
            EntryPoint=list(entry_point) if entry_point else None,
            PortMappings=[ecs.PortMapping(ContainerPort=port, Protocol="tcp")] if port else None,
            HealthCheck=_health_check(workload, port, health),
            Secrets=[ecs.Secret(Name=name, ValueFrom=value) for name, value in sorted(binding.secrets)],
            ResourceRequirements=_gpus(workload),
        ),
    )
    definition = ecs.TaskDefinition(
        "TaskDefinition",
        Family=site.family(workload.name),
        Cpu=str(workload.resources.cpu),
        Memory=str(workload.resources.memory),
        NetworkMode="awsvpc",
        RequiresCompatibilities=["EC2" if workload.compute.ec2 else "FARGATE"],
        TaskRoleArn=GetAtt("TaskRole", "Arn"),
        ExecutionRoleArn=GetAtt("ExecutionRole", "Arn"),
        ContainerDefinitions=[container],
        Volumes=[ecs.Volume(Name="tmp")],
        **_platform(workload),
    )
    yield Resource(stack, "TaskDefinition", definition, origin)
    cluster = site.cluster("serving" if kind == "service" else "training")
    image = image_name(workload) if workload.image.build else None
    yield Task(workload.name, kind, stack, "TaskDefinition", image, cluster, origin)


def architecture(workload: WorkloadSpec) -> str:
    """The processor that it runs on: `x86_64` or `arm64`.

    EC2's Graviton types carry a `g` after the generation, such as `c7g` (Amazon EC2 instance types guide,
    "Instance type naming conventions").
    """
    if workload.compute.ec2:
        family = workload.compute.ec2.instance_type.partition(".")[0]
        after_generation = family.lstrip("abcdefghijklmnopqrstuvwxyz-").lstrip("0123456789")
        return "arm64" if "g" in after_generation else "x86_64"
    return workload.compute.fargate.architecture if workload.compute.fargate else "x86_64"


def _optional(**properties: Any) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if value}


def _log_group(site: Site, workload: WorkloadSpec, stack: str, origin: Path, key: Ref) -> Resource:
    body = logs.LogGroup(
        "LogGroup",
        LogGroupName=site.log_group(workload.name),
        RetentionInDays=site.spec.monitoring.log_retention // DAY,
        KmsKeyId=key,
        DeletionPolicy="RetainExceptOnCreate",
        UpdateReplacePolicy="Retain",
    )
    return Resource(stack, "LogGroup", body, origin)


def _logging(workload: WorkloadSpec) -> ecs.LogConfiguration:
    """To CloudWatch, without waiting for it: a program must not stand still because its log does."""
    return ecs.LogConfiguration(
        LogDriver="awslogs",
        Options={
            "awslogs-group": Ref("LogGroup"),
            "awslogs-region": Ref("AWS::Region"),
            "awslogs-stream-prefix": workload.name,
            "max-buffer-size": LOG_BUFFER,
            "mode": "non-blocking",
        },
    )


def _image_uri(site: Site, workload: WorkloadSpec) -> Value:
    if workload.image.uri:
        return workload.image.uri
    repository = site.repository(image_name(workload))
    return Sub(
        f"${{AWS::AccountId}}.dkr.ecr.${{AWS::Region}}.${{AWS::URLSuffix}}/{repository}@${{ImageDigest}}"
    )


def _image(
    site: Site,
    workload: WorkloadSpec,
    origin: Path,
    command: Sequence[str] | None,
    port: int | None,
    health_path: str | None,
) -> Image:
    build = workload.image.build
    assert build is not None
    return Image(
        name=image_name(workload),
        repository=site.repository(image_name(workload)),
        context=build.context,
        requirements=build.requirements,
        dockerfile=build.dockerfile,
        python=build.python,
        system_packages=tuple(sorted(set(build.system_packages))),
        command=build.command or ("python", "-m", PurePosixPath(build.context).name),
        user=workload.user,
        platform="linux/arm64" if architecture(workload) == "arm64" else "linux/amd64",
        port=port,
        health_path=health_path,
        origin=(*origin, "image", "build"),
    )


def _health_check(
    workload: WorkloadSpec, port: int | None, health: HealthCheckSpec | None
) -> ecs.HealthCheck | None:
    """ECS's own check, with the Python that images built here have for certain."""
    if not (workload.image.build and port and health):
        return None
    ask = f"import urllib.request as r; r.urlopen('http://127.0.0.1:{port}{health.path}')"
    return ecs.HealthCheck(
        Command=["CMD", "python", "-c", ask],
        Interval=health.interval,
        # Where a load balancer waits for up to 120 s, ECS waits for 60 (Amazon ECS API, "HealthCheck").
        Timeout=min(health.timeout, 60),
        Retries=health.unhealthy_threshold,
        StartPeriod=health.start_period,
    )


def _gpus(workload: WorkloadSpec) -> list[ecs.ResourceRequirement]:
    if not workload.resources.gpu:
        return []
    return [ecs.ResourceRequirement(Type="GPU", Value=str(workload.resources.gpu))]


def _platform(workload: WorkloadSpec) -> dict[str, Any]:
    platform: dict[str, Any] = {
        "RuntimePlatform": ecs.RuntimePlatform(
            CpuArchitecture="ARM64" if architecture(workload) == "arm64" else "X86_64",
            OperatingSystemFamily="LINUX",
        )
    }
    fargate = workload.compute.fargate
    if fargate and fargate.ephemeral_storage:
        size = fargate.ephemeral_storage // 1024
        platform["EphemeralStorage"] = ecs.EphemeralStorage(SizeInGiB=size)
    return platform
