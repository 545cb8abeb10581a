"""The containers of a task: the program, and what opens its volumes before it starts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from troposphere import Ref, Sub, ecs

from mlopsgen.components.workloads.spec import PortSpec
from mlopsgen.model.binding import Binding, Mount, Tmpfs
from mlopsgen.model.site import Site
from mlopsgen.model.values import Body, Value
from mlopsgen.model.workload import Workload, image_command

LOG_BUFFER = "25m"
"""How much a container may log faster than CloudWatch takes it before lines are dropped."""

CPU_UNITS = 1024
"""Of a vCPU (Amazon ECS developer guide, "Amazon ECS task definition parameters", task size)."""

THREADS = ("OMP_NUM_THREADS", "THREADS")
"""The variables that say how many threads compute, unless the workload says so itself."""

LOW_PORTS = 1024
"""Ports below it are root's, unless the kernel is told otherwise."""

LONGEST_START = 300
"""Seconds that ECS's own check leaves a container to start (Amazon ECS API reference, HealthCheck)."""

OPENER = "mlopsgen-volumes"
"""The container that opens the task's empty volumes to every user, before the main one starts."""

# What Docker gives a container, but for FOWNER: `chmod` of a folder that an image gave to another user needs
# it, and on Fargate nothing can be added to what was dropped (Amazon ECS API reference, KernelCapabilities).
_ALL_BUT_FOWNER = [
    "AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FSETID", "KILL", "MKNOD", "NET_BIND_SERVICE", "NET_RAW",
    "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT",
]  # fmt: skip


def containers(
    site: Site,
    workload: Workload,
    binding: Binding,
    entry_point: Sequence[str],
    environment: Mapping[str, Value],
) -> list[ecs.ContainerDefinition]:
    """The containers of a task, the main one first.

    `entry_point` goes before the command, and `environment` is added to what the binding gives.
    """
    main = _container(site, workload, binding, entry_point, environment)
    return [main, _opener(site, workload, binding)] if binding.opened else [main]


def command_of(workload: Workload) -> tuple[str, ...]:
    """What runs when the task names nothing else: its own words, or those of the image built here.

    Empty for an image from outside, or with a Dockerfile of its own, whose command nobody here knows.
    """
    own = (*workload.spec.command, *workload.spec.args)
    if workload.spec.command or not workload.built_with_python:
        return tuple(own)
    assert workload.image is not None
    return own or image_command(workload.image)


def _container(
    site: Site,
    workload: Workload,
    binding: Binding,
    entry_point: Sequence[str],
    environment: Mapping[str, Value],
) -> ecs.ContainerDefinition:
    # On Fargate ECS gives the region too, on instances it does not; boto3 reads AWS_DEFAULT_REGION alone.
    region = dict.fromkeys(("AWS_DEFAULT_REGION", "AWS_REGION"), site.region)
    spec = workload.spec
    secret = dict(binding.secrets)
    threads = {name: count for name, count in _threads(workload).items() if name not in secret}
    variables = {**region, **threads, **dict(binding.environment), **environment, **spec.env}
    return ecs.ContainerDefinition(
        Name=workload.name,
        Image=image_uri(site, workload),
        Essential=True,
        ReadonlyRootFilesystem=workload.read_only,
        LinuxParameters=_linux(workload, binding),
        Environment=[ecs.Environment(Name=name, Value=variables[name]) for name in sorted(variables)],
        LogConfiguration=_logging(workload.name),
        StopTimeout=workload.stop_timeout,
        **given(
            User=str(workload.user) if workload.user is not None else None,
            EntryPoint=list(entry_point or spec.command),
            Command=list(command_of(workload) if entry_point else spec.args),
            MountPoints=[_mount(each) for each in _by_path(binding.mounts)],
            PortMappings=[_port(each) for each in workload.ports],
            HealthCheck=_health_check(workload),
            Secrets=[ecs.Secret(Name=name, ValueFrom=value) for name, value in sorted(binding.secrets)],
            ResourceRequirements=_gpus(workload),
            DependsOn=_after_opener() if binding.opened else [],
            SystemControls=_low_ports(workload),
        ),
    )


