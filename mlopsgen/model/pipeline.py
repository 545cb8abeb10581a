"""The root of the language: `apiVersion`, `kind`, `metadata`, `spec`."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.components.balancers.spec import LoadBalancerSpec
from mlopsgen.components.buckets.spec import BucketSpec
from mlopsgen.components.capacity.spec import PoolSpec
from mlopsgen.components.delivery.spec import DeliverySpec
from mlopsgen.components.encryption.spec import EncryptionSpec
from mlopsgen.components.images.spec import ImageSpec, RegistrySpec
from mlopsgen.components.jobs.spec import JobSpec
from mlopsgen.components.models.spec import ModelSpec
from mlopsgen.components.monitoring.spec import MonitoringSpec
from mlopsgen.components.network.spec import NetworkSpec
from mlopsgen.components.patches.spec import PatchSpec
from mlopsgen.components.people.spec import PeopleSpec
from mlopsgen.components.protection.spec import ProtectionSpec
from mlopsgen.components.queues.spec import QueueSpec
from mlopsgen.components.services.spec import ServiceSpec
from mlopsgen.components.volumes.spec import VolumeSpec
from mlopsgen.components.workers.spec import WorkerSpec
from mlopsgen.language.base import Called, Filled, Implied, Json, Name, NotYet, Same, Spec, Text
from mlopsgen.language.values import AccountId, Arn, Region

# Letters and digits of any script, as `\p{L}` and `\p{N}` of IAM's own pattern (IAM API reference, Tag): here
# the blocks that have them, in a form that every engine reads; E362 looks at each letter.
_ALNUM = "A-Za-z0-9ªµºÀ-ÖØ-öø-\u1fff\u2c00-\u2dff\u3005-\ud7ff\uf900-\ufdcf\ufe70-\ufefc"

LabelKey = Annotated[str, Field(pattern=f"^[{_ALNUM}][{_ALNUM} _.:/=+@-]*$", max_length=128)]
"""Letters, digits, spaces and `_.:/=+@-`, as AWS takes them in tags, a letter or digit first; at most 128 characters."""

LabelValue = Annotated[str, Filled(), Field(pattern=f"^[{_ALNUM} _.:/=+@-]*$", max_length=256)]
"""Letters, digits, spaces and `_.:/=+@-`, as AWS takes them in tags; at most 256 characters."""

EnvironmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]*$", max_length=16)]
"""Lowercase letters and digits, first a letter; at most 16 characters, without hyphen."""

Placeholder = Annotated[str, Field(pattern=r"^[A-Za-z0-9_]+$", max_length=64)]
"""Letters, digits and `_`; at most 64 characters."""


class Metadata(Spec):
    """What the pipeline is called."""

    name: Name
    """Prefix of every physical name; does not begin with `aws`, `ecs`, `fargate`, `ssm`, `sthree`, `amzn`. With the environment's and the bucket's name at most 48 characters."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=40)] = Field(default_factory=dict)
    """Tags on everything that takes tags, in the letters that AWS takes."""


class AwsSpec(Spec):
    """Account and region."""

    region: Region
    """The region, such as `ap-southeast-1`."""

    account: AccountId | None = None
    """Twelve digits, in quotes. `deploy.sh` refuses any other. Required in an environment whose account differs."""

    permissions_boundary: Arn | None = None
    """ARN of a policy that bounds every role."""


class PipelineSpec(Spec):
    """Everything that is deployed."""

    aws: AwsSpec
    """Account and region."""

    variables: dict[Placeholder, Text] = Field(default_factory=dict)
    """Values for `${…}`; an environment may change them. Not nested."""

    network: NetworkSpec = Field(default_factory=NetworkSpec)
    """Addresses."""

    encryption: EncryptionSpec = Field(default_factory=EncryptionSpec)
    """The key of everything that is stored."""

    cluster: NotYet = None
    """An ECS cluster of somebody else."""

    registry: Annotated[RegistrySpec, Same()] = Field(default_factory=RegistrySpec)
    """Rules for image repositories."""

    images: Annotated[tuple[ImageSpec, ...], Same()] = ()
    """Images that are built here."""

    buckets: Annotated[tuple[BucketSpec, ...], Implied(("data",)), Field(min_length=1)] = ()
    """Object storage. `data` with prefixes `raw`, `processed`, `models`, `logs` is there without being declared."""

    volumes: tuple[VolumeSpec, ...] = ()
    """File systems that outlive tasks."""

    queues: tuple[QueueSpec, ...] = ()
    """Messages for workers."""

    topics: NotYet = None
    """Messages for whoever subscribes."""

    capacity: Annotated[tuple[PoolSpec, ...], Implied(("fargate", "fargate-spot")), Field(min_length=1)] = ()
    """What tasks run on. `fargate` and `fargate-spot` are there without being declared."""

    load_balancers: Annotated[
        tuple[LoadBalancerSpec, ...], Implied(("public", "internal")), Field(min_length=1)
    ] = ()
    """Ways in. `public` and `internal` are there without being declared."""

    models: tuple[ModelSpec, ...] = ()
    """What is trained and served."""

    services: tuple[ServiceSpec, ...] = ()
    """Containers that answer requests."""

    workers: tuple[WorkerSpec, ...] = ()
    """Containers that run for ever and have no way in."""

    jobs: tuple[JobSpec, ...] = ()
    """Containers that run to an end. One that `produces` a model is a trainer."""

    workflows: NotYet = None
    """Jobs in an order."""

    instances: NotYet = None
    """Machines for notebooks and experiments."""

    sites: NotYet = None
    """Static pages."""

    people: PeopleSpec = Field(default_factory=PeopleSpec)
    """Who may do what."""

    monitoring: MonitoringSpec = Field(default_factory=MonitoringSpec)
    """What is watched, and who hears of it."""

    delivery: Annotated[DeliverySpec | None, Same()] = None
    """How a change in Git reaches AWS."""

    protection: ProtectionSpec = Field(default_factory=ProtectionSpec)
    """What cannot be deleted by mistake."""

    patches: tuple[PatchSpec, ...] = ()
    """Properties that the language has no word for."""

    environments: Annotated[dict[EnvironmentName, Json], Called("map of maps")] = Field(default_factory=dict)
    """Partial specs laid over this one. Without any there is one environment, `default`."""


class Pipeline(Spec):
    """A pipeline: data, jobs, models and services that are deployed together."""

    api_version: Literal["mlopsgen.io/v1"]
    """The version of the language."""

    kind: Literal["Pipeline"]
    """What this file describes."""

    metadata: Metadata
    """What the pipeline is called."""

    spec: PipelineSpec
    """Everything that is deployed."""
