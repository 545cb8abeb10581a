"""The root of the language: `apiVersion`, `kind`, `metadata`, `spec`."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.spec.access import AccessSpec
from mlopsgen.spec.aws import AwsSpec
from mlopsgen.spec.base import Json, Name, Spec
from mlopsgen.spec.delivery import DeliverySpec
from mlopsgen.spec.models import ModelSpec
from mlopsgen.spec.monitoring import MonitoringSpec
from mlopsgen.spec.network import NetworkSpec
from mlopsgen.spec.patches import PatchSpec
from mlopsgen.spec.registry import RegistrySpec
from mlopsgen.spec.services import ServiceSpec
from mlopsgen.spec.storage import StorageSpec
from mlopsgen.spec.trainers import TrainerSpec

LabelKey = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9 _.:/=+@-]*$", max_length=128)]
"""Letters, digits, spaces and `_.:/=+@-`, as AWS takes them in tags; at most 128 characters."""

LabelValue = Annotated[str, Field(pattern=r"^[A-Za-z0-9 _.:/=+@-]*$", max_length=256)]
"""Letters, digits, spaces and `_.:/=+@-`, as AWS takes them in tags; at most 256 characters."""


class Metadata(Spec):
    """What the pipeline is called."""

    name: Name
    """The prefix of every name in AWS."""

    labels: Annotated[dict[LabelKey, LabelValue], Field(max_length=40)] = Field(default_factory=dict)
    """Tags on everything that takes tags."""


class PipelineSpec(Spec):
    """Everything that is deployed."""

    aws: AwsSpec
    """Where the pipeline lives."""

    network: NetworkSpec = Field(default_factory=NetworkSpec)
    """Where tasks and load balancers get their addresses."""

    storage: StorageSpec = Field(default_factory=StorageSpec)
    """The data bucket and its prefixes."""

    registry: RegistrySpec = Field(default_factory=RegistrySpec)
    """The image repositories."""

    models: tuple[ModelSpec, ...] = ()
    """What is trained and served."""

    trainers: tuple[TrainerSpec, ...] = ()
    """Jobs that produce models."""

    services: tuple[ServiceSpec, ...] = ()
    """What answers requests."""

    monitoring: MonitoringSpec = Field(default_factory=MonitoringSpec)
    """Logs, alarms, dashboards, and who hears of them."""

    delivery: DeliverySpec = Field(default_factory=DeliverySpec)
    """How a change in Git reaches AWS."""

    access: AccessSpec = Field(default_factory=AccessSpec)
    """What people may do."""

    patches: tuple[PatchSpec, ...] = ()
    """Changes to single resources that the language has no word for."""

    environments: dict[Name, Json] = Field(default_factory=dict)
    """Partial specs laid over this one: maps merge, lists of named things merge by `name`, `null` deletes. Without any there is one environment, `default`."""


class Pipeline(Spec):
    """A pipeline: data, trainers, models and services that are deployed together."""

    api_version: Literal["mlopsgen.io/v1"]
    """The version of the language."""

    kind: Literal["Pipeline"]
    """What this file describes."""

    metadata: Metadata
    """What the pipeline is called."""

    spec: PipelineSpec
    """Everything that is deployed."""