def _threads(workload: Workload) -> dict[str, str]:
    """How many threads compute at once, as programs and the libraries on OpenMP read it: the task's vCPUs.

    ECS limits the CPU of a task in the cgroup above its containers, so that a program sees all cores of the
    instance, and starts a thread for each (aws/amazon-ecs-agent, issue 4077).
    """
    count = str(max(workload.spec.resources.cpu // CPU_UNITS, 1))
    return dict.fromkeys(THREADS, count)


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


def given(**properties: Body) -> dict[str, Body]:
    """The properties that have a value."""
    return {name: value for name, value in properties.items() if value}


def _by_path(mounts: Iterable[Mount]) -> list[Mount]:
    return sorted(mounts, key=lambda each: each.path)


def _mount(mount: Mount) -> ecs.MountPoint:
    return ecs.MountPoint(SourceVolume=mount.volume, ContainerPath=mount.path, ReadOnly=mount.read_only)


def _port(port: PortSpec) -> ecs.PortMapping:
    return ecs.PortMapping(ContainerPort=port.port, Protocol="tcp")


def _low_ports(workload: Workload) -> list[ecs.SystemControl]:
    """The kernel keeps ports below 1024 for root, until it is told otherwise for the task's network."""
    lowest = min((each.port for each in workload.ports), default=LOW_PORTS)
    if lowest >= LOW_PORTS:
        return []
    return [ecs.SystemControl(Namespace="net.ipv4.ip_unprivileged_port_start", Value=str(lowest))]


def _linux(workload: Workload, binding: Binding) -> ecs.LinuxParameters:
    parameters = ecs.LinuxParameters(InitProcessEnabled=True)
    if workload.user:
        # Root, as many images are at their start, needs some to change owners and to become somebody else.
        parameters.Capabilities = ecs.KernelCapabilities(Drop=["ALL"])
    if binding.tmpfs:
        parameters.Tmpfs = [_tmpfs(each) for each in sorted(binding.tmpfs, key=lambda each: each.path)]
    if workload.on_instances and not any(each.path == "/dev/shm" for each in binding.tmpfs):
        # Data loaders hand batches to the program through it, and GPUs talk to each other: Docker's 64 MiB
        # are too few for both (NVIDIA/nccl, issue 342). As much as Linux itself gives; on Fargate it cannot
        # be set (Amazon ECS API reference, LinuxParameters).
        parameters.SharedMemorySize = workload.spec.resources.memory // 2
    return parameters


def _tmpfs(each: Tmpfs) -> ecs.Tmpfs:
    options = {"MountOptions": ["ro"]} if each.read_only else {}
    return ecs.Tmpfs(ContainerPath=each.path, Size=each.size, **options)


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


def health_command(workload: Workload) -> list[str]:
    """What ECS runs in the container: the command that is given, or one with the Python of images built here.

    Empty where there is no check.
    """
    health, port, path = workload.health, workload.main_port, workload.health_path
    if health and health.command:
        return list(health.command)
    if not (workload.built_with_python and port and path):
        return []
    return ask_health(port.port, path)


def ask_health(port: int, path: str) -> list[str]:
    """A command that ends well if the program answers with 2xx or 3xx, by the Python of images built here.

    With a socket alone: `urllib` takes a third of a second of CPU in an official Python image, which comes
    without compiled modules, and the whole time limit on a busy task of a quarter of a CPU.
    """
    script = (
        f"import socket; at = '127.0.0.1:{port}'; path = {path!r}; "
        "to = socket.create_connection(at.split(':')); "
        r"to.sendall(f'GET {path} HTTP/1.1\r\nHost: {at}\r\nConnection: close\r\n\r\n'.encode()); "
        "raise SystemExit(to.makefile('rb').readline()[9:10] not in (b'2', b'3'))"
    )
    return ["python", "-I", "-S", "-c", script]


def _health_check(workload: Workload) -> ecs.HealthCheck | None:
    health, command = workload.health, health_command(workload)
    if not (health and command):
        return None
    return ecs.HealthCheck(
        Command=["CMD", *command],
        Interval=health.interval,
        # Where a load balancer waits for up to 120 s, ECS waits for 60 (Amazon ECS API, "HealthCheck").
        Timeout=min(health.timeout, 60),
        Retries=health.unhealthy_threshold,
        StartPeriod=min(health.start_period, LONGEST_START),
    )


def _gpus(workload: Workload) -> list[ecs.ResourceRequirement]:
    gpus = workload.spec.resources.gpu
    return [ecs.ResourceRequirement(Type="GPU", Value=str(gpus))] if gpus else []
