"""`spec.volumes`: file systems that outlive tasks."""

from typing import Annotated, Literal

from pydantic import Field

from mlopsgen.language.base import Choice, Filled, Item, Spec
from mlopsgen.language.values import DAY, AccessPointId, Duration, FileSystemId, SecurityGroupId

RootFolder = Annotated[str, Filled(), Field(pattern=r"^/[A-Za-z0-9._~/-]*$", max_length=256)]
"""A folder of the file system: it begins with `/`, and has letters, digits and `._~/-`."""


class EfsSpec(Spec):
    """A file system of the pipeline's own, encrypted. It outlives its stack."""

    backup: bool = True
    """Whether AWS Backup copies it every day."""

    throughput: Literal["elastic", "bursting"] = "elastic"
    """What its speed follows: the use, or the size."""

    cold_after: Duration = 30 * DAY
    """When a file that nobody reads moves to infrequent access, in whole days."""

    user: Annotated[int, Field(ge=1, le=65534)] = 10001
    """Who owns its files, for programs that look."""


class ExistingVolumeSpec(Spec):
    """A file system that somebody else owns. It is used and never changed."""

    file_system_id: FileSystemId
    """The file system's id."""

    access_point_id: AccessPointId | None = None
    """The access point that tasks come through."""

    path: RootFolder | None = None
    """The folder of it that tasks see."""

    security_group_id: SecurityGroupId
    """The group of its mount targets: tasks may reach it on 2049, and the README says the rule that its owner adds."""


class VolumeSpec(Item):
    """A file system that outlives tasks. `volumeMounts` name it."""

    efs: Annotated[EfsSpec | None, Choice()] = None
    """A new one."""

    existing: Annotated[ExistingVolumeSpec | None, Choice()] = None
    """Somebody else's."""
