"""What services, workers and jobs have in common: their containers, resources, rights and replicas."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Choice, Filled, Implied, Item, Name, NotYet, Spec, Text
from mlopsgen.language.values import (
    EVERYWHERE,
    REQUEST_PATH_PATTERN,
    AbsolutePath,
    Cpu,
    Cron,
    Duration,
    ImageReference,
    Latency,
    Peer,
    Percent,
    Rate,
    Size,
    TimeZone,
    VariableName,
)

SecretName = Annotated[str, Filled(), Field(pattern=r"^[A-Za-z0-9/_+=.@:-]+$", max_length=2048)]
"""The name or ARN of a secret: letters, digits and `/_+=.@:-`."""

ParameterName = Annotated[str, Filled(), Field(pattern=r"^[A-Za-z0-9/_.:-]+$", max_length=2048)]
"""The name or ARN of an SSM parameter: letters, digits and `/_.:-`."""

HealthPath = Annotated[str, Filled(), Field(pattern=REQUEST_PATH_PATTERN, max_length=256)]
"""A path of a URL: it begins with `/`, has letters, digits and `._~/-`, and no `//`, `/./` or `/../`."""

ActionName = Annotated[str, Field(pattern=r"^[a-z0-9-]+:[A-Z][A-Za-z0-9]*\*?$", max_length=128)]
"""An action of IAM such as `s3:GetObject`, or the beginning of several with `*` at its end."""

ResourceArn = Annotated[
    str, Filled(), Field(pattern=r"^(\*|arn:[^\s:]+:[^\s:]+:[^\s:]*:[^\s:]*:[^\s'\"\\$`]+)$", max_length=2048)
]
"""An ARN, in whose parts `*` stands for any text, or `*` alone."""

CommandLine = Annotated[tuple[str, ...], Field(min_length=1)]
"""The words of a command, at least one."""


class PortSpec(Item):
    """A port that the container listens on. Its name is unique in the task."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """The number. Below 1024 the kernel's setting is made where the platform allows it, else an error."""

    app_protocol: Literal["http", "http2", "grpc", "tcp"] = "http"
    """What is spoken there."""

    request_timeout: NotYet = None
    """Of calls between workloads."""


class ContainerCheckSpec(Spec):
    """How ECS tells whether a container is well: it runs a command in it, and replaces a task that is not."""

    enabled: bool = True
    """`false`: nothing is asked."""

    command: CommandLine = ()
    """What ECS runs in the container; without it there is no check. Words of their own, without `CMD`; a shell is `[sh, -c, …]`."""

    interval: Duration = 15
    """Time between two checks, 5s to 300s."""

    timeout: Duration = 5
    """How long an answer may take; below `interval`."""

    unhealthy_threshold: Annotated[int, Field(ge=2, le=10)] = 3
    """Bad answers in a row until a task is replaced."""

    start_period: Duration = 60
    """How long a new task may take before bad answers count, up to 2h: the service's grace period; the container's own is this, at most 300s."""


class HealthCheckSpec(ContainerCheckSpec):
    """How ECS and the load balancer tell whether a task is well. One that is not is replaced, whoever asked."""

    path: HealthPath | None = None
    """What the balancer asks on each routed port of this container, by default `/health`; grpc: `/grpc.health.v1.Health/Check`; tcp: none."""

    command: CommandLine = ()
    """What ECS runs in the container. Images built with `python` get one for `path` of the main port, if they have one; others get none unless it stands here. Words of their own, without `CMD`; a shell is `[sh, -c, …]`."""

    healthy_threshold: Annotated[int, Field(ge=2, le=10)] = 2
    """Good answers in a row until a task gets traffic."""

    success_codes: NotYet = None
    """HTTP's or gRPC's, by default `"200"`; grpc: `"0"`."""


class MountSpec(Item):
    """Where a container sees a volume. Its name is that of one of the workload's `volumes` or of `spec.volumes`."""

    mount_path: AbsolutePath
    """Where it is seen."""

    read_only: bool = False
    """Whether the container may only read it."""

    sub_path: NotYet = None
    """A folder of the volume."""


class SecurityContextSpec(Spec):
    """The user that a container runs as, and what it may write."""

    run_as_user: Annotated[int, Field(ge=0, le=65534)] | None = None
    """By default 10001 for images built with `python`; else the image's own. A program that asks who it is (PyTorch, vLLM) ends under a user that its image does not know."""

    read_only_root_filesystem: bool | None = None
    """By default `true` for images built with `python`; else `false`. `/tmp` is writable always."""

    reason: Annotated[str, Field(min_length=1, max_length=500)] | None = None
    """Required with `runAsUser: 0` and, for an image built with `python`, `readOnlyRootFilesystem: false`."""

    capabilities: NotYet = None
    """Added ones."""


