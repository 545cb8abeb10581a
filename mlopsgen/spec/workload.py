"""What trainers and services share: image, compute, resources, data, environment and secrets."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.base import Arn, EnvironmentName, Name, RelativePath, Spec
from mlopsgen.spec.quantities import Cpu, Duration, Memory


class BuildSpec(Spec):
    """An image built from a folder that holds a Python package."""

    context: RelativePath
    """The folder, from `pipeline.yaml`; only what is in it can enter the image."""

    requirements: RelativePath = "requirements.txt"
    """The locked dependencies, a file in the context. They are installed before the source is copied."""

    dockerfile: RelativePath | None = None
    """A Dockerfile of your own in the context, instead of the generated one."""

    python: Annotated[str, Field(pattern=r"^3\.[0-9]{1,2}$")] = "3.11"
    """The version of Python."""

    system_packages: tuple[Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]+$")], ...] = ()
    """Debian packages that the program needs when it runs."""

    command: tuple[str, ...] = ()
    """The command, as a list. Without one: `python -m <context>`."""


class ImageSpec(Spec):
    """Where the container's image comes from: `build` or `uri`, not both."""

    name: Name | None = None
    """The image's name, by default the component's. Components that build the same image share it."""

    build: BuildSpec | None = None
    """Build it here and push it to the pipeline's registry."""

    uri: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._:/-]*@sha256:[a-f0-9]{64}$")] | None = None
    """An image that exists already, pinned by digest."""


class FargateSpec(Spec):
    """Run on capacity that AWS manages."""

    architecture: Literal["x86_64", "arm64"] = "x86_64"
    """The processor."""

    purchase: Literal["on-demand", "spot"] = "on-demand"
    """Spot costs less and can be taken back with two minutes' notice."""

    ephemeral_storage: Memory | None = None
    """Disk space for the task, 21Gi to 200Gi; without it, 20 GiB."""


class Ec2Spec(Spec):
    """Run on instances of the pipeline's own, which come and go with the tasks."""

    instance_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]*\.[a-z0-9-]+$")]
    """The type of instance, such as `g4dn.xlarge`."""

    purchase: Literal["on-demand", "spot"] = "on-demand"
    """Spot costs less and can be taken back with two minutes' notice."""

    min_instances: Annotated[int, Field(ge=0, le=1000)] = 0
    """Instances kept even when nothing runs."""

    max_instances: Annotated[int, Field(ge=1, le=1000)] = 1
    """The most instances at once."""

    volume_size: Memory = 100 * 1024
    """The encrypted root volume, in whole Gi."""


class ComputeSpec(Spec):
    """What the tasks run on: `fargate` or `ec2`, not both."""

    fargate: FargateSpec | None = None
    """Capacity that AWS manages. This is the default."""

    ec2: Ec2Spec | None = None
    """Instances of the pipeline's own, for GPUs and large memory."""


class ResourcesSpec(Spec):
    """What one task may use."""

    cpu: Cpu = 1024
    """Processors, such as `"1"` or `500m`."""

    memory: Memory = 2048
    """Memory, such as `2Gi`. The task is stopped when it needs more."""

    gpu: Annotated[int, Field(ge=0, le=16)] = 0
    """Whole GPUs; only on `ec2`."""


class SecretSpec(Spec):
    """A secret that is handed to the container by reference; its value is never in a file."""

    name: EnvironmentName
    """The environment variable that holds it."""

    value_from: Arn
    """The ARN of a Secrets Manager secret or of an SSM parameter."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]+$")] | None = None
    """The key in a secret that is a JSON object."""


class WorkloadSpec(Spec):
    """A container that runs: its image, its resources, and everything that it may touch."""

    name: Name
    """Its name, unique in the pipeline."""

    image: ImageSpec
    """Where its image comes from."""

    compute: ComputeSpec = Field(default_factory=ComputeSpec)
    """What it runs on."""

    resources: ResourcesSpec = Field(default_factory=ResourcesSpec)
    """What one task may use."""

    reads: tuple[Name, ...] = ()
    """Prefixes of the bucket that it may read."""

    writes: tuple[Name, ...] = ()
    """Prefixes of the bucket that it may write."""

    env: dict[EnvironmentName, str] = Field(default_factory=dict)
    """Environment variables; for anything secret use `secrets`."""

    secrets: tuple[SecretSpec, ...] = ()
    """Secrets, by reference."""

    user: Annotated[int, Field(ge=1, le=65534)] = 10001
    """The numeric user, never root."""

    stop_timeout: Duration = 30
    """Time between SIGTERM and SIGKILL, at most 120s."""