class SecretKeyRefSpec(Spec):
    """One key of a secret that is a JSON object."""

    name: SecretName
    """Name or ARN in Secrets Manager. A name is enough in this account and region."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")]
    """Its key."""


class SecretSpec(Spec):
    """Where a secret lies. The container gets it when it starts; its value is never in a file."""

    secret: Annotated[SecretName | None, Choice()] = None
    """Name or ARN in Secrets Manager. A name is enough in this account and region."""

    secret_key_ref: Annotated[SecretKeyRefSpec | None, Choice()] = None
    """One key of a secret that is a JSON object."""

    parameter: Annotated[ParameterName | None, Choice()] = None
    """Name or ARN of an SSM parameter, encrypted or plain."""


class ResourcesSpec(Spec):
    """What a whole task may use."""

    cpu: Cpu = 1024
    """vCPUs."""

    memory: Size = 2048
    """Memory. The task is stopped when it needs more."""

    gpu: Annotated[int, Field(ge=0, le=16)] = 0
    """Whole GPUs, on a pool of instances that have them."""

    neuron: NotYet = None
    """Devices of inf and trn types, with their AMI."""

    ephemeral_storage: Size | None = None
    """Disk space on Fargate, 21Gi to 200Gi; without it 20 GiB. Elsewhere refused: it is the pool's `rootVolume`."""


class EmptyDirSpec(Spec):
    """An empty folder that lives as long as the task."""

    medium: Literal["disk", "Memory"] = "disk"
    """`Memory` is a tmpfs, also on Fargate; at `/dev/shm` it is the shared memory, of which tasks on instances have half of their `memory` by themselves, and tasks on Fargate 64 MiB."""

    size_limit: Size | None = None
    """How much it may hold. Required with `Memory`."""


class TaskVolumeSpec(Item):
    """Space that lives as long as the task; containers share it by name. Not one of `spec.volumes`."""

    empty_dir: Annotated[EmptyDirSpec | None, Choice()] = None
    """An empty folder. In images without `python`, `chmod` of the image itself opens it to the program's user before that starts, unless that is root."""

    ebs: Annotated[NotYet, Choice()] = None
    """A disk for each task."""


class EgressSpec(Item):
    """A way out: to a database, a cache, a tracking server. `https` takes the place of the default one."""

    port: Annotated[int, Field(ge=1, le=65535)]
    """The port of those that it connects to, over TCP."""

    to: tuple[Peer, ...]
    """Ranges such as `10.0.0.0/16`, security groups (`sg-…`) or prefix lists (`pl-…`). `[]`: to nobody; AWS's own services are then reached by endpoints, which are made in a new VPC and have to be there in somebody else's. S3, which layers of images come from, is then an interface: ECR's guide names its gateway alone, so try it in a stage first, or name S3's prefix list (`pl-…`)."""


def https() -> EgressSpec:
    """The way out that is there without being declared."""
    return EgressSpec(name="https", port=443, to=(EVERYWHERE,))


class PermissionSpec(Item):
    """Something that the program may do on AWS beside what its verbs give."""

    actions: Annotated[tuple[ActionName, ...], Field(min_length=1)]
    """Such as `s3:GetObject`, or the beginning of several, `s3:GetObject*`; as AWS's service authorization reference has them."""

    resources: Annotated[tuple[ResourceArn, ...], Field(min_length=1)]
    """ARNs that the actions act on; `["*"]` for actions that take none."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    """Why, for whoever reviews the file."""


class ContainerSpec(Spec):
    """One container: its program, and what the program finds."""

    image: ImageReference
    """The `name` of an item of `spec.images`, or a reference with a tag or digest. Of a reference with a tag the output holds the tag: nothing is asked while compiling."""

    image_pull_secret: NotYet = None
    """The credentials of a private registry."""

    command: CommandLine = ()
    """In place of the image's ENTRYPOINT, as in Kubernetes; with it alone the CMD does not count."""

    args: CommandLine = ()
    """In place of the image's CMD."""

    env: dict[VariableName, Text] = Field(default_factory=dict)
    """Environment variables; for anything secret use `secrets`."""

    secrets: dict[VariableName, SecretSpec] = Field(default_factory=dict)
    """By the variable's name; read when the task starts."""

    volume_mounts: tuple[MountSpec, ...] = ()
    """The volumes that it sees."""

    security_context: SecurityContextSpec = Field(default_factory=SecurityContextSpec)
    """The user that it runs as, and what it may write."""

    ulimits: NotYet = None
    """Limits of the kernel, such as `nofile: 65536`."""


class WorkloadSpec(ContainerSpec, Item):
    """A task that runs: its main container, its resources, and everything that it may touch."""

    capacity: Name = "fargate"
    """A pool."""

    architecture: Literal["amd64", "arm64"] | None = None
    """The processor, by default the pool's; on Fargate `amd64`. Refused if the pool's is another."""

    resources: ResourcesSpec = Field(default_factory=ResourcesSpec)
    """Of the whole task."""

    sidecars: NotYet = None
    """Further containers. They start before the main container, in order; one with a `healthCheck` must be healthy before the next starts."""

    init_containers: NotYet = None
    """Containers that run to their end, in order, before all others."""

    volumes: tuple[TaskVolumeSpec, ...] = ()
    """Space that lives as long as the task; containers share it by name."""

    stop_timeout: Duration = 120
    """Time between SIGTERM and SIGKILL, at most 120s."""

    exec: NotYet = None
    """`aws ecs execute-command`, with all that it takes."""

    reads: tuple[Name, ...] = ()
    """Prefixes that it may read. `NAME_URI`."""

    writes: tuple[Name, ...] = ()
    """Prefixes that it may write. `NAME_URI`."""

    loads: tuple[Name, ...] = ()
    """Models that it reads. Always `NAME_MODEL_URI`, `NAME_MODEL_VERSION`; when it is one, and nothing is produced, `MODEL_NAME`, `MODEL_URI`, `MODEL_VERSION` too."""

    sends: tuple[Name, ...] = ()
    """Queues. `NAME_QUEUE_URL`."""

    publishes: NotYet = None
    """Topics. `NAME_TOPIC_ARN`."""

    calls: NotYet = None
    """Services, all their ports. `${calls.NAME}` is host:port in any text."""

    egress: Annotated[tuple[EgressSpec, ...], Implied(("https",)), Field(min_length=1)] = ()
    """Ways out beside `https` to everywhere, which stays unless an item of that name says otherwise."""

    permissions: tuple[PermissionSpec, ...] = ()
    """Actions on AWS that the verbs do not give, each with a reason."""

    security_group_ids: NotYet = None
    """Groups that a database's owner already allows; at most 4, of an existing network."""

    labels: NotYet = None
    """Tags of this workload alone."""

    logs: NotYet = None
    """By default as `monitoring.logs`."""

    tracing: NotYet = None
    """X-Ray, by a collector beside it."""


class ScalingMetricsSpec(Spec):
    """Measures to hold near a target by starting and stopping tasks. They rest while `max` is `min`."""

    cpu: Percent | None = None
    """Of the task's."""

    memory: Percent | None = None
    """Of the task's."""

    gpu: NotYet = None
    """Of the GPUs, by an agent that comes with it."""

    requests: Rate | None = None
    """For each task; needs a route."""

    latency: Latency | None = None
    """The p95; needs a route, and should stand beside `cpu`, since nothing scales in without traffic."""

    backlog: Annotated[int, Field(ge=1, le=100000)] | None = None
    """Messages waiting or in work in the queues that it consumes, for each task; workers. From zero tasks too: SQS reports of a queue that was idle for six hours up to 15 minutes after its next message."""

    own: NotYet = None
    """Metrics of one's own, each with a target."""


class CooldownSpec(Spec):
    """The least time between two steps."""

    out: Duration = 60
    """Between two steps up."""

    in_: Duration = 300
    """Between two steps down."""


class ReplicaScheduleSpec(Item):
    """A change of the replicas by the clock; at least one of `min` and `max`."""

    cron: Cron
    """Five fields as in crontab: minute, hour, day of month, month, day of week."""

    time_zone: TimeZone = "UTC"
    """The IANA time zone that `cron` is read in."""

    min: Annotated[int, Field(ge=0, le=5000)] | None = None
    """The fewest tasks from then on."""

    max: Annotated[int, Field(ge=0, le=5000)] | None = None
    """The most tasks from then on."""


class ReplicasSpec(Spec):
    """How many tasks run."""

    min: Annotated[int, Field(ge=0, le=5000)] = 2
    """The fewest. Without `max`: exactly so many."""

    max: Annotated[int, Field(ge=0, le=5000)] | None = None
    """The most, by default `min`. Above `min` something must move it: metrics or schedules."""

    metrics: ScalingMetricsSpec = Field(default_factory=ScalingMetricsSpec)
    """Measures to hold near a target. They rest while `max` is `min`."""

    cooldown: CooldownSpec = Field(default_factory=CooldownSpec)
    """The least time between two steps."""

    schedules: tuple[ReplicaScheduleSpec, ...] = ()
    """Changes by the clock."""

    predictive: NotYet = None
    """Forecast of the load of the last weeks; services alone."""


class RollingSpec(Spec):
    """New tasks take the place of old ones in turn."""

    max_unavailable: Percent = 0
    """`100%` with `maxSurge: 0%` is Recreate. ECS: 100 less this is minimumHealthyPercent."""

    max_surge: Percent = 100
    """ECS: 100 and this is maximumPercent."""
